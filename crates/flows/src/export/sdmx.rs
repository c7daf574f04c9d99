//! SDMX-CSV 2.0: one observation a line, coded by the cross-domain code lists.

use corridor_core::{
    AgeBands, CountryCode, CountryCoding, DurationRule, PeriodUnit, ReleaseStatus, Sex, Side, Variable,
};

use super::Export;
use crate::classes::Measure;
use crate::published::{EstimateRemark, FlowRow, Group};

/// The structure the observations follow, as the column STRUCTURE_ID names it.
pub const SDMX_STRUCTURE: &str = "CORRIDOR:FLOWS(2.0.0)";

/// Columns: the key of SDMX-CSV, dimensions, the value, attributes.
const COLUMNS: [&str; 32] = [
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
    "OR_0_67",
    "OR_1_5",
    "COVERAGE_ORIGIN",
    "COVERAGE_DESTINATION",
    "METHOD",
    "DEFINITION_REF",
    "AGREEMENT",
    "RUN",
    "RESULT",
];

/// An observation beside the dimensions of its row.
struct Observation {
    flow: &'static str,
    /// The side of which moves are counted: those that left the origin, or those that came to the destination.
    side: Side,
    /// `None` when suppressed.
    value: Option<String>,
    kind: Kind,
    method: &'static str,
}

/// What an observation is.
#[derive(Clone, Copy)]
enum Kind {
    Count,
    /// A figure made of counts, with nothing beside it.
    Figure,
    /// With standard error, ends of the 95 % interval, the estimate under an odds ratio of ⅔ and of 1.5, coverage of the origin's
    /// list and of the destination's.
    Estimate([Option<f64>; 7]),
}

/// What CL_AREA has for all countries together.
const WORLD: &str = "001";
/// For those that are not named.
const ELSEWHERE: &str = "896";
/// For one that is not known.
const NOT_SPECIFIED: &str = "898";

