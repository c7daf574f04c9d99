use std::fmt;

use crate::{Digest, Filters, Measure, MigrationEvent, OfficeId};

/// Names of the columns of a dataset file, in order. The events' columns are missing when a dataset
/// holds persons only.
pub mod column {
    /// Keyed pseudonym of the record, 16 bytes.
    pub const RECORD: &str = "record";
    /// Keyed pseudonym of the person, 16 bytes; the same for all moves of one person.
    pub const PERSON: &str = "person";
    /// The filter, as many bytes as the profile has.
    pub const FILTER: &str = "filter";
    /// `emigration` or `immigration`.
    pub const DIRECTION: &str = "direction";
    /// `partner`, `other` or `unknown`.
    pub const COUNTERPART: &str = "counterpart";
    /// First day the move can have been.
    pub const EVENT_DATE: &str = "event_date";
    /// `day`, `month` or `year`.
    pub const DATE_PRECISION: &str = "date_precision";
    /// `female`, `male` or `unknown`.
    pub const SEX: &str = "sex";
    /// Position of the age band in the agreement's list; null when the age is unknown.
    pub const AGE_BAND: &str = "age_band";
    /// The same for the age reached in the year of the move; null when the age is unknown or no table asks for it.
    pub const AGE_BAND_REACHED: &str = "age_band_reached";
    /// Position of the group of the citizenship in the agreement's list; null when it is unknown or no table asks for it.
    pub const CITIZENSHIP: &str = "citizenship_group";
    /// The same for the country of birth.
    pub const BIRTH_COUNTRY: &str = "birth_country_group";
    /// What the mover is to the country of destination, in a word.
    pub const MIGRATORY_STATUS: &str = "migratory_status";
    /// Why the mover moved, in a word.
    pub const REASON: &str = "reason";
    /// Beginning of the names of columns that say whether the move counts under a rule of minimum stay: `yes`, `no` or `unknown`.
    pub const COUNTS_PREFIX: &str = "counts_";
    /// Beginning of the names of columns of block keys, one for each pass: 17 bytes, the number of bits and the bits; null where a
    /// record has none.
    pub const BLOCK_PREFIX: &str = "block_";
}

/// Keys of the metadata of a dataset file.
pub mod metadata {
    /// Version of the file format.
    pub const FORMAT: &str = "corridor.format";
    /// Digest of the agreement.
    pub const AGREEMENT: &str = "corridor.agreement";
    /// Digest of the encoding schema.
    pub const SCHEMA: &str = "corridor.schema";
    /// Id of the office.
    pub const OFFICE: &str = "corridor.office";
    /// Measure by which the filters are compared.
    pub const MEASURE: &str = "corridor.measure";
    /// Number of records.
    pub const RECORDS: &str = "corridor.records";
    /// The key check, hexadecimal.
    pub const KEY_CHECK: &str = "corridor.key_check";
    /// SHA-256 of the whole file with this value's 64 digits set to `0`.
    pub const SEAL: &str = "corridor.seal";
    /// The only [`FORMAT`] there is.
    pub const FORMAT_1: &str = "corridor-dataset/1";
    /// What stands in place of the seal while it is computed.
    pub const SEAL_BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";
}

/// Bytes at the end of a dataset file within which its seal is found.
pub const SEAL_TAIL_BYTES: usize = 64 * 1024;

/// Where the 64 digits of the seal begin in `tail`, the last bytes of a dataset file.
pub fn find_seal(tail: &[u8]) -> Option<usize> {
    let key = metadata::SEAL.as_bytes();
    let after_key = tail.windows(key.len()).rposition(|window| window == key)? + key.len();
    // Between key and value stands the length of the value, a few bytes.
    (after_key..(after_key + 8).min(tail.len())).find(|&start| {
        tail.get(start..start + 64)
            .is_some_and(|value| value.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Keyed pseudonym of a record or person: 16 bytes that mean something only to the office that has the
/// pseudonym list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// Takes 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hexadecimal digits, for the files an office keeps. There is no `Display`, so that a
    /// pseudonym does not slip into a log.
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Reads 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(..)")
    }
}

/// Which block a record is in, in one pass: the beginning of a keyed hash. Two records may be of one person only where the key of
/// one begins with the key of the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// Bits after the first `bits` are 0.
    prefix: [u8; 16],
    bits: u8,
}

impl BlockKey {
    /// Bits of the longest key.
    pub const MAX_BITS: u8 = 128;

    /// The first `bits` of a hash, at most [`BlockKey::MAX_BITS`].
    pub fn new(hash: [u8; 16], bits: u8) -> Self {
        let bits = bits.min(Self::MAX_BITS);
        let prefix = u128::from_be_bytes(hash) & Self::mask(bits);
        Self {
            prefix: prefix.to_be_bytes(),
            bits,
        }
    }

    const fn mask(bits: u8) -> u128 {
        if bits == 0 { 0 } else { u128::MAX << (128 - bits) }
    }

    /// How many bits are given.
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// The bits, followed by zeros.
    pub const fn as_prefix(&self) -> &[u8; 16] {
        &self.prefix
    }

    /// Whether one of the two begins with the other.
    pub const fn meets(&self, other: &Self) -> bool {
        let bits = if self.bits < other.bits {
            self.bits
        } else {
            other.bits
        };
        let differing = u128::from_be_bytes(self.prefix) ^ u128::from_be_bytes(other.prefix);
        differing & Self::mask(bits) == 0
    }

    /// The bytes of a dataset file: the number of bits, and the bits.
    pub fn to_bytes(&self) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[0] = self.bits;
        bytes[1..].copy_from_slice(&self.prefix);
        bytes
    }

    /// Reads the bytes of a dataset file; `None` when they are not in this form.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&bits, prefix) = bytes.split_first()?;
        let key = Self::new(prefix.try_into().ok()?, bits);
        (key.bits == bits && key.prefix == prefix).then_some(key)
    }
}

impl fmt::Debug for BlockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockKey(..)")
    }
}

/// Block keys of one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockColumn {
    /// The pass, as the schema names it.
    pub pass: String,
    /// Key of each record, where it has one.
    pub keys: Vec<Option<BlockKey>>,
}

/// What a dataset says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetManifest {
    /// The agreement it was made under.
    pub agreement: Digest,
    /// The encoding schema it was made with.
    pub schema: Digest,
    /// The office it is of.
    pub office: OfficeId,
    /// How its filters are compared.
    pub measure: Measure,
    /// Number of records.
    pub record_count: u64,
    /// HMAC of agreement and schema under the linkage key: equal for two offices with the same key,
    /// and telling nothing else.
    pub key_check: Digest,
}

/// One office's encoded records.
///
/// # Shape
/// `records`, `persons`, `filters`, the keys of each of `blocks` and, where there are any, `events` have the same length; position
/// `i` of each is the same record. Records are ordered by pseudonym, which is a keyed shuffle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedDataset {
    /// What it says of itself.
    pub manifest: DatasetManifest,
    /// Pseudonym of each record.
    pub records: Vec<Pseudonym>,
    /// Pseudonym of each record's person.
    pub persons: Vec<Pseudonym>,
    /// Filter of each record.
    pub filters: Filters,
    /// Block keys, pass after pass; none where the schema asks for none.
    pub blocks: Vec<BlockColumn>,
    /// Event of each record; `None` for registers of persons only.
    pub events: Option<Vec<MigrationEvent>>,
}
