use std::fmt;

use corridor_core::{CountryCode, Direction, EventDate, MigratoryStatus, Reason, Sex, StayFlags};
use zeroize::Zeroize;

use crate::birth::BirthDate;

/// One row of a register, understood: one person and, where there is one, one move. Wiped on drop.
pub struct Record {
    /// Line of the file the row begins on, for error messages.
    pub line: u64,
    /// The office's own id; never leaves.
    pub record_id: String,
    /// Groups the moves of one person; the record id where the register has no such column.
    pub person_key: String,
    /// Given names as written; all names where the register does not tell given from family names.
    pub given_names: String,
    /// Family names as written, then the names of father and grandfather, which stand for one where names are a chain.
    pub family_names: String,
    /// The names of father and grandfather alone.
    pub patronymics: String,
    /// Whether the register tells given from family names.
    pub names_divided: bool,
    /// Birth date, without month and day where they are known to be imputed or estimated.
    pub birth: BirthDate,
    /// How the birth date is known, where the register says it.
    pub birth_source: Option<BirthSource>,
    /// Sex.
    pub sex: Sex,
    /// Citizenship.
    pub citizenship: Option<CountryCode>,
    /// Country of birth.
    pub birth_country: Option<CountryCode>,
    /// Address as written, for registers of persons.
    pub address: String,
    /// Postal code as written.
    pub postcode: String,
    /// The move.
    pub event: Option<RecordEvent>,
}

impl Record {
    /// A record to be filled.
    pub(crate) const fn empty() -> Self {
        Self {
            line: 0,
            record_id: String::new(),
            person_key: String::new(),
            given_names: String::new(),
            family_names: String::new(),
            patronymics: String::new(),
            names_divided: true,
            birth: BirthDate {
                year: None,
                month_day: None,
                first_of_january: false,
                converted: false,
            },
            birth_source: None,
            sex: Sex::Unknown,
            citizenship: None,
            birth_country: None,
            address: String::new(),
            postcode: String::new(),
            event: None,
        }
    }
}

/// How a birth date is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BirthSource {
    /// From a document.
    Documented,
    /// As the person said.
    Declared,
    /// Month and day, or all of it, filled in by rule.
    Imputed,
    /// Converted from another calendar.
    Converted,
    /// Estimated, as from an age.
    Estimated,
}

impl BirthSource {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Declared => "declared",
            Self::Imputed => "imputed",
            Self::Converted => "converted",
            Self::Estimated => "estimated",
        }
    }

    /// Whether month and day say something of the person (or of the rule that made them).
    pub const fn knows_month_day(self) -> bool {
        !matches!(self, Self::Imputed | Self::Estimated)
    }
}

/// The move of a record, before it is made coarse for upload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordEvent {
    /// Which way, seen from the reporter.
    pub direction: Direction,
    /// The other country; `None` when not recorded.
    pub counterpart: Option<CountryCode>,
    /// When.
    pub date: EventDate,
    /// What the mover is to the country of destination.
    pub migratory_status: MigratoryStatus,
    /// Why the person moved.
    pub reason: Reason,
    /// Under which rules of minimum stay the move counts.
    pub stay: StayFlags,
}

impl fmt::Debug for RecordEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordEvent(..)")
    }
}

/// Says where the row is, never what is in it.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record(line {})", self.line)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        for text in [
            &mut self.record_id,
            &mut self.person_key,
            &mut self.given_names,
            &mut self.family_names,
            &mut self.patronymics,
            &mut self.address,
            &mut self.postcode,
        ] {
            text.zeroize();
        }
        self.birth = BirthDate::default();
    }
}
