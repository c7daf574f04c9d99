//! What is weak about a schema that could be used.

use corridor_core::{Construction, Profile};
use serde::Serialize;

use crate::fields::MatchField;
use crate::schema::EncodingSchema;

/// What an office can say of the linkage unit that will hold its filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitTrust {
    /// It does what was agreed, but could look, or leak what it holds, and lists of the population exist.
    CouldLook,
    /// It may be trusted with a list of the population.
    Trusted,
}

/// A weakness, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaWarning {
    /// Which weakness: a word that does not change.
    pub code: &'static str,
    /// What is weak, in words.
    pub problem: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Share of the weight of all tokens above which one field decides alone.
const DOMINANT_SHARE: f64 = 0.8;

/// Fill of a filter of a usual record outside which bits are wasted.
const GOOD_FILL: std::ops::RangeInclusive<f64> = 0.25..=0.65;

impl EncodingSchema {
    /// Weaknesses of this schema under a linkage unit so trusted, worst first. Token counts are those of a usual record: twenty
    /// bigrams of names, six tokens of a date.
    pub fn lint(&self, trust: UnitTrust) -> Vec<SchemaWarning> {
        let mut warnings = Vec::new();
        let mut warn = |code, problem: String, advice| {
            warnings.push(SchemaWarning {
                code,
                problem,
                advice,
            });
        };
        let profile = self.profile();
        if profile.needs_trusted_unit() && trust == UnitTrust::CouldLook {
            warn(
                "profile_unfit_for_trust",
                format!(
                    "{profile} falls to anyone who holds the filters and a list of the people: nine of ten were named in tests"
                ),
                "use saul-3-2048, unless the linkage unit may be trusted with a list of the population",
            );
        }
        if !self.hardenings().is_empty() {
            warn(
                "hardening_does_not_protect",
                "hardenings do not stop an attacker with a list of the people, and cost quality".to_owned(),
                "use them only where a partner's program asks for them",
            );
        }
        let tokens = |field: MatchField| f64::from(field.usual_tokens(profile));
        let total: f64 = self.fields().map(tokens).sum();
        if total < 2.0 * f64::from(self.minimum_tokens()) {
            warn(
                "few_tokens",
                format!(
                    "a usual record has about {total:.0} tokens, near the {} below which records are refused",
                    self.minimum_tokens()
                ),
                "add fields both registers fill, such as birth_date, sex and citizenship",
            );
        }
        let has = |wanted| self.fields().any(|field| field == wanted);
        if !has(MatchField::BirthDate) {
            warn(
                "no_birth_date",
                "without birth_date, people of one name cannot be told apart".to_owned(),
                "add birth_date where both registers have it",
            );
        }
        let votes: Vec<(MatchField, f64)> = self
            .weights()
            .iter()
            .map(|field| (field.field, tokens(field.field) * f64::from(field.weight)))
            .collect();
        let all: f64 = votes.iter().map(|(_, votes)| votes).sum();
        for (field, votes) in &votes {
            if self.weights().len() > 1 && votes / all > DOMINANT_SHARE {
                warn(
                    "field_dominates",
                    format!(
                        "{} has {:.0} % of the weight: the other fields hardly count",
                        field.as_str(),
                        100.0 * votes / all
                    ),
                    "lower its weight, or raise the others'",
                );
            }
        }
        if has(MatchField::Address) || has(MatchField::Postcode) {
            warn(
                "field_changes_with_a_move",
                "addresses change when people move, which is what is to be found".to_owned(),
                "leave address and postcode out for registers of moves",
            );
        }
        for (what, fill) in self.usual_fill(&votes) {
            if !GOOD_FILL.contains(&fill) {
                warn(
                    "fill_far_from_half",
                    format!(
                        "{what} of a usual record has {:.0} % of its bits set",
                        100.0 * fill
                    ),
                    "choose weights so that about half of the bits are set",
                );
            }
        }
        warnings
    }

