//! Which column is what.

use serde::{Deserialize, Serialize};

/// Names of columns, as in the header. Several columns of names or addresses are read one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The office's own id of the row; unique in the file.
    pub record_id: String,
    /// Groups the moves of one person, where the register has such a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_key: Option<String>,
    /// Given names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_names: Vec<String>,
    /// Family names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub family_names: Vec<String>,
    /// All names in one, where the register does not tell given from family names; instead of the two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full_name: Vec<String>,
    /// Name of the father, where names are a chain of fathers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub father_name: Vec<String>,
    /// Name of the father's father.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grandfather_name: Vec<String>,
    /// Birth date, in one column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// Year of birth, where year, month and day have columns of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_year: Option<String>,
    /// Month of birth, as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_month: Option<String>,
    /// Day of the month of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_day: Option<String>,
    /// How the birth date is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_quality: Option<String>,
    /// Sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// Citizenship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citizenship: Option<String>,
    /// Country of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_country: Option<String>,
    /// Address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Date of the move, in one column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_date: Option<String>,
    /// Year of the move, where year, month and day have columns of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_year: Option<String>,
    /// Month of the move, as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_month: Option<String>,
    /// Day of the month of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_day: Option<String>,
    /// Whether the row is an emigration or an immigration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The other country of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<String>,
    /// The person's next move, which ended the stay that began with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_event_date: Option<String>,
    /// How many months the person meant, or was permitted, to stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_months: Option<String>,
    /// Days of the twelve months that began with the move that the person was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_present: Option<String>,
    /// Whether the office counts the move in its statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<String>,
    /// What the mover is to the country of destination. Without it, citizenship and country of birth say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migratory_status: Option<String>,
    /// Why the person moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Columns {
    /// Every column that is named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let one = [
            &self.person_key,
            &self.birth_date,
            &self.birth_year,
            &self.birth_month,
            &self.birth_day,
            &self.birth_quality,
            &self.sex,
            &self.citizenship,
            &self.birth_country,
            &self.postcode,
            &self.event_date,
            &self.event_year,
            &self.event_month,
            &self.event_day,
            &self.direction,
            &self.counterpart,
            &self.next_event_date,
            &self.intended_months,
            &self.days_present,
            &self.counted,
            &self.migratory_status,
            &self.reason,
        ];
        let several = [
            &self.given_names,
            &self.family_names,
            &self.full_name,
            &self.father_name,
            &self.grandfather_name,
            &self.address,
        ];
        std::iter::once(&self.record_id)
            .chain(several.into_iter().flatten())
            .chain(one.into_iter().flatten())
            .map(String::as_str)
    }

    /// The column of the birth date, or of its year.
    pub fn birth(&self) -> Option<&str> {
        self.birth_date.as_deref().or(self.birth_year.as_deref())
    }

    /// Every column that says something of a move beside its date, direction and other country, with its key.
    pub(crate) const fn of_moves(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("columns.next_event_date", &self.next_event_date),
            ("columns.intended_months", &self.intended_months),
            ("columns.days_present", &self.days_present),
            ("columns.counted", &self.counted),
            ("columns.migratory_status", &self.migratory_status),
            ("columns.reason", &self.reason),
        ]
    }

    /// The column of the event date, or of its year.
    pub fn event(&self) -> Option<&str> {
        self.event_date.as_deref().or(self.event_year.as_deref())
    }
}
