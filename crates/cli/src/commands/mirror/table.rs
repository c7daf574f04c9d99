use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use corridor_core::CountryCode;
use corridor_flows::{DurationConversion, MirrorCell, MirrorTable, ReportBasis, Reported, to_count};
use csv::StringRecord;
use serde::Serialize;

use crate::failure::input_error;
use crate::output::read_text;

/// To which minimum stay counts are converted, and by what.
#[derive(Debug)]
pub(super) struct Conversion {
    pub(super) to_months: f64,
    pub(super) relation: DurationConversion,
}

/// What became of the reports.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct ConversionCounts {
    /// Reports converted from another minimum stay: estimates.
    pub(super) converted: u64,
    /// Reports without a duration, in a table that has durations: taken as they are.
    pub(super) without_duration: u64,
}

const NEEDED: [&str; 5] = [
    "origin",
    "destination",
    "year",
    "reported_by_origin",
    "reported_by_destination",
];
const DURATIONS: [&str; 2] = ["origin_duration_months", "destination_duration_months"];

/// Reads a double-entry table.
pub(super) fn read(path: &Path, conversion: &Conversion) -> anyhow::Result<(MirrorTable, ConversionCounts)> {
    let text = read_text(path)?;
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let columns = Columns::find(reader.headers().with_context(|| in_file(path))?, path)?;
    let mut counts = ConversionCounts::default();
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            input_error(
                format!("{}: {error}", path.display()),
                "save the table as CSV with commas, each line with as many as the first",
            )
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row {
            record: &record,
            columns: &columns,
            place: format!("{}, line {line}", path.display()),
        };
        cells.push(row.to_cell(conversion, &mut counts)?);
    }
    let table = MirrorTable::try_new(cells).with_context(|| in_file(path))?;
    one_name_a_country(&table, path)?;
    Ok((table, counts))
}

/// Places of the table that are no country: regions, or words mistyped. They are taken as they are, and named.
pub(super) fn not_countries(table: &MirrorTable) -> Vec<String> {
    let is_no_country = |place: &&str| place.parse::<CountryCode>().is_err();
    let places = table.offices().into_iter().filter(is_no_country);
    places.map(str::to_owned).collect()
}

/// A country under two names, as GB and UK, would be two offices.
fn one_name_a_country(table: &MirrorTable, path: &Path) -> anyhow::Result<()> {
    let mut names: BTreeMap<CountryCode, &str> = BTreeMap::new();
    for place in table.offices() {
        let Ok(country) = place.parse() else {
            continue;
        };
        if let Some(other) = names.insert(country, place) {
            return Err(input_error(
                format!("{}: {other} and {place} are the same country", path.display()),
                "write each country in one way in the whole table",
            ));
        }
    }
    Ok(())
}

fn in_file(path: &Path) -> String {
    path.display().to_string()
}

/// Where the columns are.
#[derive(Debug)]
struct Columns {
    needed: [usize; 5],
    durations: [Option<usize>; 2],
}

impl Columns {
    fn find(header: &StringRecord, path: &Path) -> anyhow::Result<Self> {
        let hint = format!(
            "the columns are {}, and if there are durations {}",
            NEEDED.join(", "),
            DURATIONS.join(", ")
        );
        let position = |name: &str| header.iter().position(|column| column.trim() == name);
        for (index, column) in header.iter().enumerate() {
            let known = NEEDED.iter().chain(&DURATIONS).any(|name| *name == column.trim());
            if !known {
                return Err(input_error(
                    format!("{} has a column {column}, which is not known", path.display()),
                    hint,
                ));
            }
            if position(column.trim()) != Some(index) {
                return Err(input_error(
                    format!("{} has two columns {column}", path.display()),
                    hint,
                ));
            }
        }
        let mut needed = [0; 5];
        for (found, name) in needed.iter_mut().zip(NEEDED) {
            *found = position(name).ok_or_else(|| {
                input_error(format!("{} has no column {name}", path.display()), hint.clone())
            })?;
        }
        Ok(Self {
            needed,
            durations: DURATIONS.map(position),
        })
    }
}

/// A line of the table.
struct Row<'a> {
    record: &'a StringRecord,
    columns: &'a Columns,
    place: String,
}

impl Row<'_> {
    fn to_cell(&self, conversion: &Conversion, counts: &mut ConversionCounts) -> anyhow::Result<MirrorCell> {
        let [origin, destination, year, by_origin, by_destination] = self.columns.needed;
        let [origin_months, destination_months] = self.columns.durations;
        let year_text = self.text(year);
        let is_year = |year: &i16| (1000..=9999).contains(year);
        let year = year_text.parse().ok().filter(is_year).ok_or_else(|| {
            input_error(
                format!("{}: {year_text:?} is no year", self.place),
                "correct the line; a year has four digits",
            )
        })?;
        Ok(MirrorCell {
            origin: self.text(origin).to_owned(),
            destination: self.text(destination).to_owned(),
            year,
            reported_by_origin: self.report(by_origin, origin_months, conversion, counts)?,
            reported_by_destination: self.report(by_destination, destination_months, conversion, counts)?,
        })
    }

    fn report(
        &self,
        column: usize,
        months: Option<usize>,
        conversion: &Conversion,
        counts: &mut ConversionCounts,
    ) -> anyhow::Result<Option<Reported>> {
        let Some(moves) = self.number(column)? else {
            return Ok(None);
        };
        let name = if column == self.columns.needed[3] {
            NEEDED[3]
        } else {
            NEEDED[4]
        };
        to_count(name, moves).with_context(|| self.place.clone())?;
        let as_it_is = Reported {
            moves,
            basis: ReportBasis::Counted,
        };
        if self.columns.durations.iter().all(Option::is_none) {
            return Ok(Some(as_it_is));
        }
        let months = match months {
            Some(months) => self.number(months)?,
            // The table says the duration of the other side's only.
            None => None,
        };
        let Some(months) = months else {
            counts.without_duration += 1;
            return Ok(Some(Reported {
                basis: ReportBasis::RuleUnknown,
                ..as_it_is
            }));
        };
        let converted = conversion
            .relation
            .convert(moves, months, conversion.to_months)
            .with_context(|| self.place.clone())?;
        counts.converted += u64::from(converted.estimated);
        Ok(Some(Reported {
            moves: converted.value,
            basis: if converted.estimated {
                ReportBasis::Converted
            } else {
                ReportBasis::Counted
            },
        }))
    }

    /// A number; `None` when blank.
    fn number(&self, column: usize) -> anyhow::Result<Option<f64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            input_error(
                format!("{}: {text:?} is no number", self.place),
                "correct the line; leave blank what is not reported",
            )
        })
    }

    fn text(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default().trim()
    }
}
