use std::collections::HashMap;

use corridor_core::Sex;

use crate::draw::{Draw, running_totals};

/// A name and the ways it is spelt.
#[derive(Debug)]
pub(crate) struct Name {
    /// In the country of the pool, by how often.
    own: Spellings,
    /// In any country, where the lists know more than one spelling.
    anywhere: Spellings,
}

#[derive(Debug, Default)]
struct Spellings {
    texts: Vec<&'static str>,
    totals: Vec<u32>,
}

impl Spellings {
    fn from_counts(counts: &[(&'static str, u32)]) -> Self {
        Self {
            texts: counts.iter().map(|&(text, _)| text).collect(),
            totals: running_totals(counts.iter().map(|&(_, count)| count)),
        }
    }
}

impl Name {
    /// A spelling as common in the country as the lists say.
    pub(crate) fn spelling(&self, draw: &mut Draw) -> &'static str {
        self.own.texts[draw.by_weight(&self.own.totals)]
    }

    /// Another attested spelling than `text`, by how often it is met anywhere; `None` when there is none.
    pub(crate) fn other_spelling(&self, text: &str, draw: &mut Draw) -> Option<&'static str> {
        // A few tries, not a search: a spelling that nearly everybody uses is seldom left.
        (0..TRIES)
            .map(|_| &self.anywhere)
            .take_while(|spellings| spellings.texts.len() > 1)
            .map(|spellings| spellings.texts[draw.by_weight(&spellings.totals)])
            .find(|&other| other != text)
    }
}

const TRIES: usize = 4;

/// Share of a name's mentions below which a spelling is taken for a slip of the list.
const RARE_SPELLING_SHARE: u32 = 50;

/// Names of one kind in one country, drawn by how common they are.
#[derive(Debug)]
pub(crate) struct Pool {
    names: Vec<Name>,
    totals: Vec<u32>,
}

impl Pool {
    /// A name.
    pub(crate) fn draw(&self, draw: &mut Draw) -> &Name {
        &self.names[draw.by_weight(&self.totals)]
    }
}

/// The names of one country or tradition.
#[derive(Debug)]
pub(crate) struct NamePools {
    women: Pool,
    men: Pool,
    family: Option<Pool>,
}

impl NamePools {
    /// Given names of a sex.
    pub(crate) const fn given(&self, sex: Sex) -> &Pool {
        match sex {
            Sex::Female => &self.women,
            Sex::Male | Sex::Unknown => &self.men,
        }
    }

    /// Family names; the given names of men where people have no family name.
    pub(crate) fn family(&self) -> &Pool {
        self.family.as_ref().unwrap_or(&self.men)
    }
}