    /// Share of the bits a usual record sets: 1 − (1 − 1/m)ⁿ for n bits drawn of m. Of the filter, or of the parts that have
    /// more than one token.
    fn usual_fill(&self, votes: &[(MatchField, f64)]) -> Vec<(String, f64)> {
        let fill = |drawn: f64, bits: u32| 1.0 - (1.0 - 1.0 / f64::from(bits)).powf(drawn);
        match self.profile().construction() {
            Construction::Majority { .. } => Vec::new(),
            Construction::Bloom { bits } => {
                let drawn = votes.iter().map(|(_, votes)| votes).sum();
                vec![("the filter".to_owned(), fill(drawn, bits))]
            }
            Construction::FieldBloom { bits } => votes
                .iter()
                .filter(|(field, _)| field.usual_tokens(self.profile()) > 1)
                .map(|(field, votes)| (format!("the part of {}", field.as_str()), fill(*votes, bits)))
                .collect(),
        }
    }
}

impl UnitTrust {
    /// Reads `could-look` or `trusted`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "could-look" => Some(Self::CouldLook),
            "trusted" => Some(Self::Trusted),
            _ => None,
        }
    }

    /// The trust a profile was made for.
    pub const fn of(profile: Profile) -> Self {
        if profile.needs_trusted_unit() {
            Self::Trusted
        } else {
            Self::CouldLook
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harden::Hardening;
    use crate::schema::FieldWeight;

    fn codes(schema: &EncodingSchema, trust: UnitTrust) -> Vec<&'static str> {
        schema.lint(trust).iter().map(|warning| warning.code).collect()
    }

    const USUAL: [MatchField; 4] = [
        MatchField::Names,
        MatchField::BirthDate,
        MatchField::Sex,
        MatchField::Citizenship,
    ];

    #[test]
    fn the_usual_schema_of_every_profile_is_sound_for_its_trust() {
        for profile in Profile::ALL {
            let schema = EncodingSchema::try_new(profile, &USUAL).unwrap();
            assert_eq!(codes(&schema, UnitTrust::of(profile)), [""; 0], "{profile}");
        }
    }

    #[test]
    fn each_weakness_is_named() {
        let usual = |profile| EncodingSchema::try_new(profile, &USUAL).unwrap();
        assert_eq!(
            codes(&usual(Profile::Clk1024), UnitTrust::CouldLook),
            ["profile_unfit_for_trust"]
        );
        let weighted = |profile, weights: &[(MatchField, u32)], minimum, hardenings| {
            let fields = weights
                .iter()
                .map(|&(field, weight)| FieldWeight { field, weight })
                .collect();
            EncodingSchema::with_weights(profile, fields, minimum, hardenings).unwrap()
        };
        let (names, birth_date) = (MatchField::Names, MatchField::BirthDate);
        let heavy = weighted(Profile::Saul3x2048, &[(names, 8), (birth_date, 1)], 16, vec![]);
        assert_eq!(
            codes(&heavy, UnitTrust::CouldLook),
            ["few_tokens", "field_dominates"]
        );
        let alone = weighted(Profile::Saul3x2048, &[(names, 1)], 8, vec![]);
        assert_eq!(codes(&alone, UnitTrust::CouldLook), ["no_birth_date"]);
        let full = weighted(Profile::Clk1024, &[(names, 100), (birth_date, 100)], 8, vec![]);
        assert_eq!(codes(&full, UnitTrust::Trusted), ["fill_far_from_half"]);
        let folded = weighted(
            Profile::Clk1024,
            &[(names, 16), (birth_date, 24)],
            8,
            vec![Hardening::Fold],
        );
        assert_eq!(codes(&folded, UnitTrust::Trusted), ["hardening_does_not_protect"]);
        let movers = [names, birth_date, MatchField::Postcode];
        let movers = EncodingSchema::try_new(Profile::Saul3x2048, &movers).unwrap();
        assert_eq!(
            codes(&movers, UnitTrust::CouldLook),
            ["field_changes_with_a_move"]
        );
    }
}
