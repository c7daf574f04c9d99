use corridor_core::Sex;

use crate::draw::Draw;
use crate::names::{Name, NamePools};
use crate::profile::Custom;

/// One word (or joined words) of a person's name, as the person spells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'static str,
    /// A Portuguese particle before it: da, de, dos.
    pub(crate) particle: Option<&'static str>,
    pub(crate) name: &'a Name,
}

/// A person's name.
#[derive(Debug, Clone)]
pub(crate) struct PersonName<'a> {
    pub(crate) given: Vec<Token<'a>>,
    /// Family names in the order of the custom; for patronymic names the father's and the grandfather's.
    pub(crate) family: Vec<Token<'a>>,
}

fn token<'a>(name: &'a Name, draw: &mut Draw) -> Token<'a> {
    Token {
        text: name.spelling(draw),
        particle: None,
        name,
    }
}

fn given_names<'a>(
    custom: Custom,
    names: &'a NamePools,
    english: Option<&'a NamePools>,
    sex: Sex,
    draw: &mut Draw,
) -> Vec<Token<'a>> {
    let mut given = vec![token(names.given(sex).draw(draw), draw)];
    let second = match custom {
        Custom::FamilyName { second_given } => draw.chance(second_given).then_some(names),
        Custom::Lusophone => draw.chance(SECOND_GIVEN_LUSOPHONE).then_some(names),
        Custom::Nigerian { english: share } => english.filter(|_| draw.chance(share)),
        Custom::Patronymic => None,
        Custom::Spanish => draw.chance(SECOND_GIVEN_SPANISH).then_some(names),
    };
    if let Some(second) = second {
        let second = token(second.given(sex).draw(draw), draw);
        if second.text != given[0].text {
            given.push(second);
        }
        // Some use the English name first.
        if matches!(custom, Custom::Nigerian { .. }) && draw.chance(0.5) {
            given.reverse();
        }
    }
    given
}

const SECOND_GIVEN_LUSOPHONE: f64 = 0.55;
const SECOND_GIVEN_SPANISH: f64 = 0.35;

/// Share of Nigerians of the north and others who have their father's given name in place of a family name.
const FATHERS_NAME_NIGERIAN: f64 = 0.15;

/// Share of Portuguese surnames with a particle.
const PARTICLE: f64 = 0.22;

fn surname<'a>(custom: Custom, names: &'a NamePools, draw: &mut Draw) -> Token<'a> {
    let mut surname = token(names.family().draw(draw), draw);
    if custom == Custom::Lusophone && draw.chance(PARTICLE) {
        surname.particle = Some(match surname.text {
            text if text.ends_with("os") => "dos",
            text if text.ends_with('a') => "da",
            _ => "de",
        });
    }
    surname
}

/// The name of somebody who comes into a household from outside.
pub(crate) fn adult_name<'a>(
    custom: Custom,
    names: &'a NamePools,
    english: Option<&'a NamePools>,
    sex: Sex,
    draw: &mut Draw,
) -> PersonName<'a> {
    let given = given_names(custom, names, english, sex, draw);
    let family = match custom {
        Custom::FamilyName { .. } => vec![surname(custom, names, draw)],
        Custom::Nigerian { .. } if draw.chance(FATHERS_NAME_NIGERIAN) => {
            vec![token(names.given(Sex::Male).draw(draw), draw)]
        }
        Custom::Nigerian { .. } => vec![surname(custom, names, draw)],
        Custom::Lusophone | Custom::Spanish => {
            vec![surname(custom, names, draw), surname(custom, names, draw)]
        }
        Custom::Patronymic => {
            let men = names.given(Sex::Male);
            vec![token(men.draw(draw), draw), token(men.draw(draw), draw)]
        }
    };
    PersonName { given, family }
}

/// The name of a child of two parents (father, mother).
pub(crate) fn child_name<'a>(
    custom: Custom,
    names: &'a NamePools,
    english: Option<&'a NamePools>,
    sex: Sex,
    (father, mother): (&PersonName<'a>, &PersonName<'a>),
    draw: &mut Draw,
) -> PersonName<'a> {
    let fathers = father.family.last().copied();
    let family = match custom {
        Custom::FamilyName { .. } | Custom::Nigerian { .. } => fathers.into_iter().collect(),
        Custom::Lusophone => mother.family.last().copied().into_iter().chain(fathers).collect(),
        Custom::Patronymic => vec![father.given[0], father.family[0]],
        Custom::Spanish => vec![father.family[0], mother.family[0]],
    };
    PersonName {
        given: given_names(custom, names, english, sex, draw),
        family,
    }
}

impl<'a> PersonName<'a> {
    /// The name of a brother or sister.
    pub(crate) fn to_sibling(
        &self,
        custom: Custom,
        names: &'a NamePools,
        english: Option<&'a NamePools>,
        sex: Sex,
        draw: &mut Draw,
    ) -> Self {
        Self {
            given: given_names(custom, names, english, sex, draw),
            family: self.family.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NameBook;

    fn family(custom: Custom, pool: &str) -> [Vec<&'static str>; 3] {
        let book = NameBook::load(&[pool]);
        let names = book.pools(pool);
        let draw = &mut Draw::new(5, "family");
        let father = adult_name(custom, names, None, Sex::Male, draw);
        let mother = adult_name(custom, names, None, Sex::Female, draw);
        let child = child_name(custom, names, None, Sex::Female, (&father, &mother), draw);
        [father, mother, child].map(|name| {
            let given = name.given[..1].iter();
            given.chain(&name.family).map(|token| token.text).collect()
        })
    }

    #[test]
    fn an_eritrean_child_has_its_fathers_and_grandfathers_names() {
        let [father, _, child] = family(Custom::Patronymic, "ER");
        assert_eq!(child[1..], father[..2]);
    }

    #[test]
    fn portuguese_surnames_end_with_the_fathers_and_spanish_ones_begin_with_it() {
        let [father, mother, child] = family(Custom::Lusophone, "AO");
        assert_eq!(child[1..], [mother[2], father[2]]);
        let [father, mother, child] = family(Custom::Spanish, "ES");
        assert_eq!(child[1..], [father[1], mother[1]]);
    }

    #[test]
    fn a_family_name_is_the_fathers() {
        let [father, mother, child] = family(Custom::FamilyName { second_given: 0.2 }, "SN");
        assert_eq!(child[1], father[1]);
        assert_ne!(mother[1], father[1]);
    }
}
