use std::collections::{BTreeMap, BTreeSet};

use corridor_core::ReleaseStatus;

use super::*;
use crate::carried::{KnownQuality, LinkQuality};
use crate::disclosure::protect;
use crate::interval::Interval;
use crate::perturb::PerturbationSecret;
use crate::reconcile::MovePair;
use crate::reconcile::tests::{event_in, table, terms};

/// Forty moves the origin has and thirty the destination has, twenty of them the same; two more of men.
fn published() -> PublishedTable {
    let mut origin = vec![event_in(2022); 40];
    let mut immigration = event_in(2022);
    immigration.direction = corridor_core::Direction::Immigration;
    let destination = vec![immigration; 30];
    for event in &mut origin[38..] {
        event.sex = corridor_core::Sex::Male;
    }
    let pairs: Vec<MovePair> = (0..20)
        .map(|index| MovePair {
            emigration: index,
            immigration: index,
        })
        .collect();
    let made = table(&terms(), &origin, &destination, &pairs);
    let mut table = protect(made, &PerturbationSecret::new([1; 32]), &[])
        .unwrap()
        .into_published();
    table.carry_linkage_error(&|_| {
        let interval = Interval {
            low: 0.98,
            high: 0.99,
        };
        let quality = LinkQuality {
            precision: interval,
            recall: interval,
        };
        Some(KnownQuality {
            quality_of: "all".to_owned(),
            precision: 0.985,
            recall: 0.985,
            quality,
        })
    });
    table
}

fn read(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

fn codes(list: &str) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_reader(list.as_bytes());
    let records = reader.records().map(Result::unwrap);
    records.map(|record| record[0].to_owned()).collect()
}

/// What every line of a CSV says of where it comes from.
fn names_its_source(csv: &str) {
    for line in read(csv) {
        assert!(line["method"].contains("Chapman"));
        assert!(line["definitions"].contains("own rule"));
        assert_eq!(
            (&*line["agreement"], &*line["run"], &*line["result"]),
            ("rehearsal", "rehearsal", "rehearsal")
        );
    }
}

#[test]
fn rows_read_back_from_csv_are_those_written() {
    let table = published();
    let from = Provenance::default();
    let export = Export::try_new(&table, &from, CountryCoding::Iso).unwrap();
    let lines = read(&export.rows_to_csv());
    assert_eq!(lines.len(), table.rows.len());
    for (line, row) in lines.iter().zip(&table.rows) {
        for measure in Measure::ALL {
            let written = match row.counts.get(measure) {
                Some(count) => count.to_string(),
                None => SUPPRESSED.to_owned(),
            };
            assert_eq!(line[measure.as_str()], written);
        }
        for (name, value) in FlowRow::FIGURES.iter().zip(row.figure_values()) {
            assert_eq!(line[*name].parse::<f64>().ok(), value, "{name}");
        }
        let corrected = row
            .corrected
            .as_ref()
            .map(CarriedError::figure_values)
            .unwrap_or_default();
        for (name, value) in CarriedError::FIGURES.iter().zip(corrected) {
            assert_eq!(line[*name].parse::<f64>().ok(), value, "{name}");
        }
        assert_eq!(line["sex"], row.group.get(Variable::Sex).unwrap_or(ALL));
    }
    assert!(
        lines.iter().any(|line| line["emigrations"] == SUPPRESSED),
        "two men"
    );
    for csv in [
        export.rows_to_csv(),
        export.years_to_csv(),
        export.lags_to_csv(),
        export.stays_to_csv(),
        export.durations_to_csv(),
        export.strata_to_csv(),
    ] {
        names_its_source(&csv);
    }
    let stored = PublishedTable::from_parquet(export.to_parquet()).unwrap();
    assert_eq!(stored, table);
}

const AREAS: &str = include_str!("../../tests/data/sdmx/CL_AREA.csv");

