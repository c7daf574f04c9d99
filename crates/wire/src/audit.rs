use corridor_core::audit::{DisclosedPart, Disclosure};
use corridor_core::{Digest, DisclosureMethod};

use crate::field::{FieldViolation, Reason, to_digest};
use crate::v1;

impl From<&Disclosure> for v1::Disclosure {
    fn from(disclosure: &Disclosure) -> Self {
        let part = match disclosure.part {
            DisclosedPart::AllRows => v1::DisclosedPart::AllRows,
            DisclosedPart::Links => v1::DisclosedPart::Links,
            DisclosedPart::Release => v1::DisclosedPart::Release,
            DisclosedPart::Report => v1::DisclosedPart::Report,
            DisclosedPart::Rows { .. } => v1::DisclosedPart::Rows,
            DisclosedPart::Table => v1::DisclosedPart::Table,
        };
        let rows = disclosure.part.rows();
        Self {
            sequence: disclosure.sequence,
            agreement_digest: disclosure.agreement.as_bytes().to_vec(),
            run_id: disclosure.run.as_bytes().to_vec(),
            result_digest: disclosure.result.as_bytes().to_vec(),
            party: disclosure.party.as_str().to_owned(),
            role: disclosure.role.as_str().to_owned(),
            part: part.into(),
            first_row: rows.map(|(first, _)| first),
            last_row: rows.map(|(_, last)| last),
            method: disclosure.method.as_str().to_owned(),
            minimum_count: disclosure.minimum_count,
            rule_digest: disclosure.rule.as_bytes().to_vec(),
            time: disclosure.time.to_string(),
        }
    }
}

impl TryFrom<v1::Disclosure> for Disclosure {
    type Error = FieldViolation;

    fn try_from(message: v1::Disclosure) -> Result<Self, FieldViolation> {
        let unknown = |field: &str| FieldViolation::new(field, Reason::Value, "expected a known value");
        let rows = message.first_row.zip(message.last_row);
        let part = match (message.part(), rows) {
            (v1::DisclosedPart::AllRows, _) => DisclosedPart::AllRows,
            (v1::DisclosedPart::Links, _) => DisclosedPart::Links,
            (v1::DisclosedPart::Release, _) => DisclosedPart::Release,
            (v1::DisclosedPart::Report, _) => DisclosedPart::Report,
            (v1::DisclosedPart::Rows, Some((first, last))) if first <= last => {
                DisclosedPart::Rows { first, last }
            }
            (v1::DisclosedPart::Table, _) => DisclosedPart::Table,
            (v1::DisclosedPart::Rows | v1::DisclosedPart::Unspecified, _) => return Err(unknown("part")),
        };
        let methods = [
            DisclosureMethod::Suppression,
            DisclosureMethod::RandomRounding,
            DisclosureMethod::CellKey,
        ];
        Ok(Self {
            sequence: message.sequence,
            agreement: to_digest(&message.agreement_digest, "agreement_digest")?,
            run: to_digest(&message.run_id, "run_id")?,
            result: to_digest(&message.result_digest, "result_digest")?,
            party: message.party.parse().map_err(|_| unknown("party"))?,
            role: message.role.parse().map_err(|_| unknown("role"))?,
            part,
            method: methods
                .into_iter()
                .find(|method| method.as_str() == message.method)
                .ok_or_else(|| unknown("method"))?,
            minimum_count: message.minimum_count,
            rule: to_digest(&message.rule_digest, "rule_digest")?,
            time: message.time.parse().map_err(|_| unknown("time"))?,
        })
    }
}

/// The hashes of a proof.
///
/// # Errors
/// When one has not 32 bytes.
pub fn to_proof(hashes: &[Vec<u8>]) -> Result<Vec<Digest>, FieldViolation> {
    hashes.iter().map(|hash| to_digest(hash, "hashes")).collect()
}

#[cfg(test)]
mod tests {
    use corridor_core::Role;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_disclosure_round_trips(
            digests in prop::collection::vec(any::<[u8; 32]>().prop_map(Digest::from_bytes), 4),
            sequence in any::<u64>(),
            rows in any::<[u64; 2]>(),
            part in 0..6,
        ) {
            let (first, last) = (rows[0].min(rows[1]), rows[0].max(rows[1]));
            let disclosure = Disclosure {
                sequence,
                agreement: digests[0],
                run: digests[1],
                result: digests[2],
                party: "INS-TN".parse().unwrap(),
                role: Role::Researcher,
                part: match part {
                    0 => DisclosedPart::AllRows,
                    1 => DisclosedPart::Links,
                    2 => DisclosedPart::Release,
                    3 => DisclosedPart::Report,
                    4 => DisclosedPart::Rows { first, last },
                    _ => DisclosedPart::Table,
                },
                method: DisclosureMethod::CellKey,
                minimum_count: 10,
                rule: digests[3],
                time: "2026-11-28T03:00:00.5Z".parse().unwrap(),
            };
            prop_assert_eq!(Disclosure::try_from(v1::Disclosure::from(&disclosure)), Ok(disclosure));
        }
    }
}
