use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    AgeBands, Caller, Construction, Corridor, CountryCode, Digest, FilterLen, GateTerms, Measure, Office,
    OfficeId, Profile, Recall, Role, Side, Signature, SignatureError, SigningPurpose, StatisticsTerms,
    ThresholdPolicy,
};

/// First and last day of the reference period, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
}

impl Period {
    /// Whether `date` is in the period.
    pub fn contains(&self, date: Date) -> bool {
        (self.first..=self.last).contains(&date)
    }

    /// The calendar years the period touches, in order.
    pub fn years(&self) -> impl Iterator<Item = i16> + use<> {
        self.first.year()..=self.last.year()
    }
}

/// How records become filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodingTerms {
    /// The profile.
    pub profile: Profile,
    /// Digest of the whole encoding schema: profile, match fields, weights, normalisation, hardenings.
    pub schema: Digest,
    /// Length of a filter, in bits.
    pub filter_bits: FilterLen,
    /// The fields both offices encode, by name and in the schema's order.
    pub match_fields: Vec<String>,
    /// The passes of block keys both datasets have, in the order of their names; empty where records are not compared in blocks, and
    /// in agreements of before it was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub block_passes: Vec<String>,
}

impl EncodingTerms {
    /// Bits of the part of a filter that each of [`EncodingTerms::match_fields`] has, in their order; `None` where fields are not
    /// kept apart.
    pub const fn bits_per_field(&self) -> Option<u32> {
        match self.profile.construction() {
            Construction::FieldBloom { bits } => Some(bits),
            Construction::Majority { .. } | Construction::Bloom { .. } => None,
        }
    }

    /// Checks that values of `fields` can be weighed by their frequency.
    ///
    /// # Errors
    /// What is wrong and what to do, in words.
    pub fn check_value_frequencies(&self, fields: &[String]) -> Result<(), String> {
        if fields.is_empty() {
            return Ok(());
        }
        if self.bits_per_field().is_none() {
            return Err(format!(
                "the profile {} does not keep fields apart, so their values cannot be told; leave it empty, or use fields-256 or \
                 fields-512",
                self.profile
            ));
        }
        let mut rest = self.match_fields.iter();
        match fields.iter().find(|field| !rest.any(|known| known == *field)) {
            Some(field) => Err(format!(
                "{field:?} is not a match field, or not named once and in the order of {}",
                self.match_fields.join(", ")
            )),
            None => Ok(()),
        }
    }
}

/// How many partners each person gets, and which: one at most, unless said otherwise. Ties go to the lower position on the left, then on
/// the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// The most similar pair first, then the most similar of those left.
    Greedy,
    /// Only pairs who are each other's most similar.
    MutualBest,
    /// The links of the highest total similarity.
    Optimal,
    /// Each person of the destination goes to the most similar one of the origin, who may have several: for an origin that registers a
    /// household as one, or has one person where the destination, without a number that holds them together, has several.
    OneToMany,
    /// The same the other way round: each person of the origin goes to the most similar one of the destination.
    ManyToOne,
}

/// A name that is no assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown assignment; known are greedy, mutual_best, optimal, one_to_many and many_to_one")]
pub struct AssignmentError;

impl Assignment {
    /// Every way.
    pub const ALL: [Self; 5] = [
        Self::Greedy,
        Self::MutualBest,
        Self::Optimal,
        Self::OneToMany,
        Self::ManyToOne,
    ];

    /// The word in agreements, reports and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::MutualBest => "mutual_best",
            Self::Optimal => "optimal",
            Self::OneToMany => "one_to_many",
            Self::ManyToOne => "many_to_one",
        }
    }

    /// Whether no person gets more than one partner.
    pub const fn is_one_to_one(self) -> bool {
        match self {
            Self::Greedy | Self::MutualBest | Self::Optimal => true,
            Self::OneToMany | Self::ManyToOne => false,
        }
    }
}