#[test]
fn sdmx_codes_are_in_the_cross_domain_lists() {
    let lists = [
        ("FREQ", include_str!("../../tests/data/sdmx/CL_FREQ.csv")),
        ("SEX", include_str!("../../tests/data/sdmx/CL_SEX.csv")),
        (
            "OBS_STATUS",
            include_str!("../../tests/data/sdmx/CL_OBS_STATUS.csv"),
        ),
        (
            "CONF_STATUS",
            include_str!("../../tests/data/sdmx/CL_CONF_STATUS.csv"),
        ),
        ("REF_AREA", AREAS),
        ("ORIGIN_AREA", AREAS),
        ("DESTINATION_AREA", AREAS),
        ("CITIZEN", AREAS),
        ("BIRTH_AREA", AREAS),
    ];
    let mut table = published();
    for status in [ReleaseStatus::Final, ReleaseStatus::Provisional] {
        table.terms.status = status;
        for coding in [CountryCoding::Iso, CountryCoding::M49] {
            let from = Provenance::default();
            let csv = Export::try_new(&table, &from, coding).unwrap().to_sdmx_csv();
            assert!(csv.starts_with("STRUCTURE,STRUCTURE_ID,ACTION,FREQ,REF_AREA,"));
            for line in read(&csv) {
                for (column, list) in lists {
                    assert!(codes(list).contains(&line[column]), "{column} {}", line[column]);
                }
                // A value is there exactly where nothing is suppressed.
                assert_eq!(line["OBS_VALUE"].is_empty(), line["CONF_STATUS"] == "C");
                assert_eq!(line["OBS_VALUE"].is_empty(), line["OBS_STATUS"] == "Q");
                let years = line["TIME_PERIOD"].clone();
                assert!(["2022", "2023", "2024", "2022-01-01/P3Y"].contains(&years.as_str()));
            }
        }
    }
}

#[test]
fn sdmx_tells_the_same_counts_as_the_table() {
    let table = published();
    let from = Provenance::default();
    let csv = Export::try_new(&table, &from, CountryCoding::Eurostat)
        .unwrap()
        .to_sdmx_csv();
    let lines = read(&csv);
    let keys: BTreeSet<Vec<&String>> = lines
        .iter()
        .map(|line| {
            [
                "ORIGIN_AREA",
                "FLOW",
                "SEX",
                "AGE",
                "AGE_DEF",
                "CITIZEN",
                "BIRTH_AREA",
                "TIME_PERIOD",
            ]
            .map(|column| &line[column])
            .to_vec()
        })
        .collect();
    assert_eq!(keys.len(), lines.len(), "no observation twice");
    let counts: Vec<&String> = lines
        .iter()
        .filter(|line| line["METHOD"] == "COUNT")
        .map(|line| &line["OBS_VALUE"])
        .collect();
    let expected: Vec<String> = table
        .rows
        .iter()
        .flat_map(|row| Measure::ALL.map(|measure| row.counts.get(measure)))
        .map(|count| count.map_or_else(String::new, |count| count.to_string()))
        .collect();
    assert_eq!(counts, expected.iter().collect::<Vec<_>>());
    let estimate = lines
        .iter()
        .find(|line| line["FLOW"] == "ESTIMATE_CORRECTED")
        .unwrap();
    assert_eq!(estimate["OBS_STATUS"], "E");
    let figure = |column: &str| estimate[column].parse::<f64>().unwrap();
    assert!(
        figure("CI_LO") < figure("OBS_VALUE") && figure("OBS_VALUE") < figure("CI_HI") && figure("SE") > 0.0
    );
}

