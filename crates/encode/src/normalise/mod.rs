//! Normalisation `corridor-2`: from a name as it is written to words, spellings and keys two offices share.
//!
//! A name passes four steps, each a pure function with no state and no locale:
//!
//! 1. [`words`]: Unicode forms are resolved, every letter becomes lower-case ASCII whatever its script
//!    (`letters`, `arabic`, `ethiopic`, `slavic_greek`), and particles, articles, initials and titles are put
//!    in one form (`particles`), so that a word joined, hyphenated or set apart is the same word.
//! 2. [`fold_spelling`]: the spellings of one sound in French, English, Portuguese, Spanish, Italian and
//!    German become one (`spelling`). Bigrams are cut from it.
//! 3. [`skeleton`]: the consonants that are left, the same from Arabic script and from Latin (`keys`).
//! 4. [`phonetic`]: a coarser key by sound, Double Metaphone over the folded word (`keys`).
//!
//! Both offices must run the same version: it is named by [`crate::NORMALISATION`] in the encoding schema,
//! and [`crate::normalisation_vectors`] lets each check what it runs.
//!
//! # References
//! Unicode Standard Annex 15 (NFKC); ICAO Doc 9303 part 3, section 6 (letters of other scripts in Latin);
//! ISO 233-2 and the spellings in use for Arabic; ELOT 743 for Greek; BGN/PCGN for Cyrillic; Philips,
//! "The Double Metaphone Search Algorithm", C/C++ Users Journal 18(6), 2000.

mod arabic;
mod ethiopic;
mod keys;
mod letters;
mod particles;
mod slavic_greek;
mod spelling;
mod syllables;

#[cfg(test)]
mod recall;
#[cfg(test)]
mod tests;

pub(crate) use keys::{phonetic, skeleton};
pub(crate) use spelling::fold_spelling;

/// Characters of a field that are read, after compatibility forms are resolved; what a register holds
/// beyond is no name.
pub(crate) const MAX_LETTERS: usize = 1024;

/// The words of a name: lower-case ASCII letters and digits, in the order written.
///
/// A name with a letter that has a Latin form never becomes empty. At most [`MAX_LETTERS`] characters are
/// read, and each gives a bounded number of letters, so the output is bounded too.
pub(crate) fn words(name: &str) -> Vec<String> {
    particles::join(letters::parts(name))
}