impl FromStr for Assignment {
    type Err = AssignmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.replace('-', "_");
        Self::ALL
            .into_iter()
            .find(|way| way.as_str() == text)
            .ok_or(AssignmentError)
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How filters become links and paired events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkageTerms {
    /// Where the threshold comes from.
    pub threshold: ThresholdPolicy,
    /// How many partners each person gets, and which.
    pub assignment: Assignment,
    /// Two events of a linked person are the same move only when at most this many days apart.
    pub event_window_days: u32,
    /// Seed of every random choice of a run (samples), fixed beforehand so that a run can be replayed.
    pub seed: u64,
    /// Match fields, each once, in the order of the schema, of which full agreement on a rare value counts more than on a common
    /// one. Only profiles that keep fields apart can tell values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_frequencies: Vec<String>,
    /// Where given, records are compared only when they share a block key or one of so many keys of bits drawn from their
    /// filters that this share of the pairs at the threshold meet; where not, as the datasets' block keys say. Stands in
    /// the canonical bytes only where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsh_recall: Option<Recall>,
}

impl LinkageTerms {
    /// Checks that the terms fit each other and the filters of a profile.
    ///
    /// # Errors
    /// When a person may have several partners, and fields decide, whose evidence is of one match at most, or the threshold is to be
    /// estimated: it is found, and the quality of links known, from how rivals for one place differ, of which there is none then.
    ///
    /// When keys of bits are asked for and the profile's filters are majorities: half of the bits of any two of them agree,
    /// and those of two records of one person hardly more, so that no few bits tell the ones from the others.
    pub fn validate_for(&self, profile: Profile) -> Result<(), AgreementError> {
        if self.lsh_recall.is_some() && profile.measure() == Measure::Rho {
            return Err(AgreementError {
                field: "linkage.lsh_recall",
                problem: format!(
                    "bits drawn from filters of profile {profile} do not tell who is alike; leave it out and let the \
                     encoding schema name blocking passes, or take a Bloom profile such as clk-1024"
                ),
            });
        }
        let several = (!self.assignment.is_one_to_one()).then(|| self.assignment.as_str());
        if let (Some(several), Profile::Fields256 | Profile::Fields512) = (several, profile) {
            return Err(AgreementError {
                field: "linkage.assignment",
                problem: format!(
                    "under {several} the evidence of fields, of one match at most, does not hold; take a profile of whole filters"
                ),
            });
        }
        if let (Some(several), ThresholdPolicy::Estimated) = (several, self.threshold) {
            return Err(AgreementError {
                field: "linkage.assignment",
                problem: format!(
                    "under {several} a threshold cannot be estimated, since it is learnt from rivals for one place; give a threshold"
                ),
            });
        }
        Ok(())
    }
}

/// What may leave the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Flow tables after disclosure control.
    FlowTable,
    /// Linked pairs of pseudonyms. Tells each office which of its people the other knows.
    LinkList,
}

/// How counts are kept from telling of few people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisclosureMethod {
    /// Small counts are left out, with as many others as needed to keep them from being computed.
    #[default]
    Suppression,
    /// Every count becomes a multiple of 3 near it, by chance and without bias.
    RandomRounding,
    /// Every count is changed by a little, the same moves always by the same (cell key method).
    CellKey,
}

impl DisclosureMethod {
    /// The word in agreements and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppression => "suppression",
            Self::RandomRounding => "random_rounding",
            Self::CellKey => "cell_key",
        }
    }
}

/// The manifests in which the two offices say what their figures mean, by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionDigests {
    /// Of the origin's office.
    pub origin: Digest,
    /// Of the destination's.
    pub destination: Digest,
}

/// Whether figures may still change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseStatus {
    /// A revision is expected.
    Provisional,
    /// No revision is expected.
    #[default]
    Final,
}

impl ReleaseStatus {
    /// The word in agreements and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Final => "final",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
    fn is_final(&self) -> bool {
        *self == Self::Final
    }
}

