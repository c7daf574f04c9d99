use corridor_core::{Sex, Side};
use jiff::civil::Date;

use crate::countries::CountryCodes;
use crate::spelling::Language;

/// A statistical office: what it gets to know, how it writes, and how often it errs. Rates are shares of persons or
/// of moves, as each says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Office {
    pub(crate) language: Language,
    pub(crate) letters: Letters,
    pub(crate) apostrophes: Apostrophes,
    /// Characters a name column holds; the rest is cut off.
    pub(crate) width: Option<usize>,

    /// Share of moves out of the country that it hears of.
    pub(crate) knows_departures: f64,
    /// Share of moves into the country that it hears of.
    pub(crate) knows_arrivals: f64,
    /// Share of moves registered 60 to 400 days late.
    pub(crate) late: f64,
    /// Share of moves without the other country.
    pub(crate) counterpart_missing: f64,
    /// Share of moves with a wrong other country.
    pub(crate) counterpart_wrong: f64,

    /// Share of names it spells its own way, of those that can be.
    pub(crate) respelt: f64,
    /// Share of names whose particles or compounds it joins or splits, of those that have any.
    pub(crate) rejoined: f64,
    /// Share of persons whose second given name it leaves out.
    pub(crate) given_dropped: f64,
    /// Share of persons whose second surname (or grandfather's name) it leaves out.
    pub(crate) surname_dropped: f64,
    /// Share of persons with given and family names in the wrong columns.
    pub(crate) swapped: f64,
    /// Share of persons with a slip of the keyboard in a name.
    pub(crate) typo: f64,
    /// Share of persons with a name misread by a scanner.
    pub(crate) ocr: f64,
    pub(crate) married: MarriedName,

    /// Share of persons whose birthday it does not know and takes for 1 January.
    pub(crate) birth_imputed: f64,
    /// Share of persons with day and month of birth exchanged, where both can be months.
    pub(crate) birth_day_month_swapped: f64,
    /// Share of persons with a wrong day, month or year of birth.
    pub(crate) birth_slip: f64,
    /// Share of persons of whose birth date only year, or year and month, are written.
    pub(crate) birth_partial: f64,
    /// Share of persons without birth date.
    pub(crate) birth_missing: f64,

    pub(crate) sex_wrong: f64,
    pub(crate) sex_missing: f64,
    /// Share of persons without citizenship.
    pub(crate) citizenship_missing: f64,
    /// Share of those who became citizens of the destination that it has as such.
    pub(crate) sees_naturalisation: f64,

    pub(crate) countries: CountryCodes,
    /// Code of women.
    pub(crate) women: &'static str,
    /// Code of men.
    pub(crate) men: &'static str,
    /// Code of emigrations.
    pub(crate) departure: &'static str,
    /// Code of immigrations.
    pub(crate) arrival: &'static str,
    /// Dates as 31/12/1989, else 1989-12-31.
    pub(crate) day_first: bool,
}

/// How an office writes letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    /// As on the papers.
    AsGiven,
    /// In capitals, with accents.
    Upper,
    /// In capitals, without accents.
    UpperPlain,
}

/// What an office does with apostrophes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apostrophes {
    /// N'Diaye becomes Ndiaye.
    Dropped,
    Kept,
}

/// Wives under their husbands' names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MarriedName {
    /// Share of wives registered with the husband's family name.
    pub(crate) share: f64,
    /// Behind their own names; else in place of them.
    pub(crate) appended: bool,
}

/// Share of people whose papers are poor: both offices write them down by hearing, in haste or from copies, so that
/// errors come together on the same people, as they do.
pub(crate) const POOR_PAPERS: f64 = 0.10;
/// How many times as often as others they meet errors of names and birth dates.
const POOR_PAPERS_TIMES: f64 = 6.0;

impl Office {
    /// The office as people with poor papers, or the others, meet it; on the whole, the rates are the declared ones.
    pub(crate) fn as_met(&self, poor_papers: bool) -> Self {
        let others = 1.0 / (1.0 - POOR_PAPERS + POOR_PAPERS * POOR_PAPERS_TIMES);
        let times = if poor_papers {
            POOR_PAPERS_TIMES * others
        } else {
            others
        };
        Self {
            respelt: self.respelt * times,
            rejoined: self.rejoined * times,
            given_dropped: self.given_dropped * times,
            surname_dropped: self.surname_dropped * times,
            swapped: self.swapped * times,
            typo: self.typo * times,
            ocr: self.ocr * times,
            birth_day_month_swapped: self.birth_day_month_swapped * times,
            birth_slip: self.birth_slip * times,
            birth_partial: self.birth_partial * times,
            birth_missing: self.birth_missing * times,
            sex_wrong: self.sex_wrong * times,
            ..*self
        }
    }

