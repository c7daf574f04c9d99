//! What is published of the rules of a country.

use corridor_core::{CountryCode, Direction};

/// Sources, as lines of a manifest name them.
const REGISTRATION: &str = "registration metadata, Dańko 2022";
const EXPERTS: &str = "experts of IMEM 2013, for 2002 to 2008";

const ON_ARRIVAL: &str = include_str!("../../data/registration_on_arrival.csv");
const ON_DEPARTURE: &str = include_str!("../../data/deregistration_on_departure.csv");
const UNDERCOUNT: &str = include_str!("../../data/undercount_experts.csv");
const DURATION: &str = include_str!("../../data/duration_criteria_spans.csv");

/// A published value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prefill {
    /// The key, as in `immigration.registration.days_allowed`.
    pub(super) key: String,
    /// The value, as TOML.
    pub(super) value: String,
    /// Where from, and what else is said of it.
    pub(super) source: String,
}

/// What is published of `country`; empty when nothing is.
pub(super) fn published_rules(country: CountryCode) -> Vec<Prefill> {
    let mut rules = durations(country);
    let mut add = |key: &str, value: Option<String>, source: String| {
        if let Some(value) = value {
            rules.push(Prefill {
                key: key.to_owned(),
                value,
                source,
            });
        }
    };
    for [_, obligation, time_limit, comment] in rows_of::<4>(ON_ARRIVAL, country) {
        let source = with_comment(REGISTRATION, comment);
        add(
            "immigration.registration.obligation",
            answer(obligation),
            source.clone(),
        );
        add(
            "immigration.registration.days_allowed",
            days(time_limit),
            format!("{source}: {time_limit}"),
        );
    }
    for [_, obligation, third_country, monitored, corrected, comment] in rows_of::<6>(ON_DEPARTURE, country) {
        let source = with_comment(REGISTRATION, comment);
        for (name, text) in [
            ("obligation", obligation),
            ("obligation_third_country", third_country),
            ("third_country_monitored", monitored),
            ("corrected_by_office", corrected),
        ] {
            add(
                &format!("emigration.registration.{name}"),
                answer(text),
                source.clone(),
            );
        }
    }
    for [_, immigration, emigration] in rows_of::<3>(UNDERCOUNT, country) {
        for (direction, class) in [("immigration", immigration), ("emigration", emigration)] {
            let value = matches!(class, "low" | "high").then(|| quote(class));
            add(
                &format!("{direction}.registration.expected_undercount"),
                value,
                EXPERTS.to_owned(),
            );
        }
    }
    rules
}

/// The last rule of a span of years, with those before it in words.
fn durations(country: CountryCode) -> Vec<Prefill> {
    let rows: Vec<[&str; 6]> = rows_of(DURATION, country).collect();
    let mut rules = Vec::new();
    for direction in Direction::ALL {
        let name = direction.as_str();
        let mut spans = rows.iter().filter(|row| row[1] == name).rev();
        let Some([_, _, first, last, months, exceptions]) = spans.next() else {
            continue;
        };
        let mut source =
            format!("duration criteria of figures sent to Eurostat, Dańko 2022, {first} to {last}");
        for [_, _, first, last, months, _] in spans {
            source += &format!("; {} {first} to {last}", duration_words(months));
        }
        if let Some(value) = stay(months) {
            rules.push(Prefill {
                key: format!("{name}.duration.minimum_stay"),
                value,
                source,
            });
        }
        for (partner, months) in exceptions.split(';').filter_map(|text| text.split_once('=')) {
            if let (Ok(partner), Some(value)) = (partner.parse::<CountryCode>(), stay(months)) {
                rules.push(Prefill {
                    key: format!("{name}.duration.by_partner.{partner}"),
                    value,
                    source: "duration criteria of figures sent to Eurostat, Dańko 2022".to_owned(),
                });
            }
        }
    }
    rules
}

/// Rows of a table whose first column is `country`, in any code.
fn rows_of<const COLUMNS: usize>(table: &str, country: CountryCode) -> impl Iterator<Item = [&str; COLUMNS]> {
    table.lines().skip(1).filter_map(move |line| {
        let cells: Vec<&str> = line.split(',').collect();
        let cells: [&str; COLUMNS] = cells.try_into().ok()?;
        (cells.first()?.parse() == Ok(country)).then_some(cells)
    })
}

fn with_comment(source: &str, comment: &str) -> String {
    if comment.is_empty() {
        source.to_owned()
    } else {
        format!("{source}, {comment}")
    }
}

fn quote(text: &str) -> String {
    format!("{text:?}")
}

fn answer(text: &str) -> Option<String> {
    match text {
        "Yes" => Some(quote("yes")),
        "No" => Some(quote("no")),
        _ => None,
    }
}

/// Days of a time limit: `3 days`, `1 month`, `at arrival`, `No limit`.
fn days(text: &str) -> Option<String> {
    /// Days of a month, where a limit is in months.
    const DAYS_PER_MONTH: u32 = 30;
    match text {
        "No limit" => return Some(quote("none")),
        "at arrival" => return Some("0".to_owned()),
        _ => {}
    }
    let (number, unit) = text.split_once(' ')?;
    let number: u32 = number.parse().ok()?;
    match unit {
        "day" | "days" => Some(number.to_string()),
        "month" | "months" => Some((number * DAYS_PER_MONTH).to_string()),
        _ => None,
    }
}

/// Months of the criteria as a minimum stay: 0 is none, 60 permanent residence.
fn stay(months: &str) -> Option<String> {
    match months {
        "0.0" => Some(quote("none")),
        "60.0" => Some(quote("permanent")),
        _ => months
            .parse::<f64>()
            .ok()
            .map(|months| format!("{{ months = {months} }}")),
    }
}

fn duration_words(months: &str) -> String {
    match months {
        "0.0" => "none".to_owned(),
        "60.0" => "permanent".to_owned(),
        _ => format!("{} months", months.trim_end_matches(".0")),
    }
}

/// Every country there is something published of.
#[cfg(test)]
pub(super) fn published_countries() -> Vec<CountryCode> {
    ON_ARRIVAL
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect()
}

#[cfg(test)]
pub(super) fn tables() -> [(&'static str, usize); 4] {
    [(ON_ARRIVAL, 4), (ON_DEPARTURE, 6), (UNDERCOUNT, 3), (DURATION, 6)]
}