/// What must not be seen in a released table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureRule {
    /// A count above 0 and below this tells of too few people. Suppression leaves it out, with as many others as needed to keep it
    /// so.
    pub minimum_count: u32,
    /// How. Stands in the canonical bytes only where it is not suppression.
    #[serde(default, skip_serializing_if = "is_suppression")]
    pub method: DisclosureMethod,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_suppression(method: &DisclosureMethod) -> bool {
    *method == DisclosureMethod::Suppression
}

/// What two offices agree on before any record moves.
///
/// Its canonical bytes ([`Agreement::to_canonical_bytes`]) have one digest; both offices sign that
/// digest, and every dataset and run carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Version of this structure, 1.
    pub version: u32,
    /// Where people move.
    pub corridor: Corridor,
    /// The office of the origin.
    pub origin_office: Office,
    /// The office of the destination.
    pub destination_office: Office,
    /// Reference period of the flow tables.
    pub period: Period,
    /// How records become filters.
    pub encoding: EncodingTerms,
    /// How filters become links.
    pub linkage: LinkageTerms,
    /// Age bands of the tables, and all that is uploaded of a person's age.
    pub age_bands: AgeBands,
    /// What the tables count, and by what. Stands in the canonical bytes only where it is not the default.
    #[serde(default, skip_serializing_if = "StatisticsTerms::is_default")]
    pub statistics: StatisticsTerms,
    /// What the two offices' figures mean. Stands in the canonical bytes only where it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definitions: Option<DefinitionDigests>,
    /// Whether the figures may still change. Stands in the canonical bytes only where they may.
    #[serde(default, skip_serializing_if = "ReleaseStatus::is_final")]
    pub status: ReleaseStatus,
    /// The agreement whose figures these are a revision of, by digest. Stands in the canonical bytes only where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revises: Option<Digest>,
    /// What an encoded dataset must look like. Stands in the canonical bytes only where it is not the default.
    #[serde(default, skip_serializing_if = "GateTerms::is_default")]
    pub gate: GateTerms,
    /// What may leave the service, in order and without repetition.
    pub outputs: Vec<Output>,
    /// What must not be seen in a released table.
    pub disclosure: DisclosureRule,
    /// Days after release until the service purges the datasets.
    pub retention_days: u32,
    /// Who else may read what the agreement lets out, each once, by party. Stands in the canonical bytes only where there are some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readers: Vec<Reader>,
}

/// A party both offices let read: a researcher its released tables, an administrator or auditor its runs and how good their links
/// are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// Its short name at the service.
    pub party: OfficeId,
    /// As what it may read.
    pub role: Role,
}

/// How a caller stands to an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the office at a side.
    Office(Side),
    /// It may read, in this role.
    Reader(Role),
}

/// A rule an agreement breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("agreement field {field}: {problem}")]
pub struct AgreementError {
    /// Path of the field, as in `period.last`.
    pub field: &'static str,
    /// What is wrong, in words.
    pub problem: String,
}

/// The only [`Agreement::version`] there is.
pub const AGREEMENT_VERSION: u32 = 1;

