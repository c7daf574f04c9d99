use corridor_core::Sex;
use jiff::civil::Date;

use crate::draw::Draw;
use crate::household::{Household, Person};
use crate::naming::Token;
use crate::office::{Apostrophes, Letters, Office, Precision};
use crate::profile::{Custom, Profile};
use crate::spelling::{misread, mistype, rejoin, respell};

/// A person as one office has them in its register: the cells of a row that do not depend on the move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) given_names: String,
    pub(crate) surname: String,
    pub(crate) date_of_birth: String,
    pub(crate) sex: &'static str,
    pub(crate) birth_town: &'static str,
    pub(crate) birth_country: &'static str,
    pub(crate) nationality: &'static str,
}

/// Share of family names that a clerk writes without looking at the rest of the family.
const APART_FROM_FAMILY: f64 = 0.20;
/// Share of persons without a country of birth.
const BIRTH_COUNTRY_MISSING: f64 = 0.01;

/// Writes a person into the register of `office`. `family_draw` decides how the family name is written, the same for
/// all of a household; `draw` everything else.
pub(crate) fn enter(
    profile: &Profile,
    office: &Office,
    household: &Household<'_>,
    person: &Person<'_>,
    family_draw: &mut Draw,
    draw: &mut Draw,
) -> Entry {
    let custom = household.people.custom;
    let office = &office.as_met(person.poor_papers);
    let mut given = write_tokens(office, &person.name.given, draw);
    let with_family = write_tokens(office, &person.name.family, family_draw);
    let apart = write_tokens(office, &person.name.family, draw);
    let mut family = if draw.chance(APART_FROM_FAMILY) {
        apart
    } else {
        with_family
    };
    if given.len() > 1 && draw.chance(office.given_dropped) {
        given.truncate(1);
    }
    if family.len() > 1 && draw.chance(office.surname_dropped) {
        // The father's surname is the one that stays; of a chain of names, the nearest.
        match custom {
            Custom::Lusophone => family.remove(0),
            Custom::FamilyName { .. } | Custom::Nigerian { .. } | Custom::Patronymic | Custom::Spanish => {
                family.pop().unwrap_or_default()
            }
        };
    }
    if let Some(husbands) = person.married_name
        && draw.chance(office.married.share)
    {
        if !office.married.appended {
            family.clear();
        }
        family.push(husbands.to_owned());
    }
    let mut columns = [given.join(" "), family.join(" ")];
    if draw.chance(office.typo) {
        let column = draw.position(2);
        columns[column] = mistype(&columns[column], draw);
    }
    if draw.chance(office.ocr) {
        let column = draw.position(2);
        columns[column] = misread(&columns[column], draw);
    }
    if draw.chance(office.swapped) {
        columns.swap(0, 1);
    }
    let [given_names, surname] = columns.map(|text| write_letters(office, &text));

    let birth_country = profile.birth_country(household, person);
    let citizenship = if person.naturalised && draw.chance(office.sees_naturalisation) {
        profile.destination_code()
    } else {
        household.people.citizenship
    };
    Entry {
        given_names,
        surname,
        date_of_birth: write_birth(office, person.birth, draw),
        sex: write_sex(office, person.sex, draw),
        birth_town: if birth_country == profile.origin_code() {
            profile.towns[person.town]
        } else {
            ""
        },
        birth_country: if draw.chance(BIRTH_COUNTRY_MISSING) {
            ""
        } else {
            office.countries.write(birth_country)
        },
        nationality: if draw.chance(office.citizenship_missing) {
            ""
        } else {
            office.countries.write(citizenship)
        },
    }
}

/// Names in this office's spelling.
fn write_tokens(office: &Office, tokens: &[Token<'_>], draw: &mut Draw) -> Vec<String> {
    tokens
        .iter()
        .map(|token| {
            let mut text = token.text.to_owned();
            if draw.chance(office.respelt) {
                // Most clerks know a spelling that is in use; some write what they hear.
                text = match token.name.other_spelling(token.text, draw) {
                    Some(other) if draw.chance(0.7) => other.to_owned(),
                    _ => respell(token.text, office.language, draw),
                };
            }
            if draw.chance(office.rejoined)
                && let Some(rejoined) = rejoin(&text, draw)
            {
                text = rejoined;
            }
            match token.particle {
                Some(_) if draw.chance(office.rejoined) => text,
                Some(particle) => format!("{particle} {text}"),
                None => text,
            }
        })
        .collect()
}

/// Letters, apostrophes and the width of the column.
fn write_letters(office: &Office, text: &str) -> String {
    let mut text = match office.letters {
        Letters::AsGiven => text.to_owned(),
        Letters::Upper => text.to_uppercase(),
        Letters::UpperPlain => any_ascii::any_ascii(text).to_uppercase(),
    };
    if office.apostrophes == Apostrophes::Dropped {
        text.retain(|c| c != '\'');
    }
    if let Some(width) = office.width
        && let Some((end, _)) = text.char_indices().nth(width)
    {
        text.truncate(end);
        text.truncate(text.trim_end().len());
    }
    text
}

fn write_birth(office: &Office, birth: Date, draw: &mut Draw) -> String {
    if draw.chance(office.birth_missing) {
        return String::new();
    }
    let (year, month, day) = (birth.year(), birth.month(), birth.day());
    let mut written = birth;
    if draw.chance(office.birth_imputed) {
        written = birth.first_of_year();
    } else if draw.chance(office.birth_slip) {
        let slip = |draw: &mut Draw| if draw.chance(0.5) { 1 } else { -1 };
        // A slip that gives no date is seen and corrected.
        written = match draw.below(3) {
            0 => Date::new(year + slip(draw), month, day),
            1 => Date::new(year, month + i8::try_from(slip(draw)).unwrap_or(1), day),
            _ => Date::new(year, month, if day > 10 { day - 10 } else { day + 10 }),
        }
        .unwrap_or(birth);
    } else if draw.chance(office.birth_day_month_swapped) {
        written = Date::new(year, day, month).unwrap_or(birth);
    }
    let precision = if draw.chance(office.birth_partial) {
        *draw.pick(&[Precision::Month, Precision::Year])
    } else {
        Precision::Day
    };
    office.write_date(written, precision)
}

fn write_sex(office: &Office, sex: Sex, draw: &mut Draw) -> &'static str {
    if draw.chance(office.sex_missing) {
        ""
    } else if draw.chance(office.sex_wrong) {
        office.write_sex(if sex == Sex::Female {
            Sex::Male
        } else {
            Sex::Female
        })
    } else {
        office.write_sex(sex)
    }
}