    /// A date as this office writes it; the day is left out, or day and month.
    pub(crate) fn write_date(&self, date: Date, precision: Precision) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match (self.day_first, precision) {
            (false, Precision::Day) => format!("{year:04}-{month:02}-{day:02}"),
            (false, Precision::Month) => format!("{year:04}-{month:02}-00"),
            (true, Precision::Day) => format!("{day:02}/{month:02}/{year:04}"),
            (true, Precision::Month) => format!("00/{month:02}/{year:04}"),
            (_, Precision::Year) => format!("{year:04}"),
        }
    }

    /// The code of a sex.
    pub(crate) const fn write_sex(&self, sex: Sex) -> &'static str {
        match sex {
            Sex::Female => self.women,
            Sex::Male => self.men,
            Sex::Unknown => "",
        }
    }

    /// The mapping file of this office's register of `reporter`.
    pub(crate) fn to_mapping(self, side: Side, reporter: &str) -> String {
        let order = if self.day_first {
            "day-month-year"
        } else {
            "year-month-day"
        };
        let (of_whom, birth_country) = match side {
            Side::Origin => (
                "The origin's register: emigrations to the destination, and returns.",
                "",
            ),
            Side::Destination => (
                "The destination's register: immigrations from the origin, and departures.",
                "birth_country = \"birth_country\"\n",
            ),
        };
        let mut mapping = format!(
            r#"# {of_whom} Invented people.
version = 1
reporter = "{reporter}"

[file]
delimiter = ","

[columns]
record_id = "rec_id"
person_key = "person_key"
given_names = ["given_names"]
family_names = ["surname"]
birth_date = "date_of_birth"
sex = "sex"
{birth_country}citizenship = "nationality"
event_date = "event_date"
direction = "direction"
counterpart = "other_country"

[dates]
birth_date = "{order}"
event_date = "{order}"

[codes.sex]
female = ["{women}"]
male = ["{men}"]

[codes.direction]
emigration = ["{departure}"]
immigration = ["{arrival}"]
"#,
            women = self.women,
            men = self.men,
            departure = self.departure,
            arrival = self.arrival,
        );
        let mut declared = self.countries.declared().peekable();
        if declared.peek().is_some() {
            mapping.push_str("\n[codes.country]\n");
        }
        for (own, alpha2) in declared {
            mapping.push_str(&format!("\"{own}\" = \"{alpha2}\"\n"));
        }
        mapping
    }
}

/// How much of a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Day,
    Month,
    Year,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corridors::PROFILES;

    #[test]
    fn poor_papers_bring_errors_together_and_keep_their_number() {
        for office in PROFILES
            .iter()
            .flat_map(|profile| [&profile.origin, &profile.destination])
        {
            let (poor, other) = (office.as_met(true), office.as_met(false));
            let whole = POOR_PAPERS * poor.respelt + (1.0 - POOR_PAPERS) * other.respelt;
            assert!((whole - office.respelt).abs() < 1e-12);
            for rate in [
                poor.respelt,
                poor.rejoined,
                poor.given_dropped,
                poor.surname_dropped,
            ] {
                assert!(rate <= 1.0, "{rate}");
            }
            assert!(poor.typo > 5.0 * other.typo);
        }
    }

    #[test]
    fn dates_are_written_in_the_order_of_the_office() {
        let date = jiff::civil::date(1989, 12, 31);
        let french = PROFILES.iter().find(|profile| profile.name == "SN-FR").unwrap();
        let italian = PROFILES.iter().find(|profile| profile.name == "TN-IT").unwrap();
        let (french, italian) = (&french.destination, &italian.destination);
        assert_eq!(french.write_date(date, Precision::Day), "31/12/1989");
        assert_eq!(french.write_date(date, Precision::Month), "00/12/1989");
        assert_eq!(italian.write_date(date, Precision::Day), "1989-12-31");
        assert_eq!(italian.write_date(date, Precision::Year), "1989");
    }
}
