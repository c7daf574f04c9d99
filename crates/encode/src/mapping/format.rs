//! How an extract is written.

use serde::{Deserialize, Serialize};

use super::{MappingError, inconsistent};

/// How the file is written. What is not said is told from the file's first bytes, or has the default of [`Default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileFormat {
    /// What kind of file it is; told from its first bytes when not said, and refused when they say another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<FileKind>,
    /// How a text file's characters are written; UTF-8 when not said, or UTF-16 when the file begins with its mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
    /// What separates the columns of a text file: one ASCII character; a comma when not said.
    pub delimiter: char,
    /// What stands around values of a text file that hold a delimiter: one ASCII character, `"` when not said; `None`,
    /// written as `""`, when quotes are characters like others.
    #[serde(with = "quote", skip_serializing_if = "is_double_quote")]
    pub quote: Option<char>,
    /// Whether quoted values may hold line breaks. When not said, they may not, and a row of several lines is an error:
    /// a quote astray would swallow rows.
    #[serde(skip_serializing_if = "is_false")]
    pub multiline: bool,
    /// The sheet of a spreadsheet; the first when not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// Words that stand for "no value" in any column, exactly as written, as in `["NULL", "N/A", "-"]`. An empty value
    /// is missing without being declared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Default for FileFormat {
    fn default() -> Self {
        Self {
            format: None,
            encoding: None,
            delimiter: ',',
            quote: Some('"'),
            multiline: false,
            sheet: None,
            missing: Vec::new(),
        }
    }
}

/// Kinds of files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Text, one row a line, with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A workbook of Excel 2007 and later, or one saved as such.
    Xlsx,
}

impl FileKind {
    /// The kind as people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Xlsx => "XLSX",
        }
    }
}

/// How the characters of a text file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextEncoding {
    /// UTF-8, with or without its mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16 with its mark, as Excel writes "Unicode text".
    #[serde(rename = "utf-16")]
    Utf16,
    /// ISO 8859-1, without its control codes from 0x80 to 0x9f: a file that has them is in Windows-1252.
    #[serde(rename = "latin-1")]
    Latin1,
    /// Windows code page 1252, Western European.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// Windows code page 1256, Arabic.
    #[serde(rename = "windows-1256")]
    Windows1256,
}

impl TextEncoding {
    /// The name in mappings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Latin1 => "latin-1",
            Self::Windows1252 => "windows-1252",
            Self::Windows1256 => "windows-1256",
        }
    }
}

impl FileFormat {
    /// Checks what the form alone cannot.
    pub(super) fn validate(&self) -> Result<(), MappingError> {
        let is_mark = |mark: char| mark.is_ascii() && !matches!(mark, '\r' | '\n' | '\0');
        if !is_mark(self.delimiter) || Some(self.delimiter) == self.quote || self.delimiter == '"' {
            return Err(inconsistent(
                "file.delimiter",
                "must be one ASCII character, not a quote",
            ));
        }
        if self.quote.is_some_and(|mark| !is_mark(mark)) {
            return Err(inconsistent(
                "file.quote",
                "must be one ASCII character, or \"\" where there are no quotes",
            ));
        }
        if self.sheet.is_some() && self.format.is_some_and(|kind| kind != FileKind::Xlsx) {
            return Err(inconsistent("file.sheet", "only spreadsheets have sheets"));
        }
        if self.encoding.is_some() && self.format.is_some_and(|kind| kind != FileKind::Csv) {
            return Err(inconsistent("file.encoding", "only text files have an encoding"));
        }
        if self
            .missing
            .iter()
            .any(|word| word.trim() != word || word.is_empty())
        {
            return Err(inconsistent(
                "file.missing",
                "a word must not be empty or have blanks around it",
            ));
        }
        Ok(())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::ref_option, reason = "what serde asks for")]
fn is_double_quote(quote: &Option<char>) -> bool {
    *quote == Some('"')
}

/// A quote as a text of one character, or of none.
mod quote {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "what serde asks for")]
    pub(super) fn serialize<S: Serializer>(quote: &Option<char>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&quote.map_or_else(String::new, String::from))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<char>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (mark, None) => Ok(mark),
            _ => Err(de::Error::custom("expected one character, or \"\" for no quotes")),
        }
    }
}
