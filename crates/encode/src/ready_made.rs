//! Schemas to start from.

use corridor_core::{Construction, Profile};

use crate::fields::MatchField;
use crate::schema::EncodingSchema;

/// A schema for a kind of corridor, for any profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyMadeSchema {
    /// Its name on the command line and in terms files.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub purpose: &'static str,
    /// The key beside the names in record-level Bloom profiles, where every field has its own number of bits.
    bloom_key: MatchField,
    /// The same in other profiles. Under majorities a key takes weight from birth date and sex; where fields are kept apart, it is
    /// taken to agree independently of the names, and counts them twice. On registers of one script any key cost more than it
    /// brought, between two scripts it found one in a hundred matches more.
    other_key: Option<MatchField>,
}

/// What every schema has.
const COMMON: [MatchField; 4] = [
    MatchField::Names,
    MatchField::BirthDate,
    MatchField::Sex,
    MatchField::Citizenship,
];

impl ReadyMadeSchema {
    /// Every one, the general one first.
    pub const ALL: [Self; 5] = [
        Self {
            name: "generic",
            purpose: "Names written in one script and by much the same rules on both sides.",
            bloom_key: MatchField::Phonetic,
            other_key: None,
        },
        Self {
            name: "arabic-latin",
            purpose: "Names in Arabic script on one side, Latin on the other.",
            bloom_key: MatchField::Phonetic,
            other_key: Some(MatchField::Phonetic),
        },
        Self {
            name: "geez-latin",
            purpose: "Names in Ge'ez script on one side, Latin on the other.",
            bloom_key: MatchField::NameKeys,
            other_key: Some(MatchField::NameKeys),
        },
        Self {
            name: "west-african",
            purpose: "West African names between French, English and Portuguese spelling.",
            bloom_key: MatchField::NameKeys,
            other_key: None,
        },
        Self {
            name: "lusophone",
            purpose: "Portuguese and Cape Verdean names, with two surnames and particles.",
            bloom_key: MatchField::Phonetic,
            other_key: None,
        },
    ];

    /// The one of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|schema| schema.name == name)
    }

    /// The schema under a profile.
    pub fn schema(&self, profile: Profile) -> EncodingSchema {
        let mut fields = COMMON.to_vec();
        match profile.construction() {
            Construction::Bloom { .. } => fields.push(self.bloom_key),
            Construction::Majority { .. } | Construction::FieldBloom { .. } => fields.extend(self.other_key),
        }
        EncodingSchema::try_new(profile, &fields).expect("a sound schema under every profile")
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
