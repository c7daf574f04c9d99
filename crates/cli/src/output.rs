use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use corridor_encode::{InTheMaking, settle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::input_error;

/// Writes data to standard output. A reader that has gone away is no error.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to standard output"),
    }
}

/// Writes a value as JSON to standard output.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    data(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Talks to the person on standard error.
pub(crate) fn talk(text: &str) {
    // There is nobody to tell when standard error is closed.
    drop(writeln!(io::stderr(), "{text}"));
}

/// The most memory this process has had, in megabytes; `None` where the system does not say.
pub(crate) fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// A progress bar on standard error, silent where that is no terminal.
pub(crate) fn progress(len: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(len),
        if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    let style = ProgressStyle::with_template("{msg:28} [{bar:30}] {pos}/{len}, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what.to_owned());
    bar
}

/// Writes a new file whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_file_with(path, |file| {
        file.write_all(bytes)
            .with_context(|| format!("cannot write {}", path.display()))
    })
}

/// The same, where `write` writes it piece by piece, for what is too large to hold in memory.
pub(crate) fn write_file_with<T>(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    refuse_existing(path)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let cannot_write = || format!("cannot write {}", path.display());
    let (file, temporary) = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(cannot_write)?
        .into_parts();
    let _in_the_making = InTheMaking::new(&temporary);
    let mut out = io::BufWriter::new(file);
    let written = write(&mut out)?;
    let finish = || -> io::Result<()> {
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        settle(|| temporary.persist_noclobber(path))?;
        Ok(())
    };
    finish().with_context(cannot_write)?;
    Ok(written)
}

/// Refuses to write where there is a file already.
pub(crate) fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Err(input_error(
            format!("{} exists already", path.display()),
            "name another file, or move the old one away",
        ));
    }
    Ok(())
}

/// A file that says that the results in its folder may be replaced.
const MARKER: &str = ".corridor-results";

/// Files that belong together: all are written, or none.
#[derive(Debug)]
pub(crate) struct FileSet {
    folder: PathBuf,
    files: Vec<(String, tempfile::NamedTempFile, InTheMaking)>,
}

impl FileSet {
    /// A set to be written to `folder`, which is made when it is not there.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            files: Vec::new(),
        })
    }

    /// The folder it is written to.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many files it has.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Adds a file; it is on the disk afterwards, under a name of its own.
    pub(crate) fn add(&mut self, name: impl Into<String>, text: &str) -> anyhow::Result<()> {
        self.add_with(name, |out| out.write_all(text.as_bytes()))
    }

    /// Adds a file that `write` writes piece by piece, for what is too large to hold in memory.
    pub(crate) fn add_with(
        &mut self,
        name: impl Into<String>,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let name = name.into();
        let write_all = || -> io::Result<(tempfile::NamedTempFile, InTheMaking)> {
            let file = tempfile::NamedTempFile::new_in(&self.folder)?;
            let in_the_making = InTheMaking::new(file.path());
            let mut out = io::BufWriter::new(file);
            write(&mut out)?;
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            Ok((file, in_the_making))
        };
        let (file, in_the_making) =
            write_all().with_context(|| format!("cannot write {}", self.folder.join(&name).display()))?;
        self.files.push((name, file, in_the_making));
        Ok(())
    }

    /// Gives every file its name, where there is no file of that name yet.
    pub(crate) fn write_new(self) -> anyhow::Result<()> {
        for (name, ..) in &self.files {
            refuse_existing(&self.folder.join(name))?;
        }
        self.write()
    }

    /// Gives every file its name, in place of those of an earlier run. Of the files `known`, those that are not in the set are
    /// removed, so that nothing of an earlier run stands beside this one. A folder is one of ours when it holds the
    /// [`MARKER`]; files of the same names in any other are somebody else's.
    pub(crate) fn replace(mut self, known: &[String]) -> anyhow::Result<()> {
        if !self.folder.join(MARKER).exists() {
            for name in known {
                refuse_existing(&self.folder.join(name))?;
            }
            self.add(
                MARKER,
                "Made by corridor, which replaces its results in this folder.\n",
            )?;
        }
        let made: Vec<String> = self.files.iter().map(|(name, ..)| name.clone()).collect();
        let folder = self.folder.clone();
        self.write()?;
        for name in known.iter().filter(|name| !made.contains(name)) {
            match std::fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).context(format!("cannot remove the old {name}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write(self) -> anyhow::Result<()> {
        let Self { folder, files } = self;
        let (files, _in_the_making): (Vec<_>, Vec<InTheMaking>) = files
            .into_iter()
            .map(|(name, file, in_the_making)| ((name, file), in_the_making))
            .unzip();
        settle(|| {
            for (name, file) in files {
                let path = folder.join(name);
                // Names may have a folder of their own before them.
                if let Some(own) = path.parent() {
                    std::fs::create_dir_all(own).with_context(|| format!("cannot make {}", own.display()))?;
                }
                file.persist(&path)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(())
        })
    }
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        input_error(
            format!("cannot read {}: {error}", path.display()),
            "check the path and the permissions",
        )
    })
}

/// Lines up columns: the first to the left, the others to the right.
pub(crate) fn to_columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut out = String::new();
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = widths[column].saturating_sub(cell.chars().count());
            let blanks = " ".repeat(pad);
            let gap = if column == 0 { "" } else { "  " };
            let outcome = if column == 0 {
                write!(line, "{cell}{blanks}")
            } else {
                write!(line, "{gap}{blanks}{cell}")
            };
            outcome.expect("writing to a String");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
