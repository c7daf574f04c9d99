//! SDMX-CSV 2.0: one observation a line, coded by the cross-domain code lists.

use corridor_core::{AgeBands, DurationRule, PeriodUnit, ReleaseStatus, Sex, Variable};

use super::Export;
use crate::classes::Measure;
use crate::published::{FlowRow, Group};

/// The structure the observations follow, as the column STRUCTURE_ID names it.
pub const SDMX_STRUCTURE: &str = "CORRIDOR:FLOWS(2.0.0)";

/// Columns: the key of SDMX-CSV, dimensions, the value, attributes.
const COLUMNS: [&str; 28] = [
    "STRUCTURE",
    "STRUCTURE_ID",
    "ACTION",
    "FREQ",
    "REF_AREA",
    "ORIGIN_AREA",
    "DESTINATION_AREA",
    "FLOW",
    "SEX",
    "AGE",
    "AGE_DEF",
    "CITIZEN",
    "BIRTH_AREA",
    "MIGR_STATUS",
    "REASON",
    "DURATION_CRIT",
    "TIME_PERIOD",
    "OBS_VALUE",
    "OBS_STATUS",
    "CONF_STATUS",
    "SE",
    "CI_LO",
    "CI_HI",
    "METHOD",
    "DEFINITION_REF",
    "AGREEMENT",
    "RUN",
    "RESULT",
];

/// An observation beside the dimensions of its row.
struct Observation {
    flow: &'static str,
    /// Whose figure it is: the origin's, the destination's, or that of both.
    area: Area,
    /// `None` when suppressed.
    value: Option<String>,
    is_estimate: bool,
    precision: Option<[f64; 3]>,
    method: &'static str,
}

#[derive(Clone, Copy)]
enum Area {
    Origin,
    Destination,
    Both,
}

impl Export<'_> {
    /// The rows as SDMX-CSV 2.0: a line for every count of a row and, where there are any, for the estimates with their standard
    /// error and 95 % interval.
    ///
    /// Codes are those of the cross-domain code lists: CL_FREQ (`A`, `Q`, `_Z` for all periods together), CL_AREA (ISO 3166-1 alpha-2 or
    /// M49; Eurostat's codes are its own), CL_SEX, CL_AGE (as in `Y15T29`, `Y_GE65`), CL_OBS_STATUS (`A`, `E` for estimates, `P` where
    /// the figures are provisional, `Q` for what is suppressed), CL_CONF_STATUS (`F`, and `C` for all that is suppressed: which of it was
    /// small is not told). REF_AREA is the country of the office whose count it is, `_Z` where it is made of both lists. AGE_DEF is `C`
    /// for age in completed years and `R` for the age reached in the year. TIME_PERIOD of all periods together is a range, as in
    /// `2022-01-01/P3Y`.
    pub fn to_sdmx_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).expect("writing to memory");
        let [(_, agreement), (_, run), (_, result)] = self.provenance.entries();
        let definitions = self.table.terms.definition_reference();
        for row in &self.table.rows {
            let [origin, destination] = self.to_corridor(&row.corridor);
            let (freq, time_period) = self.to_time(&row.group);
            let (age, age_definition) = self.to_age(&row.group);
            for observation in to_observations(row) {
                let status = match (&observation.value, self.table.terms.status) {
                    (None, _) => "Q",
                    (Some(_), ReleaseStatus::Provisional) => "P",
                    (Some(_), ReleaseStatus::Final) if observation.is_estimate => "E",
                    (Some(_), ReleaseStatus::Final) => "A",
                };
                let [error, low, high] = observation.precision.map_or_else(Default::default, |figures| {
                    figures.map(|figure| figure.to_string())
                });
                let reporter = match observation.area {
                    Area::Origin => origin.as_str(),
                    Area::Destination => destination.as_str(),
                    Area::Both => "_Z",
                };
                let confidentiality = if observation.value.is_none() { "C" } else { "F" };
                writer
                    .write_record([
                        "dataflow",
                        SDMX_STRUCTURE,
                        "I",
                        freq,
                        reporter,
                        origin.as_str(),
                        destination.as_str(),
                        observation.flow,
                        to_sex(&row.group),
                        age.as_str(),
                        age_definition,
                        self.to_country(&row.group, Variable::Citizenship).as_str(),
                        self.to_country(&row.group, Variable::BirthCountry).as_str(),
                        to_code(&row.group, Variable::MigratoryStatus).as_str(),
                        to_code(&row.group, Variable::Reason).as_str(),
                        to_duration(self.table.terms.statistics.duration_rule),
                        time_period.as_str(),
                        observation.value.as_deref().unwrap_or_default(),
                        status,
                        confidentiality,
                        error.as_str(),
                        low.as_str(),
                        high.as_str(),
                        observation.method,
                        definitions.as_str(),
                        agreement.as_str(),
                        run.as_str(),
                        result.as_str(),
                    ])
                    .expect("writing to memory");
            }
        }
        let bytes = writer.into_inner().expect("writing to memory");
        String::from_utf8(bytes).expect("made of texts")
    }

    fn to_time(&self, group: &Group) -> (&'static str, String) {
        match (
            group.get(Variable::Period),
            self.table.terms.statistics.period_unit,
        ) {
            (Some(label), PeriodUnit::Year) => ("A", label.to_owned()),
            // Moves whose quarter is not known are of the year alone.
            (Some(label), PeriodUnit::Quarter) => match label.strip_suffix("-unknown") {
                Some(year) => ("_U", year.to_owned()),
                None => ("Q", label.to_owned()),
            },
            (None, _) => {
                let period = self.table.terms.period;
                let years = period.years().count();
                ("_Z", format!("{}-01-01/P{years}Y", period.first.year()))
            }
        }
    }

    fn to_age(&self, group: &Group) -> (String, &'static str) {
        let bands = &self.table.terms.age_bands;
        match (group.get(Variable::Age), group.get(Variable::AgeReached)) {
            (Some(label), _) => (to_age_code(bands, label), "C"),
            (None, Some(label)) => (to_age_code(bands, label), "R"),
            (None, None) => ("_T".to_owned(), "_Z"),
        }
    }

    /// A group of one country is that country; others are their name.
    fn to_country(&self, group: &Group, variable: Variable) -> String {
        let Some(label) = group.get(variable) else {
            return "_T".to_owned();
        };
        let groups = &self.table.terms.statistics.country_groups.0;
        let named = groups.iter().find(|named| named.name == label);
        match named.map(|named| named.countries.as_slice()) {
            Some([country]) => self.to_code(*country),
            _ => to_code(group, variable),
        }
    }
}

