//! Whether an archive unfolds to a reasonable size, told by unfolding it, since what it says of itself may be false.

use std::fs::File;
use std::io::{self, BufReader, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::lines::MAX_LINE_BYTES;

/// Bytes a sheet may have; one of a million rows and 50 columns stays below.
const MOST_SHEET_BYTES: u64 = 4 << 30;

/// Bytes the parts that are held in memory may have, together: texts of cells, styles, names of sheets.
const MOST_HELD_BYTES: u64 = 256 << 20;

/// Parts an archive may have.
const MOST_PARTS: usize = 10_000;

/// Bytes unfolded at a time.
const STEP_BYTES: usize = 1 << 16;

/// Why an archive is no workbook.
#[derive(Debug)]
pub(super) enum Unfolding {
    Damaged,
    Read(io::Error),
    TooLarge,
}

/// Unfolds every part that is XML, without keeping it.
pub(super) fn check(file: &File) -> Result<(), Unfolding> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    if archive.len() > MOST_PARTS {
        return Err(Unfolding::TooLarge);
    }
    let mut held = 0;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(damaged)?;
        let name = part.name().map_err(damaged)?.to_ascii_lowercase();
        if !name.ends_with(".xml") && !name.ends_with(".rels") {
            continue;
        }
        if name.contains("worksheets/") {
            measure(part, MOST_SHEET_BYTES)?;
        } else {
            held += measure(part, MOST_HELD_BYTES - held)?;
        }
    }
    Ok(())
}

fn damaged(error: ZipError) -> Unfolding {
    if let ZipError::Io(error) = error
        && !matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        )
    {
        return Unfolding::Read(error);
    }
    Unfolding::Damaged
}

/// Bytes a part unfolds to, at most `most`, none of its texts longer than a line may be.
fn measure(mut part: impl Read, most: u64) -> Result<u64, Unfolding> {
    let mut buffer = vec![0; STEP_BYTES];
    let (mut bytes, mut since_tag) = (0_u64, 0_usize);
    loop {
        let len = part.read(&mut buffer).map_err(|_| Unfolding::Damaged)?;
        if len == 0 {
            return Ok(bytes);
        }
        let read = &buffer[..len];
        bytes += u64::try_from(len).expect("a length fits");
        since_tag = match (memchr::memchr(b'<', read), memchr::memrchr(b'<', read)) {
            (Some(first), Some(last)) if since_tag + first <= MAX_LINE_BYTES => len - last,
            (Some(_), _) => return Err(Unfolding::TooLarge),
            (None, _) => since_tag + len,
        };
        if bytes > most || since_tag > MAX_LINE_BYTES {
            return Err(Unfolding::TooLarge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_length_of_texts_are_bounded() {
        let part = "<a>b</a>".repeat(100_000);
        assert_eq!(measure(part.as_bytes(), 800_000).unwrap(), 800_000);
        assert!(matches!(
            measure(part.as_bytes(), 799_999),
            Err(Unfolding::TooLarge)
        ));
        let long = format!("<a>{}</a>", "b".repeat(MAX_LINE_BYTES));
        assert!(matches!(
            measure(long.as_bytes(), u64::MAX),
            Err(Unfolding::TooLarge)
        ));
    }
}