#[test]
fn a_group_of_countries_is_no_country_in_sdmx_and_kosovo_has_a_code() {
    let country = |code: &str| code.parse().unwrap();
    let mut table = published();
    // A name that is the code of Morocco.
    table.terms.statistics.country_groups.0[0].name = "ma".to_owned();
    table.terms.statistics.country_groups.0[0].countries = vec![country("TN"), country("DZ")];
    table.terms.corridor = Corridor::try_new(
        corridor_core::Origin(country("XK")),
        corridor_core::Destination(country("IT")),
    )
    .unwrap();
    let labels = ["ma", "other", "unknown"];
    let mut row = table.rows[0].clone();
    row.corridor = table.terms.corridor;
    table.rows = labels
        .iter()
        .map(|label| {
            row.group.0.insert(Variable::Citizenship, (*label).to_owned());
            row.clone()
        })
        .collect();
    let from = Provenance::default();
    let csv = Export::try_new(&table, &from, CountryCoding::Iso)
        .unwrap()
        .to_sdmx_csv();
    let lines = read(&csv);
    let of = |column: &str| -> BTreeSet<&str> { lines.iter().map(|line| line[column].as_str()).collect() };
    assert_eq!(of("CITIZEN"), BTreeSet::from(["G_MA", "896", "898"]));
    assert_eq!(of("BIRTH_AREA"), BTreeSet::from(["001"]));
    assert_eq!(of("ORIGIN_AREA"), BTreeSet::from(["412"]));
    for code in ["896", "898", "001", "412"] {
        assert!(codes(AREAS).contains(code), "{code}");
    }
    assert!(codes(AREAS).iter().all(|code| !code.starts_with("G_")));
}

#[test]
fn a_table_whose_rows_do_not_add_up_is_refused() {
    let table = published();
    assert_eq!(table.validate(), Ok(()));
    let at = table
        .rows
        .iter()
        .position(|row| {
            row.group.is_by(&[Variable::Period]) && row.counts.get(Measure::Immigrations) > Some(0)
        })
        .unwrap();
    // Each count fits the others of the row; the row does not fit the total.
    let mut other = table.clone();
    let more = |measure: Measure, count: u64| {
        let is_of_it = [
            Measure::Immigrations,
            Measure::OnlyDestination,
            Measure::UnmatchedDestination,
        ];
        if is_of_it.contains(&measure) {
            count + 1
        } else {
            count
        }
    };
    let counts = Measure::ALL.map(|measure| {
        let count = other.rows[at].counts.get(measure);
        count.map(|count| more(measure, count))
    });
    let row = &mut other.rows[at];
    row.counts = crate::published::FlowCounts::from_array(counts);
    let [n1, n2, m] = [Measure::Emigrations, Measure::Immigrations, Measure::Matched]
        .map(|measure| row.counts.get(measure).unwrap());
    row.estimate = crate::estimate::chapman(n1, n2, m, crate::noise::ClassNoise::NONE);
    assert_eq!(other.validate(), Err("its rows do not add up to their totals"));
    assert!(other.estimates_fit());
    let mut without = other.clone();
    without.rows[at].estimate = None;
    assert!(!without.estimates_fit());
    // A class left out: what is shown of the others is still too much.
    let mut partly = table.clone();
    let hidden = Measure::ALL.map(|measure| {
        let count = partly.rows[at].counts.get(measure);
        let is_too_much = measure == Measure::OnlyDestination;
        count
            .filter(|_| measure != Measure::UnmatchedDestination)
            .map(|count| if is_too_much { count + 1000 } else { count })
    });
    partly.rows[at].counts = crate::published::FlowCounts::from_array(hidden);
    assert_eq!(partly.validate(), Err("its counts do not add up"));
    let mut twice = table;
    twice.rows.push(twice.rows[at].clone());
    assert_eq!(twice.validate(), Err("it has two rows of the same group"));
}