fn to_observations(row: &FlowRow) -> Vec<Observation> {
    let mut observations: Vec<Observation> = Measure::ALL
        .into_iter()
        .map(|measure| Observation {
            flow: to_flow(measure),
            area: to_area(measure),
            value: row.counts.get(measure).map(|count| count.to_string()),
            is_estimate: false,
            precision: None,
            method: "COUNT",
        })
        .collect();
    if let Some(estimate) = &row.estimate {
        observations.push(Observation {
            flow: "ESTIMATE",
            area: Area::Both,
            value: Some(estimate.point.to_string()),
            is_estimate: true,
            precision: Some([estimate.standard_error, estimate.low, estimate.high]),
            method: "CHAPMAN",
        });
    }
    if let Some(corrected) = &row.corrected {
        let interval = corrected.interval;
        let mut add = |flow, value: f64, precision| {
            observations.push(Observation {
                flow,
                area: Area::Both,
                value: Some(value.to_string()),
                is_estimate: true,
                precision,
                method: "DING_FIENBERG",
            });
        };
        // A log-normal interval has no standard error that says the same.
        let ends = [corrected.standard_error, interval.low, interval.high];
        add("ESTIMATE_CORRECTED", corrected.estimate, Some(ends));
        add("MATCHED_CORRECTED", corrected.matched, None);
    }
    observations
}

const fn to_flow(measure: Measure) -> &'static str {
    match measure {
        Measure::Emigrations => "EMIGRATIONS",
        Measure::Immigrations => "IMMIGRATIONS",
        Measure::Matched => "MATCHED",
        Measure::OnlyOrigin => "ONLY_ORIGIN",
        Measure::OnlyDestination => "ONLY_DESTINATION",
        Measure::EmigrationsOwn => "EMIGRATIONS_OWN",
        Measure::Agree => "AGREE",
        Measure::TimingOrigin => "TIMING_ORIGIN",
        Measure::TimingDestination => "TIMING_DESTINATION",
        Measure::DefinitionOrigin => "DEFINITION_ORIGIN",
        Measure::DefinitionDestination => "DEFINITION_DESTINATION",
        Measure::PartnerOrigin => "PARTNER_ORIGIN",
        Measure::PartnerDestination => "PARTNER_DESTINATION",
        Measure::UnmatchedOrigin => "UNMATCHED_ORIGIN",
        Measure::UnmatchedDestination => "UNMATCHED_DESTINATION",
    }
}

const fn to_area(measure: Measure) -> Area {
    match measure {
        Measure::Emigrations
        | Measure::OnlyOrigin
        | Measure::EmigrationsOwn
        | Measure::TimingOrigin
        | Measure::DefinitionOrigin
        | Measure::PartnerOrigin
        | Measure::UnmatchedOrigin => Area::Origin,
        Measure::Immigrations
        | Measure::OnlyDestination
        | Measure::TimingDestination
        | Measure::DefinitionDestination
        | Measure::PartnerDestination
        | Measure::UnmatchedDestination => Area::Destination,
        Measure::Matched | Measure::Agree => Area::Both,
    }
}

fn to_sex(group: &Group) -> &'static str {
    match group.get(Variable::Sex).and_then(Sex::from_word) {
        Some(Sex::Female) => "F",
        Some(Sex::Male) => "M",
        Some(Sex::Unknown) => "_U",
        None => "_T",
    }
}

const fn to_duration(rule: DurationRule) -> &'static str {
    match rule {
        DurationRule::Own => "OWN",
        DurationRule::Months12 => "M12",
        DurationRule::Months6 => "M6",
        DurationRule::Months3 => "M3",
        DurationRule::HalfYear => "M6_D1_OF_M12",
    }
}

/// A label as a code: capital letters; `_T` for all, `_O` and `_U` for other and not known.
fn to_code(group: &Group, variable: Variable) -> String {
    match group.get(variable) {
        None => "_T".to_owned(),
        Some("other") => "_O".to_owned(),
        Some("unknown") => "_U".to_owned(),
        Some(label) => label.to_ascii_uppercase().replace('-', "_"),
    }
}

/// `0-14` is `Y0T14`, `65+` `Y_GE65`, a band of one year `Y0`.
fn to_age_code(bands: &AgeBands, label: &str) -> String {
    let known = (0..=u8::MAX)
        .map(corridor_core::AgeBand)
        .take(bands.len())
        .any(|band| bands.label(band).as_deref() == Some(label));
    if !known {
        return "_U".to_owned();
    }
    match (label.strip_suffix('+'), label.split_once('-')) {
        (Some(lower), _) => format!("Y_GE{lower}"),
        (None, Some((lower, upper))) if lower == upper => format!("Y{lower}"),
        (None, Some((lower, upper))) => format!("Y{lower}T{upper}"),
        (None, None) => format!("Y{label}"),
    }
}
