//! What the form of a manifest alone cannot say.

use corridor_core::Direction;
use jiff::civil::{Date, date};

use super::coverage::Treatment;
use super::direction::{DateBasis, FlowDefinition, RegistrationRule};
use super::error::ManifestError;
use super::stated::{Answer, Quantity, Stated};
use super::{DefinitionManifest, MANIFEST_VERSION};

/// Dates of data and of breaks lie between these.
const DATES: (Date, Date) = (date(1900, 1, 1), date(2199, 12, 31));

/// The most days and months that are believed.
const MOST_DAYS: u32 = 3660;
const MOST_MONTHS: u32 = 240;

/// The largest base figures are rounded to.
const MOST_ROUNDING: u32 = 1000;

impl DefinitionManifest {
    /// Checks that no two statements contradict each other.
    ///
    /// # Errors
    /// The first that do, with the path of the key.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if self.version != MANIFEST_VERSION {
            return Err(ManifestError::key("version", "this program knows version 1 only"));
        }
        if self.emigration.is_none() && self.immigration.is_none() {
            return Err(ManifestError::key(
                "emigration",
                "describe emigrations, immigrations or both; an empty [emigration] says that all of it is unknown",
            ));
        }
        self.validate_reference()?;
        self.validate_coverage()?;
        for direction in Direction::ALL {
            if let Some(flow) = self.direction(direction) {
                validate_flow(flow, direction)?;
            }
        }
        quantity(
            "published.rounding_base",
            self.published.rounding_base,
            MOST_ROUNDING,
        )?;
        if matches!(self.published.rounding_base, Quantity::Is(0 | 1)) {
            return Err(ManifestError::key(
                "published.rounding_base",
                "is 2 or more; for figures that are not rounded write \"none\"",
            ));
        }
        self.validate_breaks()
    }

    fn validate_reference(&self) -> Result<(), ManifestError> {
        let reference = &self.reference;
        let dates = [
            ("reference.first", reference.first),
            ("reference.last", reference.last),
            ("reference.extracted", reference.extracted),
        ];
        for (key, date) in dates {
            if let Stated::Known(date) = date {
                believable(key, date)?;
            }
        }
        if let (Stated::Known(first), Stated::Known(last)) = (reference.first, reference.last)
            && last < first
        {
            return Err(ManifestError::key("reference.last", "is before reference.first"));
        }
        for (key, date) in &dates[..2] {
            if let (Stated::Known(date), Stated::Known(extracted)) = (date, reference.extracted)
                && extracted < *date
            {
                return Err(ManifestError::key(
                    "reference.extracted",
                    format!("is before {key}: data drawn then cannot hold the moves of the whole period"),
                ));
            }
        }
        Ok(())
    }

    fn validate_coverage(&self) -> Result<(), ManifestError> {
        let coverage = &self.coverage;
        if (coverage.nationals, coverage.foreigners) == (Treatment::Excluded, Treatment::Excluded) {
            return Err(ManifestError::key(
                "coverage.foreigners",
                "nationals and foreigners are both excluded, and so is everybody",
            ));
        }
        Ok(())
    }

    fn validate_breaks(&self) -> Result<(), ManifestError> {
        for (position, found) in self.breaks.iter().enumerate() {
            let key = |name: &str| format!("breaks[{position}].{name}");
            believable(&key("date"), found.date)?;
            if let Some(direction) = found.direction
                && self.direction(direction).is_none()
            {
                return Err(ManifestError::key(
                    key("direction"),
                    format!("the manifest does not describe {}s", direction.as_str()),
                ));
            }
            let before = position.checked_sub(1).and_then(|before| self.breaks.get(before));
            if let Some(before) = before
                && (before.date, before.changed, before.direction)
                    >= (found.date, found.changed, found.direction)
            {
                return Err(ManifestError::key(
                    key("date"),
                    "breaks are in order of their dates, those of one day in the order D, B, C, U, L, T, P, X, O, K, R, and \
                     none stands twice",
                ));
            }
        }
        Ok(())
    }
}

fn validate_flow(flow: &FlowDefinition, direction: Direction) -> Result<(), ManifestError> {
    let path = direction.as_str();
    let key = |name: &str| format!("{path}.{name}");
    let foreign = match direction {
        Direction::Emigration => [DateBasis::PermitIssue].as_slice(),
        Direction::Immigration => &[DateBasis::Deregistration, DateBasis::PermitExpiry],
    };
    if foreign.contains(&flow.date.basis) {
        return Err(ManifestError::key(
            key("date.basis"),
            format!(
                "{path}s are not dated by {}",
                flow.date.basis.as_str().replace('_', " ")
            ),
        ));
    }
    let RegistrationRule {
        obligation,
        obligation_third_country,
        enforcement: _,
        incentive: _,
        days_allowed,
        typical_lag_days,
        by_authority_after_months,
        third_country_monitored: _,
        corrected_by_office: _,
        expected_undercount: _,
    } = flow.registration;
    quantity(&key("registration.days_allowed"), days_allowed, MOST_DAYS)?;
    quantity(&key("registration.typical_lag_days"), typical_lag_days, MOST_DAYS)?;
    quantity(
        &key("registration.by_authority_after_months"),
        by_authority_after_months,
        MOST_MONTHS,
    )?;
    let nobody_must =
        obligation == Answer::No && matches!(obligation_third_country, Answer::No | Answer::Unknown);
    if nobody_must && matches!(days_allowed, Quantity::Is(_)) {
        return Err(ManifestError::key(
            key("registration.days_allowed"),
            "gives days for what registration.obligation says nobody must do",
        ));
    }
    quantity(&key("partner.unknown_percent"), flow.partner.unknown_percent, 100)
}

fn quantity(key: &str, quantity: Quantity, most: u32) -> Result<(), ManifestError> {
    match quantity {
        Quantity::Is(number) if number > most => Err(ManifestError::key(
            key,
            format!("is at most {most}, not {number}"),
        )),
        Quantity::Is(_) | Quantity::None | Quantity::Unknown => Ok(()),
    }
}

fn believable(key: &str, date: Date) -> Result<(), ManifestError> {
    if (DATES.0..=DATES.1).contains(&date) {
        Ok(())
    } else {
        Err(ManifestError::key(
            key,
            format!("is a day from {} to {}", DATES.0, DATES.1),
        ))
    }
}
