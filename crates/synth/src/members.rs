use corridor_core::Sex;

use crate::draw::Draw;
use crate::margins::{ADULT_AGE, Margins};
use crate::naming::{Naming, PersonName};

/// One of a household before it moves.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) sex: Sex,
    /// Completed years on the day of the first move.
    pub(crate) age: i32,
    pub(crate) name: PersonName<'a>,
    /// The family name of a married woman's husband.
    pub(crate) married_name: Option<&'static str>,
    /// Born on the same day as the member before.
    pub(crate) is_twin: bool,
}

/// Who makes up a household, with shares; alone is the rest. Children are then about a quarter of all movers, as they
/// are in the age profile.
const KINDS: &[(f64, Kind)] = &[
    (0.10, Kind::Couple),
    (0.13, Kind::CoupleWithChildren),
    (0.09, Kind::ParentWithChildren),
    (0.07, Kind::Siblings),
    (0.61, Kind::Alone),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alone,
    Couple,
    CoupleWithChildren,
    ParentWithChildren,
    Siblings,
}

/// Number of children, with shares.
const CHILDREN: &[(f64, u32)] = &[(0.45, 1), (0.32, 2), (0.15, 3), (0.08, 4)];

/// Share of women moving without a husband who have one.
const MARRIED_ELSEWHERE: f64 = 0.35;

/// Share of children after the first who are twins of the one before. About 17 of 1,000 deliveries in Africa are of
/// twins (Monden, Pison and Smits 2021); among children of families with several that is about twice as many.
const TWINS: f64 = 0.03;

/// The members of a household; the one who moves first, first.
pub(crate) fn draw_members<'a>(naming: &Naming<'a>, margins: &Margins, draw: &mut Draw) -> Vec<Member<'a>> {
    let kind = KINDS[draw.by_share(KINDS.iter().map(|(share, _)| *share))].1;
    let age = margins.adult_age(draw);
    match kind {
        Kind::Alone => vec![alone(naming, margins, age, draw)],
        Kind::Couple => couple(naming, age, draw).into(),
        Kind::CoupleWithChildren => {
            let [father, mother] = couple(naming, age, draw);
            let parents = (father.name.clone(), mother.name.clone());
            let youngest = father.age.min(mother.age);
            let mut members = vec![father, mother];
            add_children(&mut members, naming, margins, &parents, youngest, draw);
            members
        }
        Kind::ParentWithChildren => {
            let parent = alone(naming, margins, age, draw);
            // The name of the other goes on even though that parent does not come along.
            let parents = match parent.sex {
                Sex::Female => (naming.adult(Sex::Male, draw), parent.name.clone()),
                Sex::Male | Sex::Unknown => (parent.name.clone(), naming.adult(Sex::Female, draw)),
            };
            let mut members = vec![parent];
            add_children(&mut members, naming, margins, &parents, age, draw);
            members
        }
        Kind::Siblings => {
            let first = alone(naming, margins, age, draw);
            let sex = draw_sex(margins.male, draw);
            let sibling = Member {
                sex,
                age: (age - draw.between(1, 7)).max(14),
                name: naming.sibling(sex, &first.name, draw),
                married_name: None,
                is_twin: false,
            };
            vec![first, sibling]
        }
    }
}

fn draw_sex(male: f64, draw: &mut Draw) -> Sex {
    if draw.chance(male) { Sex::Male } else { Sex::Female }
}

fn alone<'a>(naming: &Naming<'a>, margins: &Margins, age: i32, draw: &mut Draw) -> Member<'a> {
    let sex = draw_sex(margins.male, draw);
    let name = naming.adult(sex, draw);
    let married_name = if sex == Sex::Female && draw.chance(MARRIED_ELSEWHERE) {
        naming.married_name(&naming.adult(Sex::Male, draw))
    } else {
        None
    };
    Member {
        sex,
        age,
        name,
        married_name,
        is_twin: false,
    }
}

fn couple<'a>(naming: &Naming<'a>, age: i32, draw: &mut Draw) -> [Member<'a>; 2] {
    let (husband, wife) = (naming.adult(Sex::Male, draw), naming.adult(Sex::Female, draw));
    let married_name = naming.married_name(&husband);
    [
        Member {
            sex: Sex::Male,
            age,
            name: husband,
            married_name: None,
            is_twin: false,
        },
        Member {
            sex: Sex::Female,
            age: (age - draw.between(-2, 8)).max(ADULT_AGE),
            name: wife,
            married_name,
            is_twin: false,
        },
    ]
}

fn add_children<'a>(
    members: &mut Vec<Member<'a>>,
    naming: &Naming<'a>,
    margins: &Margins,
    (father, mother): &(PersonName<'a>, PersonName<'a>),
    youngest_parent: i32,
    draw: &mut Draw,
) {
    let count = CHILDREN[draw.by_share(CHILDREN.iter().map(|(share, _)| *share))].1;
    for number in 0..count {
        let sex = draw_sex(0.51, draw);
        members.push(Member {
            sex,
            age: margins.child_age(youngest_parent, draw),
            name: naming.child(sex, father, mother, draw),
            married_name: None,
            is_twin: number > 0 && draw.chance(TWINS),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NameBook;
    use crate::profile::Custom;

    /// What is looked at of a member.
    struct Seen {
        sex: Sex,
        age: i32,
        is_married: bool,
        is_twin: bool,
    }

    fn households() -> Vec<Vec<Seen>> {
        let book = NameBook::load(&["SN"]);
        let naming = Naming {
            custom: Custom::FamilyName { second_given: 0.2 },
            names: book.pools("SN"),
            english: None,
        };
        let margins = Margins::load("SN-FR");
        let mut draw = Draw::new(11, "members");
        let see = |member: Member<'_>| Seen {
            sex: member.sex,
            age: member.age,
            is_married: member.married_name.is_some(),
            is_twin: member.is_twin,
        };
        (0..4_000)
            .map(|_| {
                draw_members(&naming, &margins, &mut draw)
                    .into_iter()
                    .map(see)
                    .collect()
            })
            .collect()
    }

    #[test]
    fn about_a_quarter_are_children_as_in_the_age_profile() {
        let people: Vec<Seen> = households().into_iter().flatten().collect();
        let children = people.iter().filter(|seen| seen.age < ADULT_AGE).count();
        let share =
            f64::from(u32::try_from(children).unwrap()) / f64::from(u32::try_from(people.len()).unwrap());
        assert!((0.20..0.30).contains(&share), "{share}");
    }

    #[test]
    fn households_begin_with_an_adult_and_only_women_have_a_husbands_name() {
        for household in households() {
            assert!(household[0].age >= ADULT_AGE && !household[0].is_twin);
            assert!(
                household
                    .iter()
                    .all(|seen| !seen.is_married || seen.sex == Sex::Female)
            );
        }
    }
}
