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

/// How one household's people are named: a custom, and the names to draw from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming<'a> {
    pub(crate) custom: Custom,
    pub(crate) names: &'a NamePools,
    /// English names, for Nigerians.
    pub(crate) english: Option<&'a NamePools>,
}

impl<'a> Naming<'a> {
    /// The name of somebody who comes into a household from outside.
    pub(crate) fn adult(&self, sex: Sex, draw: &mut Draw) -> PersonName<'a> {
        let given = self.given_names(sex, draw);
        let men = self.names.given(Sex::Male);
        let family = match self.custom {
            Custom::FamilyName { .. } => vec![self.surname(draw)],
            Custom::Nigerian { .. } if draw.chance(FATHERS_NAME_NIGERIAN) => {
                vec![token(men.draw(draw), draw)]
            }
            Custom::Nigerian { .. } => vec![self.surname(draw)],
            Custom::Lusophone | Custom::Spanish => vec![self.surname(draw), self.surname(draw)],
            Custom::Patronymic => vec![token(men.draw(draw), draw), token(men.draw(draw), draw)],
        };
        PersonName { given, family }
    }

    /// The name of a child of two parents.
    pub(crate) fn child(
        &self,
        sex: Sex,
        father: &PersonName<'a>,
        mother: &PersonName<'a>,
        draw: &mut Draw,
    ) -> PersonName<'a> {
        let fathers = father.family.last().copied();
        let family = match self.custom {
            Custom::FamilyName { .. } | Custom::Nigerian { .. } => fathers.into_iter().collect(),
            Custom::Lusophone => mother.family.last().copied().into_iter().chain(fathers).collect(),
            Custom::Patronymic => vec![father.given[0], father.family[0]],
            Custom::Spanish => vec![father.family[0], mother.family[0]],
        };
        PersonName {
            given: self.given_names(sex, draw),
            family,
        }
    }

    /// The name of a brother or sister of somebody.
    pub(crate) fn sibling(&self, sex: Sex, of: &PersonName<'a>, draw: &mut Draw) -> PersonName<'a> {
        PersonName {
            given: self.given_names(sex, draw),
            family: of.family.clone(),
        }
    }

    /// The name of a wife's husband that she may be registered under; `None` where wives keep theirs everywhere.
    pub(crate) fn married_name(&self, husband: &PersonName<'a>) -> Option<&'static str> {
        match self.custom {
            Custom::FamilyName { .. } | Custom::Lusophone | Custom::Nigerian { .. } => {
                husband.family.last().map(|token| token.text)
            }
            Custom::Patronymic | Custom::Spanish => None,
        }
    }

    fn given_names(&self, sex: Sex, draw: &mut Draw) -> Vec<Token<'a>> {
        let mut given = vec![token(self.names.given(sex).draw(draw), draw)];
        let second = match self.custom {
            Custom::FamilyName { second_given } => draw.chance(second_given).then_some(self.names),
            Custom::Lusophone => draw.chance(SECOND_GIVEN_LUSOPHONE).then_some(self.names),
            Custom::Nigerian { english } => self.english.filter(|_| draw.chance(english)),
            Custom::Patronymic => None,
            Custom::Spanish => draw.chance(SECOND_GIVEN_SPANISH).then_some(self.names),
        };
        if let Some(second) = second {
            let second = token(second.given(sex).draw(draw), draw);
            if second.text != given[0].text {
                given.push(second);
            }
            // Some use the English name first.
            if matches!(self.custom, Custom::Nigerian { .. }) && draw.chance(0.5) {
                given.reverse();
            }
        }
        given
    }

    fn surname(&self, draw: &mut Draw) -> Token<'a> {
        let mut surname = token(self.names.family().draw(draw), draw);
        if self.custom == Custom::Lusophone && draw.chance(PARTICLE) {
            surname.particle = Some(match surname.text {
                text if text.ends_with("os") => "dos",
                text if text.ends_with('a') => "da",
                _ => "de",
            });
        }
        surname
    }
}

fn token<'a>(name: &'a Name, draw: &mut Draw) -> Token<'a> {
    Token {
        text: name.spelling(draw),
        particle: None,
        name,
    }
}

const SECOND_GIVEN_LUSOPHONE: f64 = 0.55;
const SECOND_GIVEN_SPANISH: f64 = 0.35;

/// Share of Nigerians of the north and others who have their father's given name in place of a family name.
const FATHERS_NAME_NIGERIAN: f64 = 0.15;

/// Share of Portuguese surnames with a particle.
const PARTICLE: f64 = 0.22;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::NameBook;

    fn family(custom: Custom, pool: &str) -> [Vec<&'static str>; 3] {
        let book = NameBook::load(&[pool]);
        let naming = Naming {
            custom,
            names: book.pools(pool),
            english: None,
        };
        let draw = &mut Draw::new(5, "family");
        let father = naming.adult(Sex::Male, draw);
        let mother = naming.adult(Sex::Female, draw);
        let child = naming.child(Sex::Female, &father, &mother, draw);
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