impl Export<'_> {
    /// The rows as SDMX-CSV 2.0: a line for every count of a row and, where there are any, for the estimates with their standard
    /// error and 95 % interval.
    ///
    /// Codes are those of the cross-domain code lists: CL_FREQ (`A`, `Q`, `_Z` for all periods together), CL_AREA (ISO 3166-1 alpha-2 or
    /// M49, and 412 for Kosovo; Eurostat's codes are its own), CL_SEX, CL_AGE (as in `Y15T29`, `Y_GE65`), CL_OBS_STATUS (`A`, `E` for
    /// estimates, `U` for those of fewer than seven matched moves, `P` where the figures are provisional, `Q` for what is suppressed),
    /// CL_CONF_STATUS (`F`, and `C` for all that is suppressed: which of it was small is not told). REF_AREA is the country the moves
    /// are counted for: that of the origin for what left it, that of the destination for what came, in whose periods and groups
    /// stand also the counts and estimates made of both lists. CITIZEN and BIRTH_AREA are of CL_AREA too: `001` for all, `896` for
    /// countries not named, `898` for one not known; a group of several countries is `G_` and the name the agreement has for it, which no
    /// code of an area begins with. AGE_DEF is `C` for age in completed years and `R` for the age reached in the year. TIME_PERIOD of all
    /// periods together is a range, as in `2022-01-01/P3Y`. OR_0_67 and OR_1_5 are an estimate under these odds ratios between the lists.
    pub fn to_sdmx_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).expect("writing to memory");
        let [(_, agreement), (_, run), (_, result)] = self.provenance.entries();
        let definitions = self.table.terms.definition_reference();
        let untold = self.table.untold();
        for row in &self.table.rows {
            let [origin, destination] =
                [row.corridor.origin().0, row.corridor.destination().0].map(|country| self.to_area(country));
            let (freq, time_period) = self.to_time(&row.group);
            let (age, age_definition) = self.to_age(&row.group);
            for observation in to_observations(row) {
                let is_thin = row.estimate_remark(&untold) == Some(EstimateRemark::Thin);
                let status = match (&observation.value, self.table.terms.status, observation.kind) {
                    (None, _, _) => "Q",
                    (Some(_), ReleaseStatus::Provisional, _) => "P",
                    (Some(_), ReleaseStatus::Final, Kind::Estimate(_)) if is_thin => "U",
                    (Some(_), ReleaseStatus::Final, Kind::Estimate(_) | Kind::Figure) => "E",
                    (Some(_), ReleaseStatus::Final, Kind::Count) => "A",
                };
                let beside = match observation.kind {
                    Kind::Estimate(beside) => beside,
                    Kind::Count | Kind::Figure => [None; 7],
                };
                let beside =
                    beside.map(|figure| figure.map_or_else(String::new, |figure| figure.to_string()));
                let [
                    error,
                    low,
                    high,
                    two_thirds,
                    three_halves,
                    of_origin,
                    of_destination,
                ] = beside;
                let reference = match observation.side {
                    Side::Origin => origin.as_str(),
                    Side::Destination => destination.as_str(),
                };
                let confidentiality = if observation.value.is_none() { "C" } else { "F" };
                writer
                    .write_record([
                        "dataflow",
                        SDMX_STRUCTURE,
                        "I",
                        freq,
                        reference,
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
                        two_thirds.as_str(),
                        three_halves.as_str(),
                        of_origin.as_str(),
                        of_destination.as_str(),
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

    fn to_area(&self, country: CountryCode) -> String {
        match (self.coding, country.as_str()) {
            (CountryCoding::Iso, "XK") => "412".to_owned(),
            (CountryCoding::Iso | CountryCoding::M49 | CountryCoding::Eurostat, _) => self.to_code(country),
        }
    }

    /// A group of one country is that country.
    fn to_country(&self, group: &Group, variable: Variable) -> String {
        let Some(label) = group.get(variable) else {
            return WORLD.to_owned();
        };
        let groups = &self.table.terms.statistics.country_groups.0;
        let named = groups.iter().find(|named| named.name == label);
        match named.map(|named| named.countries.as_slice()) {
            Some([country]) => self.to_area(*country),
            Some(_) => format!("G_{}", to_capitals(label)),
            None if label == "other" => ELSEWHERE.to_owned(),
            None => NOT_SPECIFIED.to_owned(),
        }
    }
}

fn to_observations(row: &FlowRow) -> Vec<Observation> {
    let mut observations: Vec<Observation> = Measure::ALL
        .into_iter()
        .map(|measure| Observation {
            flow: to_flow(measure),
            side: to_side(measure),
            value: row.counts.get(measure).map(|count| count.to_string()),
            kind: Kind::Count,
            method: "COUNT",
        })
        .collect();
    let mut add = |flow, value: f64, kind, method| {
        observations.push(Observation {
            flow,
            side: Side::Destination,
            value: Some(value.to_string()),
            kind,
            method,
        });
    };
    if let Some(estimate) = &row.estimate {
        let beside = [
            estimate.standard_error,
            estimate.low,
            estimate.high,
            estimate.if_odds_ratio_two_thirds,
            estimate.if_odds_ratio_three_halves,
            estimate.coverage_origin,
            estimate.coverage_destination,
        ];
        add(
            "ESTIMATE",
            estimate.point,
            Kind::Estimate(beside.map(Some)),
            "CHAPMAN",
        );
    }
    if let Some(corrected) = &row.corrected {
        let beside = [
            Some(corrected.standard_error),
            Some(corrected.interval.low),
            Some(corrected.interval.high),
            corrected.if_odds_ratio_two_thirds,
            corrected.if_odds_ratio_three_halves,
            Some(corrected.coverage_origin),
            Some(corrected.coverage_destination),
        ];
        let method = "DING_FIENBERG";
        add(
            "ESTIMATE_CORRECTED",
            corrected.estimate,
            Kind::Estimate(beside),
            method,
        );
        add("MATCHED_CORRECTED", corrected.matched, Kind::Figure, method);
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

/// Whose periods and groups a count stands in.
const fn to_side(measure: Measure) -> Side {
    match measure {
        Measure::Emigrations
        | Measure::OnlyOrigin
        | Measure::EmigrationsOwn
        | Measure::TimingOrigin
        | Measure::DefinitionOrigin
        | Measure::PartnerOrigin
        | Measure::UnmatchedOrigin => Side::Origin,
        Measure::Immigrations
        | Measure::Matched
        | Measure::Agree
        | Measure::OnlyDestination
        | Measure::TimingDestination
        | Measure::DefinitionDestination
        | Measure::PartnerDestination
        | Measure::UnmatchedDestination => Side::Destination,
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
        Some(label) => to_capitals(label),
    }
}

fn to_capitals(label: &str) -> String {
    label.to_ascii_uppercase().replace('-', "_")
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
