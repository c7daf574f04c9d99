use corridor_core::{
    Assignment, Entropy, FilterLen, Filters, Measure, Pseudonym, SeededEntropy, ThresholdPolicy, fill,
};

use crate::{
    CandidateMemory, Candidates, ComparePlan, Comparison, FieldParts, FieldTerms, LinkError, LinkSet,
    LinkSide, decide_by_fields, plan_tiles,
};

/// Share of matches that agree in each field, and how many values it has: a full name, a birth date, a place, a sex.
const FIELDS: [(&str, f64, u64); 4] = [
    ("names", 0.8, 600),
    ("birth_date", 0.9, 3000),
    ("place", 0.85, 40),
    ("sex", 0.98, 2),
];
pub(crate) const SHARED: usize = 900;
const ALONE: usize = 500;
/// Share of records in which the place is missing.
const MISSING_PLACE: f64 = 0.1;

fn chance(entropy: &mut dyn Entropy, share: f64) -> bool {
    (entropy.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 <= share
}

/// The smaller of two draws, so that low values are common and high ones rare.
fn draw(entropy: &mut dyn Entropy, values: u64) -> u64 {
    (entropy.next_u64() % values).min(entropy.next_u64() % values)
}

/// Sixteen ones of 64 bits, about.
fn part(field: usize, value: u64) -> u64 {
    let entropy: &mut dyn Entropy = &mut SeededEntropy::new(value, FIELDS[field].0);
    entropy.next_u64() & entropy.next_u64()
}

/// Two registers; the first `shared` persons are in both, in the same order.
pub(crate) fn registers(shared: usize, seed: u64) -> [(Filters, Vec<Pseudonym>); 2] {
    let people: &mut dyn Entropy = &mut SeededEntropy::new(seed, "people");
    let notes: &mut dyn Entropy = &mut SeededEntropy::new(seed, "notes");
    let filter_len = FilterLen::try_from(256).unwrap();
    let mut sides = [0, 1].map(|_| (Filters::with_capacity(filter_len, 0), Vec::new()));
    for index in 0..shared + 2 * ALONE {
        let values = FIELDS.map(|(_, _, values)| draw(people, values));
        let of_left = index < shared + ALONE;
        let of_right = index < shared || index >= shared + ALONE;
        // The left notes everything right, so that a field agrees as often as the right does.
        for ((filters, persons), (present, is_right)) in
            sides.iter_mut().zip([(of_left, false), (of_right, true)])
        {
            if !present {
                continue;
            }
            let words: Vec<u64> = (0..FIELDS.len())
                .map(|field| {
                    let (name, agree, count) = FIELDS[field];
                    if name == "place" && chance(notes, MISSING_PLACE) {
                        return 0;
                    }
                    let is_wrong = is_right && !chance(notes, agree);
                    part(
                        field,
                        if is_wrong {
                            (values[field] + 1) % count
                        } else {
                            values[field]
                        },
                    )
                })
                .collect();
            filters.push(&words);
            let mut id = [0; 16];
            fill(&mut *notes, &mut id);
            persons.push(Pseudonym::from_bytes(id));
        }
    }
    sides
}

pub(crate) fn terms(threshold: ThresholdPolicy, weighed: Vec<usize>) -> FieldTerms {
    FieldTerms {
        parts: FieldParts::new(FIELDS.map(|(name, _, _)| name.to_owned()).to_vec(), 64),
        measure: Measure::Dice,
        threshold,
        weighed,
        seed: 1,
    }
}

fn linked(registers: &[(Filters, Vec<Pseudonym>); 2], terms: &FieldTerms) -> Result<LinkSet, LinkError> {
    linked_within(
        registers,
        (terms, Assignment::Greedy),
        &CandidateMemory::unbounded(),
    )
}

pub(crate) fn linked_within(
    registers: &[(Filters, Vec<Pseudonym>); 2],
    (terms, assignment): (&FieldTerms, Assignment),
    memory: &CandidateMemory,
) -> Result<LinkSet, LinkError> {
    let left = LinkSide::from_parts(&registers[0].0, &registers[0].1)?;
    let right = LinkSide::from_parts(&registers[1].0, &registers[1].1)?;
    let plan = ComparePlan::for_fields(&left, &right, Measure::Dice, None, 1)?;
    let comparison = Comparison::new(&left, &right, Measure::Dice, plan.floor());
    let mut candidates = Candidates::for_fields(&left, &right, memory, 0);
    for tile in plan_tiles(left.len(), right.len()) {
        candidates.add(comparison.compare(&tile))?;
    }
    decide_by_fields(&plan, terms, assignment, candidates)
}

fn precision_and_recall(links: &LinkSet) -> (f64, f64) {
    let is_true =
        |link: &&crate::Link| link.left == link.right && usize::try_from(link.left).unwrap() < SHARED;
    let right = links.links.iter().filter(is_true).count() as f64;
    (right / links.links.len() as f64, right / SHARED as f64)
}

#[test]
fn what_fields_agree_on_is_learnt_without_truth() {
    for seed in 1..=3 {
        let links = linked(
            &registers(SHARED, seed),
            &terms(ThresholdPolicy::Estimated, Vec::new()),
        )
        .unwrap();
        let report = links.fields.as_ref().unwrap().report.clone();
        assert!(report.starts_agree, "{report:?}");
        for ((name, agree, values), field) in FIELDS.iter().zip(&report.fields) {
            let (m, u) = (field.levels[0].m, field.levels[0].u);
            assert_eq!(field.name, *name);
            // Matches that agree in little else than sex are not among the candidates.
            assert!((m - agree).abs() < 0.06, "seed {seed}, {name}: m {m}");
            // Two draws of which each is the smaller of two: Σ f², f(v) = 2(n - v - ½)/n².
            let same = 4.0 / (3.0 * *values as f64);
            if *values > 2 {
                assert!(
                    (u / same - 1.0).abs() < 0.35,
                    "seed {seed}, {name}: u {u} of {same}"
                );
            }
            assert!((field.levels[0].bits - (m / u).log2()).abs() < 0.01);
        }
        assert!((report.fields[2].missing - MISSING_PLACE).abs() < 0.03);
        let (precision, recall) = precision_and_recall(&links);
        assert!(
            precision > 0.9 && recall > 0.85,
            "seed {seed}: {precision} {recall}"
        );
        let by_model = report.expected_precision.unwrap();
        assert!(
            (by_model - precision).abs() < 0.05,
            "seed {seed}: {by_model} for {precision}"
        );
        let by_estimators = links.decision.estimate.as_ref().unwrap().expected_precision;
        assert!(
            (by_estimators - precision).abs() < 0.05,
            "seed {seed}: {by_estimators} for {precision}"
        );
        let matches = report.match_share * ((SHARED + ALONE) as f64).powi(2);
        // Those not among the candidates are not expected either.
        assert!(
            (0.88..1.03).contains(&(matches / SHARED as f64)),
            "seed {seed}: {matches} matches"
        );
    }
}

#[test]
fn evidence_adds_up_and_a_missing_field_gives_none() {
    let registers = registers(SHARED, 4);
    let links = linked(&registers, &terms(ThresholdPolicy::Estimated, Vec::new())).unwrap();
    let fields = links.fields.as_ref().unwrap();
    assert_eq!(fields.evidence.len(), links.links.len());
    let totals: Vec<f64> = fields.evidence.iter().map(|bits| bits.iter().sum()).collect();
    assert!(
        totals.is_sorted_by(|a, b| *a >= b - 1e-3),
        "links come strongest first"
    );
    assert!(
        totals
            .iter()
            .all(|total| *total >= fields.report.weight_at_threshold - 0.05)
    );
    for (link, bits) in links.links.iter().zip(&fields.evidence) {
        let is_missing = [(&registers[0], link.left), (&registers[1], link.right)]
            .iter()
            .any(|(side, record)| side.0.row(usize::try_from(*record).unwrap())[2] == 0);
        assert_eq!(bits[2] == 0.0, is_missing);
    }
}

#[test]
fn a_rare_value_says_more_than_a_common_one() {
    let registers = registers(SHARED, 5);
    let links = linked(&registers, &terms(ThresholdPolicy::Estimated, vec![2])).unwrap();
    let fields = links.fields.as_ref().unwrap();
    let bits_of = |value: u64| {
        let shares = |link: &crate::Link| {
            let row = |side: usize, record: u32| registers[side].0.row(usize::try_from(record).unwrap())[2];
            row(0, link.left) == part(2, value) && row(1, link.right) == part(2, value)
        };
        let position = links.links.iter().position(shares).unwrap();
        fields.evidence[position][2]
    };
    assert!(fields.report.fields[2].weighed_by_frequency && !fields.report.fields[0].weighed_by_frequency);
    // Of 40 values the first has 79 of 1,600 draws, the thirtieth 21 (and its neighbour's slips).
    assert!(bits_of(29) > bits_of(0) + 1.0, "{} {}", bits_of(29), bits_of(0));
}

#[test]
fn a_given_threshold_is_one_of_probability() {
    let registers = registers(SHARED, 6);
    let at = |threshold: &str| {
        let fixed = ThresholdPolicy::Fixed(threshold.parse().unwrap());
        linked(&registers, &terms(fixed, Vec::new())).unwrap()
    };
    let (loose, strict) = (at("0.5"), at("0.99"));
    let counts = (loose.links.len(), strict.links.len());
    assert!(counts.0 > counts.1 && counts.1 > SHARED / 2, "{counts:?}");
    assert!(precision_and_recall(&strict).0 > 0.98);
    assert!(strict.links.iter().all(|link| link.probability.is_some()));
    assert_eq!(strict.decision.threshold.to_string(), "0.99");
    let certain = at("1");
    assert_eq!(certain.links.len(), 0, "no evidence is certainty");
    // Numbers that are none have no form in a report.
    let report = certain.fields.unwrap().report;
    assert!(report.weight_at_threshold.is_finite(), "{report:?}");
}

#[test]
fn fields_of_registers_with_nobody_in_common_are_indeterminate() {
    for seed in 1..=3 {
        let outcome = linked(
            &registers(0, seed),
            &terms(ThresholdPolicy::Estimated, Vec::new()),
        );
        let refused = matches!(
            outcome,
            Err(LinkError::FieldsIndeterminate | LinkError::ThresholdIndeterminate)
        );
        assert!(refused, "{:?}", outcome.map(|links| links.decision));
    }
}

#[test]
fn the_same_whatever_the_threads() {
    let registers = registers(SHARED, 7);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let terms = terms(ThresholdPolicy::Estimated, vec![0, 2]);
        let links = pool.install(|| linked(&registers, &terms)).unwrap();
        let fields = links.fields.unwrap();
        (links.links, links.decision, fields.report, fields.evidence)
    };
    let one = on(1);
    assert!(on(2) == one && on(8) == one);
}