impl Agreement {
    /// Checks every rule a single field's type cannot express.
    ///
    /// # Errors
    /// The first rule broken, with the field that breaks it.
    pub fn validate(&self) -> Result<(), AgreementError> {
        let fail = |field, problem: &str| {
            Err(AgreementError {
                field,
                problem: problem.to_owned(),
            })
        };
        if self.version != AGREEMENT_VERSION {
            return fail("version", "this program knows version 1 only");
        }
        if self.origin_office.id == self.destination_office.id {
            return fail("destination_office.id", "is the origin office's id");
        }
        if self.origin_office.signing_key == self.destination_office.signing_key {
            return fail("destination_office.signing_key", "is the origin office's key");
        }
        if self.period.last < self.period.first {
            return fail("period.last", "is before period.first");
        }
        if (self.period.first.month(), self.period.first.day()) != (1, 1) {
            return fail("period.first", "must be 1 January: tables are of whole years");
        }
        if (self.period.last.month(), self.period.last.day()) != (12, 31) {
            return fail("period.last", "must be 31 December: tables are of whole years");
        }
        if self.period.years().count() > 50 {
            return fail("period.last", "the period is longer than 50 years");
        }
        if !(1..=3660).contains(&self.linkage.event_window_days) {
            return fail("linkage.event_window_days", "must be from 1 to 3660");
        }
        self.linkage.validate_for(self.encoding.profile)?;
        self.statistics.validate()?;
        self.gate.validate()?;
        if !(1..=1000).contains(&self.disclosure.minimum_count) {
            return fail("disclosure.minimum_count", "must be from 1 to 1000");
        }
        if !(1..=36600).contains(&self.retention_days) {
            return fail("retention_days", "must be from 1 to 36600");
        }
        if !self.readers.is_sorted_by(|a, b| a.party < b.party) {
            return fail("readers", "must name each party once, in alphabetical order");
        }
        if self.readers.iter().any(|reader| !reader.role.may_be_reader()) {
            return fail(
                "readers",
                "may have the roles researcher, administrator and auditor",
            );
        }
        if self
            .readers
            .iter()
            .any(|reader| self.side_of(&reader.party).is_some())
        {
            return fail("readers", "names an office of the agreement");
        }
        if self.outputs.is_empty() || !self.outputs.is_sorted_by(|a, b| a < b) {
            return fail(
                "outputs",
                "must name at least one output, each once, in alphabetical order",
            );
        }
        if self.encoding.match_fields.is_empty() {
            return fail("encoding.match_fields", "must name at least one field");
        }
        if !self
            .encoding
            .block_passes
            .is_sorted_by(|left, right| left < right)
        {
            return fail(
                "encoding.block_passes",
                "must be in the order of their names, each once",
            );
        }
        self.encoding
            .check_value_frequencies(&self.linkage.value_frequencies)
            .map_err(|problem| AgreementError {
                field: "linkage.value_frequencies",
                problem,
            })?;
        Ok(())
    }

    /// The bytes both offices sign the digest of: JSON without blanks, fields in the order of this
    /// structure.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every field has a JSON form")
    }

    /// Digest of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_canonical_bytes())
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are no agreement, break a rule, or are not in canonical form, since then their digest
    /// would not be the one that was signed.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Result<Self, AgreementError> {
        let fail = |problem| AgreementError {
            field: "agreement",
            problem,
        };
        let agreement: Self = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        agreement.validate()?;
        if agreement.to_canonical_bytes() != bytes {
            return Err(fail("the bytes are not in canonical form".to_owned()));
        }
        Ok(agreement)
    }

    /// The office at `side`.
    pub const fn office(&self, side: Side) -> &Office {
        match side {
            Side::Origin => &self.origin_office,
            Side::Destination => &self.destination_office,
        }
    }

    /// The country at `side`.
    pub const fn country(&self, side: Side) -> CountryCode {
        match side {
            Side::Origin => self.corridor.origin().0,
            Side::Destination => self.corridor.destination().0,
        }
    }

    /// Which side `office` stands at, if it is a party.
    pub fn side_of(&self, office: &OfficeId) -> Option<Side> {
        [Side::Origin, Side::Destination]
            .into_iter()
            .find(|&side| self.office(side).id == *office)
    }

    /// How `caller` stands to the agreement, if at all. A reader does so only under the role it was named with.
    pub fn standing_of(&self, caller: &Caller) -> Option<Standing> {
        if caller.role == Role::Office {
            return self.side_of(&caller.party).map(Standing::Office);
        }
        self.readers
            .iter()
            .find(|reader| reader.party == caller.party && reader.role == caller.role)
            .map(|reader| Standing::Reader(reader.role))
    }

    /// Whether both offices allowed `output`.
    pub fn allows(&self, output: Output) -> bool {
        self.outputs.contains(&output)
    }
}

/// An agreement with the signatures it has so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAgreement {
    /// What is signed.
    pub agreement: Agreement,
    /// The origin office's signature of the digest.
    pub origin_signature: Option<Signature>,
    /// The destination office's signature of the digest.
    pub destination_signature: Option<Signature>,
}

