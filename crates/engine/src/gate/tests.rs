//! Registers of invented tokens under a majority and a Bloom construction, honest and not.

use corridor_core::{
    AGREEMENT_VERSION, AgeBand, AgeBands, Assignment, BlockColumn, BlockKey, Corridor, Counterpart,
    DatasetManifest, DatePrecision, Destination, Direction, DisclosureMethod, DisclosureRule, EncodingTerms,
    EventDate, FilterShape, Filters, GateCheckName, GateOutcome, GateTerms, LinkageTerms, MigrationEvent,
    MoverFacts, Office, Origin, Output, Period, Profile, Pseudonym, ReleaseStatus, SeededEntropy, Sex,
    StatisticsTerms, ThresholdPolicy, fill,
};

use super::*;

fn agreement(profile: Profile) -> Agreement {
    let office = |name: &str, key: &str| Office {
        id: name.parse().unwrap(),
        signing_key: key.parse().unwrap(),
    };
    Agreement {
        version: AGREEMENT_VERSION,
        corridor: Corridor::try_new(Origin("SN".parse().unwrap()), Destination("ES".parse().unwrap()))
            .unwrap(),
        origin_office: office(
            "AAA",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        destination_office: office(
            "BBB",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
        period: Period {
            first: "2022-01-01".parse().unwrap(),
            last: "2023-12-31".parse().unwrap(),
        },
        encoding: EncodingTerms {
            profile,
            schema: Digest::of(b"schema"),
            filter_bits: profile.filter_len(2).unwrap(),
            match_fields: vec!["names".to_owned(), "birth_date".to_owned()],
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
        age_bands: AgeBands::try_from(vec![0, 30]).unwrap(),
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
        retention_days: 30,
        readers: Vec::new(),
    }
}

fn draw(entropy: &mut SeededEntropy, below: u32) -> u32 {
    let mut bytes = [0; 4];
    fill(entropy, &mut bytes);
    u32::from_le_bytes(bytes) % below
}

/// Bits of a token under a key.
fn token_bits(key: u64, token: u32, words: usize) -> Vec<u64> {
    let mut bytes = vec![0; words * 8];
    fill(
        &mut SeededEntropy::new(key, &format!("token {token}")),
        &mut bytes,
    );
    bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

/// Tokens of a person: some of names that many have, some of dates.
fn person(entropy: &mut SeededEntropy) -> Vec<u32> {
    let mut tokens: Vec<u32> = (0..12)
        .map(|_| {
            // The smaller of three draws: a few tokens that many have.
            let [a, b, c] = [0; 3].map(|_| draw(entropy, 400));
            a.min(b).min(c)
        })
        .collect();
    tokens.extend([
        1000 + draw(entropy, 70),
        2000 + draw(entropy, 365),
        3000 + draw(entropy, 2),
    ]);
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// The same with one token changed.
fn variant(tokens: &[u32], entropy: &mut SeededEntropy) -> Vec<u32> {
    let mut tokens = tokens.to_vec();
    let place = usize::try_from(draw(entropy, u32::try_from(tokens.len()).unwrap())).unwrap();
    tokens[place] = 5000 + draw(entropy, 100_000);
    tokens
}

struct Encoder {
    profile: Profile,
    key: u64,
    bits: std::collections::HashMap<u32, Vec<u64>>,
}

impl Encoder {
    fn new(profile: Profile, key: u64) -> Self {
        Self {
            profile,
            key,
            bits: std::collections::HashMap::new(),
        }
    }

    fn encode(&mut self, tokens: &[u32]) -> Vec<u64> {
        let words = self.profile.filter_len(2).unwrap().to_words();
        let layers = if self.profile.measure() == Measure::Rho {
            3
        } else {
            1
        };
        let key = self.key;
        let mut filter = vec![0_u64; words];
        for token in tokens.iter().chain([&u32::MAX]) {
            self.bits
                .entry(*token)
                .or_insert_with(|| token_bits(key, *token, words * layers));
        }
        if layers == 1 {
            for token in tokens {
                for bit in &self.bits[token][..10] {
                    let bit = usize::try_from(bit % u64::try_from(words * 64).unwrap()).unwrap();
                    filter[bit / 64] |= 1 << (bit % 64);
                }
            }
            return filter;
        }
        for layer in 0..layers {
            for (word, set) in filter.iter_mut().enumerate() {
                for bit in 0..64 {
                    let is_set = |token: &u32| self.bits[token][layer * words + word] >> bit & 1;
                    let twice = 2 * tokens.iter().map(is_set).sum::<u64>() + is_set(&u32::MAX);
                    let is_more = twice > u64::try_from(tokens.len()).unwrap();
                    *set ^= u64::from(is_more) << bit;
                }
            }
        }
        filter
    }
}

/// A dataset of those filters, each of a person of its own, in one large stratum.
fn dataset(profile: Profile, rows: &[Vec<u64>]) -> EncodedDataset {
    let mut filters = Filters::with_capacity(profile.filter_len(2).unwrap(), rows.len());
    rows.iter().for_each(|row| filters.push(row));
    let persons: Vec<Pseudonym> = (0..u128::try_from(rows.len()).unwrap())
        .map(|number| Pseudonym::from_bytes(number.to_le_bytes()))
        .collect();
    let event = MigrationEvent {
        direction: Direction::Emigration,
        counterpart: Counterpart::Partner,
        date: EventDate {
            date: "2022-06-15".parse().unwrap(),
            precision: DatePrecision::Day,
        },
        sex: Sex::Female,
        age_band: Some(AgeBand(1)),
        facts: MoverFacts::default(),
    };
    EncodedDataset {
        manifest: DatasetManifest {
            agreement: Digest::of(b"agreement"),
            schema: Digest::of(b"schema"),
            office: "AAA".parse().unwrap(),
            measure: profile.measure(),
            record_count: count(rows.len()),
            key_check: Digest::of(b"key"),
        },
        records: persons.clone(),
        persons,
        filters,
        blocks: Vec::new(),
        events: Some(vec![event; rows.len()]),
    }
}

fn people(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut entropy = SeededEntropy::new(seed, "people");
    (0..count).map(|_| person(&mut entropy)).collect()
}

fn honest(profile: Profile, count: usize, seed: u64, key: u64) -> EncodedDataset {
    let mut encoder = Encoder::new(profile, key);
    let rows: Vec<_> = people(count, seed)
        .iter()
        .map(|tokens| encoder.encode(tokens))
        .collect();
    dataset(profile, &rows)
}

fn result(agreement: &Agreement, dataset: &EncodedDataset, other: Option<&ColumnProfile>) -> GateResult {
    let mut gate = Gate::new(agreement, count(dataset.records.len()), Digest::of(b"content"));
    gate.observe(dataset);
    gate.finish(other)
}

/// Names of the checks that failed.
fn failed(
    agreement: &Agreement,
    dataset: &EncodedDataset,
    other: Option<&ColumnProfile>,
) -> Vec<GateCheckName> {
    let report = result(agreement, dataset, other).report;
    report.failed().map(|check| check.name).collect()
}

const SAUL: Profile = Profile::Saul3x1024;
const RECORDS: usize = 1500;

#[test]
fn honest_registers_of_two_constructions_pass_and_are_alike() {
    for profile in [SAUL, Profile::Clk1024] {
        let agreement = agreement(profile);
        let left = result(&agreement, &honest(profile, RECORDS, 1, 7), None);
        assert_eq!(left.report.failed_names(), "", "{profile}");
        let right = result(
            &agreement,
            &honest(profile, RECORDS / 2, 2, 7),
            Some(&left.columns),
        );
        assert_eq!(right.report.failed_names(), "", "{profile}");
        let drift = right.report.check(GateCheckName::Drift).unwrap();
        // Columns of so few records may be lost in noise: then nothing is said of them.
        assert_ne!(drift.outcome, GateOutcome::Failed, "{profile}");
        let other_key = result(&agreement, &honest(profile, RECORDS, 2, 8), Some(&left.columns));
        assert_eq!(other_key.report.failed_names(), "drift", "{profile}");
    }
}

#[test]
fn the_report_depends_neither_on_the_pieces_nor_on_the_threads() {
    let agreement = agreement(SAUL);
    let whole = honest(SAUL, 600, 1, 7);
    let once = result(&agreement, &whole, None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let in_pieces = pool.install(|| {
        let mut gate = Gate::new(&agreement, 600, Digest::of(b"content"));
        for rows in [0..1, 1..250, 250..250, 250..600] {
            let mut piece = dataset(SAUL, &[]);
            rows.clone()
                .for_each(|row| piece.filters.push(whole.filters.row(row)));
            piece.persons = whole.persons[rows.clone()].to_vec();
            piece.records = piece.persons.clone();
            piece.events = whole.events.as_ref().map(|events| events[rows].to_vec());
            gate.observe(&piece);
        }
        gate.finish(None)
    });
    assert_eq!(once, in_pieces);
}

#[test]
fn a_dictionary_is_refused_in_whatever_order() {
    for (profile, variants) in [(SAUL, 5), (SAUL, 50), (Profile::Clk1024, 5)] {
        let agreement = agreement(profile);
        let mut encoder = Encoder::new(profile, 7);
        let mut entropy = SeededEntropy::new(3, "variants");
        let mut rows: Vec<Vec<u64>> = people(RECORDS / variants, 1)
            .iter()
            .flat_map(|tokens| {
                (0..variants)
                    .map(|_| variant(tokens, &mut entropy))
                    .collect::<Vec<_>>()
            })
            .map(|tokens| encoder.encode(&tokens))
            .collect();
        let grouped = failed(&agreement, &dataset(profile, &rows), None);
        assert!(
            grouped.contains(&GateCheckName::NearDuplicates),
            "{profile}: {grouped:?}"
        );
        // By their hash: in an order that has nothing to do with who they are.
        rows.sort_by_key(|row| repeats::hash_of(row, 0));
        let scattered = failed(&agreement, &dataset(profile, &rows), None);
        assert!(
            scattered.contains(&GateCheckName::NearDuplicates),
            "{profile}: {scattered:?}"
        );
        // Under one id each, they are many filters of one person.
        if variants >= repeats::MANY_FILTERS {
            let mut one_id = dataset(profile, &rows);
            for (row, person) in one_id.persons.iter_mut().enumerate() {
                let number = u128::try_from(row / variants).unwrap();
                *person = Pseudonym::from_bytes(number.to_le_bytes());
            }
            let found = failed(&agreement, &one_id, None);
            assert!(found.contains(&GateCheckName::FiltersPerPerson), "{found:?}");
        }
    }
}

#[test]
fn filters_that_are_no_encodings_of_the_profile_are_refused() {
    let agreement = agreement(SAUL);
    let names = |rows: &[Vec<u64>]| failed(&agreement, &dataset(SAUL, rows), None);
    let words = SAUL.filter_len(2).unwrap().to_words();
    let random: Vec<_> = (0..1500).map(|row| token_bits(1, row, words)).collect();
    assert_eq!(names(&random), [GateCheckName::ColumnVariation]);
    let constant: Vec<_> = (0..1500)
        .map(|row| vec![if row % 2 == 0 { 0 } else { u64::MAX }; words])
        .collect();
    let found = names(&constant);
    assert!(found.contains(&GateCheckName::EmptyFilters), "{found:?}");
    assert!(found.contains(&GateCheckName::DuplicateFilters), "{found:?}");
    let mut clk = Encoder::new(Profile::Clk1024, 7);
    let found = names(
        &people(1500, 1)
            .iter()
            .map(|tokens| clk.encode(tokens))
            .collect::<Vec<_>>(),
    );
    assert!(found.contains(&GateCheckName::ColumnGini), "{found:?}");
    let long = failed(&agreement, &honest(Profile::Saul3x2048, 10, 1, 7), None);
    assert_eq!(long, [GateCheckName::FilterLength]);
}

#[test]
fn repeated_records_are_refused_unless_they_are_of_one_person() {
    let agreement = agreement(SAUL);
    let mut encoder = Encoder::new(SAUL, 7);
    let rows: Vec<_> = people(800, 1)
        .iter()
        .map(|tokens| encoder.encode(tokens))
        .collect();
    let mut twice = dataset(SAUL, &[rows.clone(), rows[..400].to_vec()].concat());
    let found = failed(&agreement, &twice, None);
    assert!(found.contains(&GateCheckName::DuplicateFilters), "{found:?}");
    for row in 800..1200 {
        twice.persons[row] = twice.persons[row - 800];
    }
    assert_eq!(failed(&agreement, &twice, None), []);
}

#[test]
fn a_stratum_of_one_person_is_refused_where_k_is_agreed() {
    let mut agreement = agreement(SAUL);
    let mut register = honest(SAUL, 400, 1, 7);
    register.events.as_mut().unwrap()[17].sex = Sex::Male;
    assert_eq!(failed(&agreement, &register, None), []);
    agreement.gate.minimum_stratum = Some(10);
    let report = result(&agreement, &register, None).report;
    assert_eq!(report.failed_names(), "small_strata");
    let check = report.check(GateCheckName::SmallStrata).unwrap();
    assert!(
        check.meaning.contains("the smallest stratum has 1 record"),
        "{}",
        check.meaning
    );
    // 1 of 400 is 2.5 thousandths.
    agreement.gate.small_strata_per_thousand = Some(3);
    assert_eq!(failed(&agreement, &register, None), []);
}

#[test]
fn a_block_below_the_least_is_refused() {
    let agreement = agreement(SAUL);
    let mut register = honest(SAUL, 400, 1, 7);
    let key = |block: u8| Some(BlockKey::new([block; 16], 128));
    let mut keys = vec![key(1); 400];
    keys[..10].fill(key(2));
    register.blocks = vec![BlockColumn {
        pass: "month_day".to_owned(),
        keys,
    }];
    assert_eq!(failed(&agreement, &register, None), []);
    register.blocks[0].keys[0] = None;
    let report = result(&agreement, &register, None).report;
    assert_eq!(report.failed_names(), "small_blocks");
    let check = report.check(GateCheckName::SmallBlocks).unwrap();
    assert!(
        check.meaning.contains("month_day has 9 records"),
        "{}",
        check.meaning
    );
}

#[test]
fn what_was_agreed_otherwise_holds_instead() {
    let mut agreement = agreement(SAUL);
    agreement.gate.shape = FilterShape::Any;
    let words = SAUL.filter_len(2).unwrap().to_words();
    let random: Vec<_> = (0..300).map(|row| token_bits(1, row, words)).collect();
    let twice = dataset(SAUL, &[random.clone(), random].concat());
    assert_eq!(
        failed(&agreement, &twice, None),
        [GateCheckName::DuplicateFilters, GateCheckName::NearDuplicates]
    );
    agreement.gate.duplicates_per_thousand = Some(500);
    agreement.gate.near_duplicates_per_thousand = Some(1000);
    assert_eq!(failed(&agreement, &twice, None), []);
}

#[test]
fn a_file_of_few_is_told_and_not_judged_and_one_of_none_is_not_looked_at() {
    let agreement = agreement(SAUL);
    let report = result(&agreement, &honest(SAUL, 20, 1, 7), None).report;
    assert!(report.is_passed());
    let fill = report.check(GateCheckName::Fill).unwrap();
    assert_eq!(fill.outcome, GateOutcome::Noted);
    let mut gate = Gate::new(&agreement, 5, Digest::of(b"content"));
    gate.observe(&dataset(SAUL, &[]));
    let report = gate.finish(None).report;
    assert_eq!(report.failed_names(), "record_count");
}
