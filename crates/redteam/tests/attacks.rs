//! Attacks that must succeed and encodings that must stand, on invented people.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use corridor_core::{FilterLen, Filters, SeededEntropy};
use corridor_redteam::{
    Attack, FilterMetrics, GateReport, GraphMatching, PlainList, Rehearsal, RehearsalError, Scheme, Scope,
    Score, Segment, TokenKernel, Verdict, attack_by_frequency, attack_by_known_pairs,
};

use people::Corridor;

mod people;

const COUNT: usize = 600;
const COMMON: usize = 450;

fn len(bits: u32) -> FilterLen {
    FilterLen::try_from(bits).unwrap()
}

fn saul() -> Scheme {
    Scheme::Majority {
        layers: 3,
        filter_len: len(2048),
    }
}

fn clk() -> Scheme {
    Scheme::Bloom {
        filter_len: len(1024),
    }
}

fn encode(scheme: &Scheme, list: &PlainList, key: &str) -> Filters {
    scheme.encode(list, &mut SeededEntropy::new(7, key))
}

fn rehearse(scheme: &Scheme, corridor: &Corridor, scope: &Scope) -> Result<GateReport, RehearsalError> {
    Rehearsal {
        scheme,
        target: &encode(scheme, &corridor.left, "office"),
        target_list: &corridor.left,
        list: &corridor.right,
        truth: &corridor.truth,
    }
    .run(scope)
}

fn verdict_of(report: &GateReport, attack: Attack) -> Verdict {
    report
        .rows
        .iter()
        .find(|row| row.attack == attack)
        .unwrap()
        .verdict
}

/// Attacks whose gates hold for some hundred records, too. With few entries in the dictionary, known pairs find more.
const SMALL: [Attack; 6] = [
    Attack::Overlap { percent: 100 },
    Attack::OwnList,
    Attack::Seeded {
        percent: 1,
        adaptive: false,
    },
    Attack::Seeded {
        percent: 5,
        adaptive: false,
    },
    Attack::Seeded {
        percent: 5,
        adaptive: true,
    },
    Attack::TwoKeys,
];

fn quick() -> Scope {
    Scope {
        graph_matching: GraphMatching {
            rounds: 15,
            landmarks: 300,
        },
        ..Scope::default()
    }
}

#[test]
fn the_default_scheme_stands_where_classic_filters_fall() {
    let report = rehearse(&saul(), &people::corridor(COUNT, COMMON, 1, false, 1), &quick()).unwrap();
    for attack in SMALL {
        assert_eq!(
            verdict_of(&report, attack),
            Verdict::Withstood,
            "{:#?}",
            report.rows
        );
    }
    let known = |count| {
        report.rows.iter().find(|row| {
            row.attack
                == Attack::KnownPairs {
                    count,
                    matched: false,
                }
        })
    };
    assert!(
        known(50).is_some_and(|row| row.control_top1 > 0.8 && row.top1 < 0.2),
        "{:#?}",
        report.rows
    );
    assert_eq!(known(800), None);
    // A fifth of some hundred people is too little even for the control to fall.
    let fifth = verdict_of(&report, Attack::Overlap { percent: 20 });
    assert_eq!(fifth, Verdict::Inconclusive);
    assert_eq!(report.common_count, COMMON);
}

#[test]
fn classic_filters_are_reported_broken() {
    let report = rehearse(&clk(), &people::corridor(COUNT, COMMON, 1, false, 10), &quick()).unwrap();
    for attack in SMALL {
        assert_eq!(verdict_of(&report, attack), Verdict::Broken, "{:#?}", report.rows);
    }
    assert_eq!(report.verdict(), Verdict::Broken);
    assert!(report.to_words()[0].contains("BROKEN"));
}

#[test]
fn the_kernel_of_majorities_learns_more_from_known_pairs_than_lines_do() {
    let corridor = people::corridor(COUNT, COUNT, 3, false, 1);
    let target = encode(&saul(), &corridor.left, "office");
    let known: Vec<_> = (0..150)
        .map(|record| (record, corridor.truth[record].unwrap()))
        .collect();
    let named = |kernels: &[TokenKernel]| {
        let guesses = attack_by_known_pairs(&target, &corridor.right, &known, kernels);
        Score::of(&guesses, &corridor.truth, &known).top1
    };
    let (linear, matched) = (named(&TokenKernel::ALL[..1]), named(&TokenKernel::ALL));
    assert!(matched > 1.3 * linear && matched > 0.1, "{linear} {matched}");
}

