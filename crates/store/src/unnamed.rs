//! Files the object store of a folder was writing when its service was killed: it gives them a name when they are whole, and lists no
//! others.

use std::io::ErrorKind;
use std::path::PathBuf;

/// Removes files without a name yet below a folder, of those that are meant. Another service may be removing some of them, too.
pub(crate) fn remove_unnamed(folder: PathBuf, is_meant: &dyn Fn(&str) -> bool) -> std::io::Result<()> {
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
                continue;
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if is_unnamed(&name) && is_meant(&name) {
                match std::fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// `name#1` and so on, as the object store calls a file until it is whole.
fn is_unnamed(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_and_what_has_a_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("runs/tiles")).unwrap();
        for name in [
            "a.parquet",
            "a.parquet#1",
            "b.parquet#12",
            "c#d",
            "runs/tiles/0.parquet#3",
        ] {
            std::fs::write(path(name), "").unwrap();
        }
        remove_unnamed(folder.path().to_owned(), &|name| name.starts_with('a')).unwrap();
        assert!(!path("a.parquet#1").exists() && path("b.parquet#12").exists());
        remove_unnamed(folder.path().to_owned(), &|_| true).unwrap();
        assert!(!path("b.parquet#12").exists() && !path("runs/tiles/0.parquet#3").exists());
        assert!(path("a.parquet").exists() && path("c#d").exists());
        remove_unnamed(path("nowhere"), &|_| true).unwrap();
    }
}
