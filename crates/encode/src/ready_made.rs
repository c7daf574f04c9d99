//! Schemas to start from.

use corridor_core::Profile;

use crate::fields::MatchField;
use crate::schema::EncodingSchema;

/// A schema for a kind of corridor, for any profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyMadeSchema {
    /// Its name on the command line and in terms files.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub purpose: &'static str,
    fields: &'static [MatchField],
}

use MatchField::{BirthDate, Citizenship, NameKeys, Names, Sex};

impl ReadyMadeSchema {
    /// Every one, the general one first.
    pub const ALL: [Self; 5] = [
        Self {
            name: "generic",
            purpose: "Names written in one script and by much the same rules on both sides.",
            fields: &[Names, BirthDate, Sex, Citizenship],
        },
        Self {
            name: "arabic-latin",
            purpose: "Names in Arabic script, or Arabic names spelt by clerks of several languages.",
            fields: &[Names, NameKeys, BirthDate, Sex, Citizenship],
        },
        Self {
            name: "geez-latin",
            purpose: "Names in Ge'ez script on one side, Latin on the other.",
            fields: &[Names, NameKeys, BirthDate, Sex, Citizenship],
        },
        Self {
            name: "west-african",
            purpose: "West African names between French, English and Portuguese spelling.",
            fields: &[Names, NameKeys, BirthDate, Sex, Citizenship],
        },
        Self {
            name: "lusophone",
            purpose: "Portuguese and Cape Verdean names, with two surnames and particles.",
            fields: &[Names, BirthDate, Sex, Citizenship],
        },
    ];

    /// The one of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|schema| schema.name == name)
    }

    /// The schema under a profile.
    pub fn schema(&self, profile: Profile) -> EncodingSchema {
        EncodingSchema::try_new(profile, self.fields).expect("a sound schema under every profile")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::UnitTrust;

    #[test]
    fn none_is_weak_under_the_trust_its_profile_was_made_for() {
        for ready_made in ReadyMadeSchema::ALL {
            assert_eq!(ReadyMadeSchema::find(ready_made.name), Some(ready_made));
            for profile in Profile::ALL {
                let schema = ready_made.schema(profile);
                let warnings = schema.lint(UnitTrust::of(profile));
                assert_eq!(warnings, [], "{} under {profile}", ready_made.name);
            }
        }
    }
}
