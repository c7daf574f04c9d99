//! What kind of file it is, told from its first bytes.

use crate::extract::ExtractError;
use crate::mapping::{FileFormat, FileKind, TextEncoding};

/// Bytes of a file that tell its kind.
pub(super) const START_BYTES: u64 = 512;

/// How a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Text without a mark.
    Text,
    /// The mark of UTF-8.
    Utf8Mark,
    /// The mark of UTF-16, the less significant byte first.
    Utf16Little,
    /// The mark of UTF-16, the more significant byte first.
    Utf16Big,
    /// Parquet.
    Parquet,
    /// A ZIP archive, as XLSX is.
    Zip,
}

impl Start {
    /// The kind of the file.
    pub(crate) const fn kind(self) -> FileKind {
        match self {
            Self::Text | Self::Utf8Mark | Self::Utf16Little | Self::Utf16Big => FileKind::Csv,
            Self::Parquet => FileKind::Parquet,
            Self::Zip => FileKind::Xlsx,
        }
    }

    /// Bytes of the mark.
    pub(crate) const fn mark_bytes(self) -> usize {
        match self {
            Self::Utf8Mark => 3,
            Self::Utf16Little | Self::Utf16Big => 2,
            Self::Text | Self::Parquet | Self::Zip => 0,
        }
    }
}

/// Why a file is no extract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has no byte.
    Empty,
    /// It is something else, or not what the mapping says.
    Other(String),
}

impl Refusal {
    pub(crate) fn to_error(&self, file: &str) -> ExtractError {
        let file = file.to_owned();
        match self {
            Self::Empty => ExtractError::Empty {
                file,
                problem: "it is empty",
            },
            Self::Other(problem) => ExtractError::NotText {
                file,
                line: 1,
                problem: problem.clone(),
            },
        }
    }
}

/// Tells a file from its first bytes.
pub(crate) fn detect(bytes: &[u8]) -> Result<Start, Refusal> {
    let other = |problem: &str| Err(Refusal::Other(problem.to_owned()));
    let known = [
        (&[0xef, 0xbb, 0xbf][..], Start::Utf8Mark),
        (&[0xff, 0xfe], Start::Utf16Little),
        (&[0xfe, 0xff], Start::Utf16Big),
        (b"PAR1", Start::Parquet),
        (b"PK\x03\x04", Start::Zip),
    ];
    if let Some((_, start)) = known.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        let is_opendocument = memchr::memmem::find(bytes, b"application/vnd.oasis.opendocument").is_some();
        if *start == Start::Zip && is_opendocument {
            return other("the file is an OpenDocument spreadsheet; save it as XLSX or as CSV in UTF-8");
        }
        return Ok(*start);
    }
    if bytes.is_empty() {
        Err(Refusal::Empty)
    } else if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        other("the file is a workbook of old Excel, or has a password; save it as XLSX without one")
    } else if bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        other("the file is compressed; unpack it first")
    } else if bytes.len() > 1 && (bytes[0] == 0 || bytes[1] == 0) {
        other("the file is UTF-16 without its mark, or no text; save it as UTF-8")
    } else {
        Ok(Start::Text)
    }
}

/// Refuses a file that is not what the mapping says.
pub(crate) fn refuse_contradiction(start: Start, format: &FileFormat) -> Result<(), Refusal> {
    let kind = start.kind();
    let refuse = |problem: String| Err(Refusal::Other(problem));
    if let Some(declared) = format.format
        && declared != kind
    {
        return refuse(format!(
            "the file is {}, and the mapping says file.format is {}",
            kind.as_str(),
            declared.as_str()
        ));
    }
    if format.sheet.is_some() && kind != FileKind::Xlsx {
        return refuse(format!(
            "the file is {}, and the mapping names a sheet of a spreadsheet",
            kind.as_str()
        ));
    }
    let Some(encoding) = format.encoding else {
        return Ok(());
    };
    let fits = match start {
        Start::Text => encoding != TextEncoding::Utf16,
        Start::Utf8Mark => encoding == TextEncoding::Utf8,
        Start::Utf16Little | Start::Utf16Big => encoding == TextEncoding::Utf16,
        Start::Parquet | Start::Zip => false,
    };
    if fits {
        return Ok(());
    }
    let found = match start {
        Start::Text => "has no mark of UTF-16",
        Start::Utf8Mark => "begins with the mark of UTF-8",
        Start::Utf16Little | Start::Utf16Big => "begins with the mark of UTF-16",
        Start::Parquet | Start::Zip => "is no text",
    };
    refuse(format!(
        "the file {found}, and the mapping says file.encoding is {:?}",
        encoding.as_str()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_extract_is_told_what_to_do() {
        for (bytes, word) in [
            (&b"\xd0\xcf\x11\xe0rest"[..], "XLSX"),
            (b"\x1f\x8brest", "unpack"),
            (b"i\0d\0", "UTF-16"),
            (
                b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
                "OpenDocument",
            ),
        ] {
            match detect(bytes) {
                Err(Refusal::Other(problem)) => assert!(problem.contains(word), "{problem}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(detect(b""), Err(Refusal::Empty));
        assert_eq!(detect(b"i"), Ok(Start::Text));
    }

    #[test]
    fn contradictions_of_mapping_and_file_are_refused() {
        let format = |text: &str| toml::from_str::<FileFormat>(text).unwrap();
        for (start, text, fits) in [
            (Start::Text, "", true),
            (Start::Text, "encoding = \"latin-1\"", true),
            (Start::Text, "encoding = \"utf-16\"", false),
            (Start::Text, "format = \"xlsx\"", false),
            (Start::Text, "sheet = \"A\"", false),
            (Start::Utf8Mark, "encoding = \"windows-1252\"", false),
            (Start::Utf16Big, "encoding = \"utf-8\"", false),
            (Start::Utf16Big, "", true),
            (Start::Zip, "sheet = \"A\"", true),
            (Start::Zip, "format = \"csv\"", false),
            (Start::Parquet, "encoding = \"utf-8\"", false),
            (Start::Parquet, "format = \"parquet\"", true),
        ] {
            let outcome = refuse_contradiction(start, &format(text));
            assert_eq!(outcome.is_ok(), fits, "{start:?} {text}: {outcome:?}");
        }
    }
}
