use corridor_core::Sex;
use jiff::civil::Date;

use crate::draw::Draw;
use crate::itinerary::{Leg, PERIOD_DAYS, Place, draw_legs, follow};
use crate::margins::Margins;
use crate::members::draw_members;
use crate::names::NameBook;
use crate::naming::{Naming, PersonName};
use crate::office::POOR_PAPERS;
use crate::profile::{Home, People, Profile};
use crate::witness::{Witness, witness};

/// People who belong together: they share names and move together, or one after the other.
#[derive(Debug)]
pub(crate) struct Household<'a> {
    pub(crate) people: &'a People,
    pub(crate) persons: Vec<Person<'a>>,
}

/// A person as they are; what the offices make of it is another matter.
#[derive(Debug)]
pub(crate) struct Person<'a> {
    pub(crate) sex: Sex,
    /// Birth date on the papers; 1 January for those whose papers give only a year.
    pub(crate) birth: Date,
    pub(crate) name: PersonName<'a>,
    /// The family name of a married woman's husband.
    pub(crate) married_name: Option<&'static str>,
    /// Town of birth in the origin, by number.
    pub(crate) town: usize,
    /// Born in the country of citizenship (or in the other of the corridor).
    pub(crate) born_at_home: bool,
    /// Has the destination's citizenship by now, which the origin may not know.
    pub(crate) naturalised: bool,
    /// Written down with more errors than others by both offices.
    pub(crate) poor_papers: bool,
    pub(crate) moves: Vec<Move>,
}

/// One move of one person, and what the two offices know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) leg: Leg,
    /// What the origin's office knows; `None` when nothing.
    pub(crate) origin: Option<Witness>,
    /// What the destination's office knows.
    pub(crate) destination: Option<Witness>,
}

/// Share of people whose papers have 1 January in place of an unknown birth day. Together with true birthdays (1 of
/// 365) and what each office imputes, 4.86 % of emigrants and 3.52 % of immigrants (Valencia 2006).
pub(crate) const FIRST_OF_JANUARY_ON_PAPERS: f64 = 0.0305;

/// Share of people born in the other country of the corridor.
const BORN_ABROAD: f64 = 0.03;
/// Share of people who became citizens of the destination.
const NATURALISED: f64 = 0.05;
/// Share of families whose others follow the first later.
const FOLLOW_LATER: f64 = 0.35;
/// Share of households of which only the first moves again.
const FIRST_ALONE_MOVES_AGAIN: f64 = 0.25;

/// The household of number `index`: the same for the same seed, whoever asks for it and when.
pub(crate) fn draw_household<'a>(
    profile: &'a Profile,
    book: &'a NameBook,
    margins: &Margins,
    seed: u64,
    index: u32,
) -> Household<'a> {
    let draw = &mut Draw::new(seed, &format!("household {index}"));
    let people = &profile.peoples[draw.by_share(profile.peoples.iter().map(|(share, _)| *share))].1;
    let pool = people.pools[draw.by_share(people.pools.iter().map(|(share, _)| *share))].1;
    let naming = Naming {
        custom: people.custom,
        names: book.pools(pool),
        english: book.english(),
    };
    let members = draw_members(&naming, margins, draw);
    let home = match people.home {
        Home::Destination => Place::Destination,
        Home::Origin => Place::Origin,
    };
    let legs = draw_legs(home, profile.third_countries.len(), margins.mobility, draw);
    let itineraries = to_itineraries(&legs, members.len(), draw);
    let moves = witness(profile, &itineraries, draw);
    let mut persons: Vec<Person<'a>> = Vec::with_capacity(members.len());
    for (member, moves) in members.into_iter().zip(moves) {
        let birth = match persons.last() {
            Some(older) if member.is_twin => older.birth,
            _ => draw_birth(legs[0].day, member.age, draw),
        };
        // The smaller of two draws: the first towns of the list are the largest.
        let town = draw.position(profile.towns.len());
        persons.push(Person {
            sex: member.sex,
            birth,
            name: member.name,
            married_name: member.married_name,
            town: town.min(draw.position(profile.towns.len())),
            born_at_home: !draw.chance(BORN_ABROAD),
            naturalised: draw.chance(NATURALISED),
            poor_papers: draw.chance(POOR_PAPERS),
            moves,
        });
    }
    Household { people, persons }
}

/// Who of `count` people goes along on which of the household's moves.
fn to_itineraries(legs: &[Leg], count: usize, draw: &mut Draw) -> Vec<Vec<Leg>> {
    let mut itineraries = vec![legs.to_vec()];
    if count == 1 {
        return itineraries;
    }
    let others = if draw.chance(FOLLOW_LATER) {
        // Those who never follow are in neither register.
        follow(legs, draw).into_iter().collect()
    } else if draw.chance(FIRST_ALONE_MOVES_AGAIN) {
        legs[..1].to_vec()
    } else {
        legs.to_vec()
    };
    itineraries.resize(count, others);
    itineraries
}

/// A birth date for `age` completed years on the day of the first move.
fn draw_birth(first_day: i32, age: i32, draw: &mut Draw) -> Date {
    let move_day = to_date(first_day);
    // People who are n years old were born between n and n + 1 years before.
    let days_before = 365 * age + age / 4 + draw.between(1, 365);
    let birth = move_day
        .checked_sub(jiff::Span::new().days(days_before))
        .expect("a hundred years before the period are within the calendar");
    if draw.chance(FIRST_OF_JANUARY_ON_PAPERS) {
        birth.first_of_year()
    } else {
        birth
    }
}

/// The date of a day of the period; days before and after count on.
pub(crate) fn to_date(day: i32) -> Date {
    jiff::civil::date(2021, 1, 1)
        .checked_add(jiff::Span::new().days(day))
        .expect("days near the period are within the calendar")
}

const _: () = assert!(PERIOD_DAYS == 5 * 365 + 1, "2021 to 2025 have one leap day");
