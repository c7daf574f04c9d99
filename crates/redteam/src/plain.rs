//! What the attacker knows: a list of people as tokens.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Separates the name of a field from the text of a token, in the texts given to [`PlainList::push`].
pub const FIELD_MARK: char = '\u{1f}';

/// A list of people in plain words: per record the tokens the public schema makes of it, each with its weight, and
/// the salt where the profile has one.
///
/// A token is `field`, [`FIELD_MARK`], text; without a mark its field is the empty one. A record has each token
/// once: of two with the same text the first counts.
///
/// The list holds names. It has no `Serialize`, and `Debug` shows its size.
#[derive(Clone, Default)]
pub struct PlainList {
    texts: Vec<String>,
    ids: HashMap<String, u32>,
    records: Vec<PlainRecord>,
}

#[derive(Clone)]
pub(crate) struct PlainRecord {
    pub(crate) salt: String,
    /// Token and weight, in the order of tokens.
    pub(crate) tokens: Vec<(u32, u32)>,
}

impl PlainList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record of `tokens` with their weights: bits set per token in a Bloom scheme, votes in a majority
    /// scheme. `salt` is what the encoding mixes into every token of the record; empty where it mixes nothing.
    pub fn push<T: AsRef<str>>(&mut self, salt: &str, tokens: impl IntoIterator<Item = (T, u32)>) {
        let mut record = BTreeMap::new();
        for (text, weight) in tokens {
            let id = self.id_of(text.as_ref());
            record.entry(id).or_insert(weight);
        }
        self.records.push(PlainRecord {
            salt: salt.to_owned(),
            tokens: record.into_iter().collect(),
        });
    }

    fn id_of(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = u32::try_from(self.texts.len()).expect("fewer than 2^32 different tokens");
        self.texts.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below `len()`.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            texts: self.texts.clone(),
            ids: self.ids.clone(),
            records: indices.iter().map(|&index| self.records[index].clone()).collect(),
        }
    }

    /// The same records with every token weighing `weight`, and without salt.
    #[must_use]
    pub(crate) fn with_weight(&self, weight: u32) -> Self {
        let mut list = self.clone();
        for record in &mut list.records {
            record.salt.clear();
            for token in &mut record.tokens {
                token.1 = weight;
            }
        }
        list
    }

    pub(crate) fn records(&self) -> &[PlainRecord] {
        &self.records
    }

    pub(crate) fn text(&self, token: u32) -> &str {
        &self.texts[token as usize]
    }

    /// The field of a token.
    pub(crate) fn field(&self, token: u32) -> &str {
        self.text(token)
            .split_once(FIELD_MARK)
            .map_or("", |(field, _)| field)
    }
}

/// Says how many there are, never who.
impl fmt::Debug for PlainList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainList({} records)", self.len())
    }
}
