use std::fmt;

use corridor_core::{CountryCode, Direction, EventDate, Sex};
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
    /// Given names as written.
    pub given_names: String,
    /// Family names as written.
    pub family_names: String,
    /// Birth date.
    pub birth: BirthDate,
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

/// The move of a record, before it is made coarse for upload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordEvent {
    /// Which way, seen from the reporter.
    pub direction: Direction,
    /// The other country; `None` when not recorded.
    pub counterpart: Option<CountryCode>,
    /// When.
    pub date: EventDate,
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
            &mut self.address,
            &mut self.postcode,
        ] {
            text.zeroize();
        }
        self.birth = BirthDate::default();
    }
}
