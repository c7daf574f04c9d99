//! Manifests the tests change.

mod differences;
mod laws;
mod reading;
mod records;

use super::*;

/// A manifest of TN that says everything, alike in both directions.
const FULL: &str = r#"
version = 1
[office]
country = "TN"
id = "INS-TN"
name = "Institut national de la statistique"
contact = "migration@office.example"
citation = "https://office.example/definitions"
[source]
kind = "population_register"
name = "register"
[reference]
first = "2022-01-01"
last = "2024-12-31"
extracted = "2025-06-30"
[population]
base = "usual_residence"
[age]
definition = "completed"
[coverage]
nationals = "included"
foreigners = "included"
students = "included"
asylum_seekers = { from_months = 12 }
refugees = "included"
temporary_protection = "partly"
diplomats = "excluded"
military = "excluded"
seasonal_workers = "excluded"
irregular = "excluded"
cross_border_commuters = "excluded"
[territory]
former_states = "successor"
[territory.parts]
RE = "included"
[emigration.duration]
minimum_stay = { months = 12 }
basis = "actual"
[emigration.date]
basis = "move"
precision = "day"
[emigration.registration]
obligation = "yes"
obligation_third_country = "yes"
enforcement = "weak"
incentive = "weak"
days_allowed = 30
typical_lag_days = 60
by_authority_after_months = "none"
third_country_monitored = "no"
corrected_by_office = "no"
expected_undercount = "low"
[emigration.partner]
known_by = "declared"
unknown_handling = "separate"
unknown_percent = 5
[immigration.duration]
minimum_stay = { months = 12 }
basis = "actual"
[immigration.date]
basis = "move"
precision = "day"
[immigration.registration]
obligation = "yes"
obligation_third_country = "yes"
enforcement = "weak"
incentive = "weak"
days_allowed = 30
typical_lag_days = 60
by_authority_after_months = "none"
third_country_monitored = "no"
corrected_by_office = "no"
expected_undercount = "low"
[immigration.partner]
known_by = "declared"
unknown_handling = "separate"
unknown_percent = 5
[over_coverage]
cleaning = "yearly"
duplicates_removed = "yes"
repeated_moves = "each"
[identification]
person_key = "permanent"
birth_dates = "documented"
name_script = "latin"
[published]
rounding_base = "none"
perturbation = "none"
[[breaks]]
date = "2023-01-01"
changed = "coverage"
what = "students counted"
"#;

fn full() -> DefinitionManifest {
    DefinitionManifest::from_text(FULL).unwrap_or_else(|error| panic!("{error}"))
}

/// The same of IT.
fn partner() -> DefinitionManifest {
    let mut manifest = full();
    manifest.office.country = "IT".parse().unwrap();
    manifest
}

fn emigration(manifest: &mut DefinitionManifest) -> &mut FlowDefinition {
    manifest.emigration.as_mut().unwrap()
}