impl SignedAgreement {
    /// The signature of the office at `side`.
    pub const fn signature(&self, side: Side) -> Option<&Signature> {
        match side {
            Side::Origin => self.origin_signature.as_ref(),
            Side::Destination => self.destination_signature.as_ref(),
        }
    }

    /// Whether both offices signed. Does not check the signatures: see [`SignedAgreement::verify`].
    pub const fn is_in_force(&self) -> bool {
        self.origin_signature.is_some() && self.destination_signature.is_some()
    }

    /// Checks every signature that is there.
    ///
    /// # Errors
    /// When one is not of the agreement's digest under that office's key.
    pub fn verify(&self) -> Result<(), SignatureError> {
        let digest = self.agreement.digest();
        for side in [Side::Origin, Side::Destination] {
            if let Some(signature) = self.signature(side) {
                self.agreement.office(side).signing_key.verify(
                    SigningPurpose::Agreement,
                    digest.as_bytes(),
                    signature,
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Destination, Origin, PublicKey};

    fn agreement() -> Agreement {
        let key = |seed: u8| {
            let signing = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
            PublicKey::try_from(signing.verifying_key().as_bytes().as_slice()).unwrap()
        };
        let office = |id: &str, seed| Office {
            id: id.parse().unwrap(),
            signing_key: key(seed),
        };
        Agreement {
            version: 1,
            corridor: Corridor::try_new(Origin("TN".parse().unwrap()), Destination("IT".parse().unwrap()))
                .unwrap(),
            origin_office: office("INS-TN", 1),
            destination_office: office("ISTAT", 2),
            period: Period {
                first: "2022-01-01".parse().unwrap(),
                last: "2024-12-31".parse().unwrap(),
            },
            encoding: EncodingTerms {
                profile: Profile::Saul3x2048,
                schema: Digest::of(b"schema"),
                filter_bits: Profile::Saul3x2048.filter_len(1).unwrap(),
                match_fields: vec!["names".to_owned()],
                block_passes: Vec::new(),
            },
            linkage: LinkageTerms {
                threshold: ThresholdPolicy::Estimated,
                assignment: Assignment::Greedy,
                event_window_days: 365,
                seed: 1,
                value_frequencies: Vec::new(),
                lsh_recall: None,
            },
            age_bands: AgeBands::try_from(vec![0, 15]).unwrap(),
            statistics: StatisticsTerms::default(),
            definitions: None,
            status: ReleaseStatus::Final,
            revises: None,
            gate: GateTerms::default(),
            outputs: vec![Output::FlowTable],
            disclosure: DisclosureRule {
                minimum_count: 10,
                method: DisclosureMethod::Suppression,
            },
            retention_days: 90,
            readers: Vec::new(),
        }
    }

    #[test]
    fn canonical_bytes_round_trip() {
        let agreement = agreement();
        let bytes = agreement.to_canonical_bytes();
        assert_eq!(Agreement::from_canonical_bytes(&bytes), Ok(agreement));
    }

    #[test]
    fn a_recall_stands_in_the_bytes_only_where_it_is_asked_for() {
        let mut agreement = agreement();
        let text = |agreement: &Agreement| String::from_utf8(agreement.to_canonical_bytes()).unwrap();
        assert!(text(&agreement).contains(r#""seed":1}"#), "{}", text(&agreement));
        agreement.encoding.profile = Profile::Clk1024;
        agreement.linkage.lsh_recall = Some("0.98".parse().unwrap());
        assert!(text(&agreement).contains(r#""seed":1,"lsh_recall":"0.98"}"#));
        assert_eq!(
            Agreement::from_canonical_bytes(&agreement.to_canonical_bytes()),
            Ok(agreement)
        );
    }

    #[test]
    fn gate_terms_stand_in_the_bytes_only_where_they_are_agreed() {
        let mut agreement = agreement();
        let text = |agreement: &Agreement| String::from_utf8(agreement.to_canonical_bytes()).unwrap();
        assert!(!text(&agreement).contains("gate"));
        agreement.gate.minimum_stratum = Some(5);
        assert!(text(&agreement).contains(r#""gate":{"minimum_stratum":5},"outputs""#));
        assert_eq!(
            Agreement::from_canonical_bytes(&agreement.to_canonical_bytes()),
            Ok(agreement)
        );
    }

    #[test]
    fn bytes_with_another_digest_are_refused() {
        let mut bytes = agreement().to_canonical_bytes();
        bytes.push(b'\n');
        let error = Agreement::from_canonical_bytes(&bytes).unwrap_err();
        assert!(error.problem.contains("canonical"), "{error}");
    }

    #[test]
    fn each_rule_names_its_field() {
        let check = |change: fn(&mut Agreement), field: &str| {
            let mut agreement = agreement();
            change(&mut agreement);
            assert_eq!(agreement.validate().unwrap_err().field, field);
        };
        check(|a| a.version = 2, "version");
        check(
            |a| a.destination_office.id = a.origin_office.id.clone(),
            "destination_office.id",
        );
        check(
            |a| a.destination_office.signing_key = a.origin_office.signing_key,
            "destination_office.signing_key",
        );
        check(|a| a.period.last = "2021-12-31".parse().unwrap(), "period.last");
        check(|a| a.period.last = "2090-12-31".parse().unwrap(), "period.last");
        check(|a| a.linkage.event_window_days = 0, "linkage.event_window_days");
        check(
            |a| a.linkage.lsh_recall = Some("0.98".parse().unwrap()),
            "linkage.lsh_recall",
        );
        for several in [Assignment::OneToMany, Assignment::ManyToOne] {
            let with_threshold = |policy| {
                let mut changed = agreement();
                changed.linkage.assignment = several;
                changed.linkage.threshold = policy;
                changed.validate().map_err(|error| error.field)
            };
            let given = ThresholdPolicy::Fixed("0.2".parse().unwrap());
            assert_eq!(with_threshold(given), Ok(()));
            assert_eq!(
                with_threshold(ThresholdPolicy::Estimated),
                Err("linkage.assignment")
            );
        }
        check(|a| a.disclosure.minimum_count = 0, "disclosure.minimum_count");
        check(|a| a.gate.minimum_stratum = Some(1), "gate.minimum_stratum");
        check(|a| a.retention_days = 0, "retention_days");
        fn reader(party: &str, role: Role) -> Reader {
            Reader {
                party: party.parse().unwrap(),
                role,
            }
        }
        check(|a| a.readers = vec![reader("UNI", Role::Operator)], "readers");
        check(|a| a.readers = vec![reader("UNI", Role::Office)], "readers");
        check(|a| a.readers = vec![reader("ISTAT", Role::Auditor)], "readers");
        check(
            |a| a.readers = vec![reader("UNI", Role::Auditor), reader("UNI", Role::Researcher)],
            "readers",
        );
        check(
            |a| a.outputs = vec![Output::LinkList, Output::FlowTable],
            "outputs",
        );
        check(|a| a.encoding.match_fields.clear(), "encoding.match_fields");
        check(
            |a| a.encoding.block_passes = vec!["b".to_owned(), "a".to_owned()],
            "encoding.block_passes",
        );
    }

    #[test]
    fn a_signature_of_another_agreement_is_refused() {
        use ed25519_dalek::Signer as _;
        let agreement = agreement();
        let signing = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        let sign = |digest: Digest| {
            let message = SigningPurpose::Agreement.to_message(digest.as_bytes());
            Some(Signature::from_bytes(signing.sign(&message).to_bytes()))
        };
        let mut signed = SignedAgreement {
            origin_signature: sign(agreement.digest()),
            destination_signature: None,
            agreement,
        };
        assert_eq!(signed.verify(), Ok(()));
        assert!(!signed.is_in_force());
        signed.agreement.retention_days += 1;
        assert_eq!(signed.verify(), Err(SignatureError));
    }
}