#[test]
fn a_table_with_labels_of_no_terms_or_other_days_and_stays_is_refused() {
    let table = published();
    let unknown = Err("it names a period, group or direction that its terms do not have");
    for (variable, label) in [(Variable::Period, "1999"), (Variable::Sex, "robot")] {
        let mut other = table.clone();
        let row = other
            .rows
            .iter_mut()
            .rfind(|row| row.group.get(variable).is_some());
        row.unwrap().group.0.insert(variable, label.to_owned());
        assert_eq!(other.validate(), unknown, "{label}");
    }
    let mut other = table.clone();
    other.stays[0].period = "1999".to_owned();
    assert_eq!(other.validate(), unknown);
    let mut other = table.clone();
    let [germany, norway] = ["DE", "NO"].map(|code| code.parse().unwrap());
    other.lags[0].corridor =
        Corridor::try_new(corridor_core::Origin(germany), corridor_core::Destination(norway)).unwrap();
    assert_eq!(other.validate(), unknown);

    let do_not_add_up = Err("its days between dates, or rules of stay, do not add up to its rows");
    let is_shown = |moves: &Option<u64>| moves.is_some_and(|moves| moves > 0);
    let mut other = table.clone();
    let stay = other.stays.iter_mut().find(|row| is_shown(&row.moves)).unwrap();
    stay.moves = Some(999_999);
    assert_eq!(other.validate(), do_not_add_up);
    let mut other = table;
    let lag = other.lags.iter_mut().find(|row| is_shown(&row.moves)).unwrap();
    lag.moves = Some(999_999);
    assert_eq!(other.validate(), do_not_add_up);
}

#[test]
fn figures_that_no_counts_and_links_make_are_refused() {
    let table = published();
    let quality_of = |precision: f64| {
        move |_: &crate::published::Group| {
            let interval = Interval {
                low: 0.98,
                high: 0.99,
            };
            Some(KnownQuality {
                quality_of: "all".to_owned(),
                precision,
                recall: 0.985,
                quality: LinkQuality {
                    precision: interval,
                    recall: interval,
                },
            })
        }
    };
    assert!(table.is_corrected_by(&quality_of(0.985)));
    assert!(!table.is_corrected_by(&quality_of(0.984)));
    let at = table.rows.iter().position(|row| row.corrected.is_some()).unwrap();
    let altered = |change: &dyn Fn(&mut CarriedError)| {
        let mut other = table.clone();
        change(other.rows[at].corrected.as_mut().unwrap());
        (other.validate(), other.is_corrected_by(&quality_of(0.985)))
    };
    let none = Err("a figure corrected for linkage error is none that can be");
    assert_eq!(altered(&|figures| figures.estimate = -50.0), (none, false));
    assert_eq!(altered(&|figures| figures.interval.high = 1.0), (none, false));
    assert_eq!(
        altered(&|figures| figures.standard_error = f64::NAN),
        (none, false)
    );
    assert_eq!(
        altered(&|figures| figures.quality_of = "sex banana".to_owned()),
        (Ok(()), false)
    );
    assert_eq!(
        altered(&|figures| figures.coverage_origin *= 1.01),
        (Ok(()), false)
    );
    let mut other = table.clone();
    let row = other.rows.iter_mut().find(|row| row.estimate.is_some()).unwrap();
    row.estimate.as_mut().unwrap().low += 1.0;
    assert!(!other.estimates_fit());
    let mut other = table;
    other.lags[0].days = "hello".to_owned();
    assert_eq!(
        other.validate(),
        Err("it names a period, group or direction that its terms do not have")
    );
}

#[test]
fn a_country_without_a_code_is_refused_by_name() {
    let mut table = published();
    let country = |code: &str| code.parse().unwrap();
    table.terms.corridor = Corridor::try_new(
        corridor_core::Origin(country("XK")),
        corridor_core::Destination(country("IT")),
    )
    .unwrap();
    let from = Provenance::default();
    let error = Export::try_new(&table, &from, CountryCoding::M49).unwrap_err();
    assert!(error.to_string().starts_with("XK has no code"), "{error}");
    assert!(Export::try_new(&table, &from, CountryCoding::Iso).is_ok());
}