#[test]
fn a_report_is_the_same_bytes_on_one_thread_and_on_two() {
    let corridor = people::corridor(500, 400, 2, false, 1);
    let scope = Scope {
        max_records: 300,
        max_dictionary_records: 350,
        seeds: vec![1, 2],
        graph_matching: GraphMatching {
            rounds: 6,
            landmarks: 100,
        },
    };
    let bytes = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| serde_json::to_string(&rehearse(&saul(), &corridor, &scope).unwrap()).unwrap())
    };
    let one = bytes(1);
    assert_eq!(one, bytes(2));
    assert!(
        one.contains(r#""attack":"own_list""#)
            && one.contains(r#""target_count":300"#)
            && one.contains(r#""target_count":350"#)
    );
}

#[test]
fn seeds_stay_what_they_are() {
    let corridor = people::corridor(400, 400, 4, false, 10);
    let (target, list) = (
        encode(&clk(), &corridor.left, "office"),
        encode(&clk(), &corridor.right, "attacker"),
    );
    // Wrong on purpose: what is known is not argued with.
    let seeds = [(0, 0), (1, 1), (2, 2)];
    let measure = clk().measure();
    let plain = GraphMatching::default().attack(&target, &list, measure, &seeds);
    let (adaptive, _) = GraphMatching::default().attack_adaptively(&target, &list, measure, &seeds);
    let known = attack_by_known_pairs(&target, &corridor.right, &seeds, &TokenKernel::ALL);
    for guesses in [&plain, &adaptive, &known] {
        for (target, list) in seeds {
            assert_eq!(guesses[target].list_record, list);
            assert!(guesses[target].confidence.is_infinite());
        }
    }
    for guesses in [&plain, &adaptive] {
        assert!(Score::of(guesses, &corridor.truth, &seeds).top1 > 0.9);
    }
}

#[test]
fn frequencies_give_away_a_skewed_field() {
    let (target_list, list) = (skewed(1), skewed(2));
    let segments = vec![
        Segment {
            field: "names".to_owned(),
            start_bit: 0,
            len_bits: 500,
        },
        Segment {
            field: "sex".to_owned(),
            start_bit: 500,
            len_bits: 12,
        },
    ];
    let scheme = Scheme::Fields {
        filter_len: len(512),
        segments,
    };
    let Scheme::Fields { segments, .. } = &scheme else {
        unreachable!()
    };
    let target = encode(&scheme, &target_list, "office");
    let [names, sex] =
        [0, 1].map(|field| attack_by_frequency(&target, &segments[field], &list).score(&target_list));
    assert_eq!(names.record_count, 2000);
    assert!(names.recovered > 0.9 && names.guessed_blindly < 0.6, "{names:?}");
    assert!(sex.recovered > 0.99, "{sex:?}");
}

/// Two thousand records with a dozen names, each about half as frequent as the one before.
fn skewed(seed: u64) -> PlainList {
    use rand_core::Rng;
    let mut entropy = SeededEntropy::new(seed, "skewed");
    let mut list = PlainList::new();
    for _ in 0..2000 {
        let kind = entropy.next_u32().leading_zeros().min(11);
        let sex = if entropy.next_u32().is_multiple_of(3) {
            "sex\u{1f}f"
        } else {
            "sex\u{1f}m"
        };
        let name = (0..3 + kind % 3).map(|token| (format!("names\u{1f}{kind}-{token}"), 10));
        list.push("", name.chain([(sex.to_owned(), 4)]));
    }
    list
}

#[test]
fn exposure_tells_classic_filters_from_dense_ones() {
    let corridor = people::corridor(COUNT, COMMON, 5, false, 1);
    let of = |scheme: &Scheme, list: &PlainList| {
        FilterMetrics::of(
            &encode(scheme, list, "office"),
            200,
            &mut SeededEntropy::new(1, "sample"),
        )
    };
    let dense = of(&saul(), &corridor.left);
    assert!(
        (0.48..0.52).contains(&dense.fill) && dense.column_gini < 0.05,
        "{dense:?}"
    );
    assert_eq!(dense.exposure.sampled_count, 200);
    assert!(dense.exposure.centred_exp3 < 0.5, "{dense:?}");
    let classic = of(&clk(), &people::corridor(COUNT, COMMON, 5, false, 10).left);
    assert!(
        classic.exposure.exp3 > 0.99 && classic.exposure.centred_exp1 > 0.6,
        "{classic:?}"
    );
    assert!(classic.column_gini > 0.2, "{classic:?}");
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let corridor = people::corridor(300, 250, 6, false, 1);
    let scheme = saul();
    let target = encode(&scheme, &corridor.left, "office");
    let whole = Rehearsal {
        scheme: &scheme,
        target: &target,
        target_list: &corridor.left,
        list: &corridor.right,
        truth: &corridor.truth,
    };
    let refused = |rehearsal: Rehearsal<'_>, scope: Scope| rehearsal.run(&scope).unwrap_err();
    assert_eq!(
        refused(
            Rehearsal {
                scheme: &clk(),
                ..whole
            },
            Scope::default()
        ),
        RehearsalError::FilterLength {
            expected: 1024,
            got: 2048
        }
    );
    assert_eq!(
        refused(
            Rehearsal {
                truth: &corridor.truth[1..],
                ..whole
            },
            Scope::default()
        ),
        RehearsalError::RecordCounts {
            filters: 300,
            plain: 300,
            truth: 299
        }
    );
    assert_eq!(
        refused(
            whole,
            Scope {
                max_records: 150,
                ..Scope::default()
            }
        ),
        RehearsalError::TooFewCommon {
            got: 125,
            needed: 200
        }
    );
    assert_eq!(
        refused(
            whole,
            Scope {
                seeds: Vec::new(),
                ..Scope::default()
            }
        ),
        RehearsalError::NoSeeds
    );
    let mut twice = corridor.truth.clone();
    twice[0] = twice[1];
    assert_eq!(
        refused(
            Rehearsal {
                truth: &twice,
                ..whole
            },
            Scope::default()
        ),
        RehearsalError::Truth {
            record: twice[1].unwrap(),
            count: 300
        }
    );
}

#[test]
fn nobody_is_shown() {
    let corridor = people::corridor(5, 3, 7, false, 1);
    assert_eq!(format!("{:?}", corridor.left), "PlainList(5 records)");
}