/// The embedded names of the countries a corridor needs.
#[derive(Debug)]
pub(crate) struct NameBook(HashMap<&'static str, NamePools>);

impl NameBook {
    /// Reads the pools named.
    ///
    /// # Panics
    /// When a pool is not in the embedded lists, which a test over all corridors excludes.
    pub(crate) fn load(pools: &[&str]) -> Self {
        let anywhere = read_spellings();
        let mut roles: HashMap<(&'static str, &'static str), Vec<Name>> = HashMap::new();
        let mut weights: HashMap<(&'static str, &'static str), Vec<u32>> = HashMap::new();
        let mut lines = lines_of(NAMES).peekable();
        while let Some([pool, role, group, spelling, count]) = lines.next() {
            let mut counts = vec![(spelling, to_count(count))];
            // Lines are sorted by pool, role and group.
            while let Some([_, _, _, spelling, count]) =
                lines.next_if(|next| next[..3] == [pool, role, group])
            {
                counts.push((spelling, to_count(count)));
            }
            if !pools.contains(&pool) {
                continue;
            }
            let weight = counts.iter().map(|&(_, count)| count).sum();
            weights.entry((pool, role)).or_default().push(weight);
            roles.entry((pool, role)).or_default().push(Name {
                own: Spellings::from_counts(&counts),
                anywhere: anywhere
                    .get(group)
                    .map_or_else(Spellings::default, |counts| Spellings::from_counts(counts)),
            });
        }
        let mut take = |pool, role| {
            let names = roles.remove(&(pool, role))?;
            let totals = running_totals(weights.remove(&(pool, role))?.into_iter());
            Some(Pool { names, totals })
        };
        let known = POOLS.iter().filter(|pool| pools.contains(pool));
        Self(
            known
                .map(|&pool| {
                    let pools = NamePools {
                        women: take(pool, "given_f").expect("each pool has given names of women"),
                        men: take(pool, "given_m").expect("each pool has given names of men"),
                        family: take(pool, "family"),
                    };
                    (pool, pools)
                })
                .collect(),
        )
    }

    /// The names of a pool that was loaded.
    pub(crate) fn pools(&self, pool: &str) -> &NamePools {
        self.0.get(pool).expect("a corridor names its pools")
    }

    /// English names, where they were loaded.
    pub(crate) fn english(&self) -> Option<&NamePools> {
        self.0.get(ENGLISH)
    }
}

/// English and other given names Nigerians have beside one of their own tradition.
pub(crate) const ENGLISH: &str = "NG-EN";

/// Every pool of the embedded lists.
const POOLS: &[&str] = &[
    "AO", "CV", "DE", "DZ", "ER", "ES", "FR", "IT", "MA", "NG-EN", "NG-HA", "NG-IG", "NG-YO", "NL", "PT",
    "SN", "TN",
];

/// Names by pool, role, group and spelling: `data/README.md` says whence.
const NAMES: &str = include_str!("../data/names.csv");

/// How names of a group are spelt in any country.
const SPELLINGS: &str = include_str!("../data/spellings.csv");

fn read_spellings() -> HashMap<&'static str, Vec<(&'static str, u32)>> {
    let mut groups: HashMap<&str, Vec<(&str, u32)>> = HashMap::new();
    for [group, spelling, count] in lines_of(SPELLINGS) {
        groups.entry(group).or_default().push((spelling, to_count(count)));
    }
    for counts in groups.values_mut() {
        let total: u32 = counts.iter().map(|&(_, count)| count).sum();
        counts.retain(|&(_, count)| count.saturating_mul(RARE_SPELLING_SHARE) >= total);
    }
    groups
}

/// The cells of an embedded table: no cell holds a comma, a quote or a line break.
pub(crate) fn lines_of<const CELLS: usize>(
    table: &'static str,
) -> impl Iterator<Item = [&'static str; CELLS]> {
    table.lines().skip(1).map(|line| {
        let mut cells = line.split(',');
        std::array::from_fn(|_| cells.next().expect("each line has all cells"))
    })
}

fn to_count(text: &str) -> u32 {
    text.parse().expect("counts are whole numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pool_of_the_lists_is_known_and_can_be_drawn_from() {
        let listed: BTreeSet<&str> = lines_of::<5>(NAMES).map(|[pool, ..]| pool).collect();
        assert!(listed.iter().eq(POOLS.iter()));
        let book = NameBook::load(POOLS);
        let mut draw = Draw::new(1, "names");
        for pool in POOLS {
            for _ in 0..200 {
                let names = book.pools(pool);
                for drawn in [names.given(Sex::Female), names.given(Sex::Male), names.family()] {
                    assert!(drawn.draw(&mut draw).spelling(&mut draw).len() >= 2);
                }
            }
        }
    }

    #[test]
    fn no_cell_needs_quotes() {
        for table in [NAMES, SPELLINGS] {
            assert!(!table.contains('"') && !table.contains('\r'));
        }
        assert!(
            lines_of::<5>(NAMES).all(|[.., spelling, count]| !spelling.is_empty() && to_count(count) > 0)
        );
    }

    #[test]
    fn another_spelling_is_attested_and_different() {
        let book = NameBook::load(&["TN"]);
        let mut draw = Draw::new(1, "other");
        let men = book.pools("TN").given(Sex::Male);
        let other = (0..500)
            .filter(|_| {
                let name = men.draw(&mut draw);
                let own = name.spelling(&mut draw);
                let other = name.other_spelling(own, &mut draw);
                assert_ne!(other, Some(own));
                other.is_some()
            })
            .count();
        assert!(other > 250, "{other} of 500 names have another spelling");
    }
}
