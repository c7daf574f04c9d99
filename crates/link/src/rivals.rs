use crate::by_person::ByPerson;
use crate::null::bin_of;
use crate::pairs::{PersonPair, PersonPairs};

/// What persons known to be linked rightly would have been linked to, had their partner not been there: the most alike
/// person of the other side who was free at that level. Persons without a partner are taken to be no different,
/// so that this tells how often, and how alike, a greedy assignment links them falsely.
///
/// Members of a household, namesakes and what else the two registers have in common are in it as they are between
/// the registers, with the competition of a one-to-one assignment: a rival who has a better partner is no
/// rival.
#[derive(Debug, Clone)]
pub(crate) struct Rivals {
    /// Persons looked at.
    pub(crate) persons: usize,
    /// Rivals by bin of similarity.
    counts: Vec<u32>,
    /// Bin of the rival of each person who has one.
    bin_of_person: ByPerson<Option<u16>>,
}

/// Which side's persons are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookAt {
    Left,
    Right,
}

impl Rivals {
    /// Looks at the persons of `core`, links that are almost certainly right, on one side. `links` are all greedy links
    /// and `pairs` all candidate pairs they were made from, both by similarity descending.
    pub(crate) fn of(
        core: &[PersonPair],
        links: &[PersonPair],
        pairs: &dyn PersonPairs,
        side: LookAt,
    ) -> Self {
        let own = |pair: &PersonPair| match side {
            LookAt::Left => pair.left_person,
            LookAt::Right => pair.right_person,
        };
        let other = |pair: &PersonPair| match side {
            LookAt::Left => pair.right_person,
            LookAt::Right => pair.left_person,
        };
        let mut partner = ByPerson::new(None);
        for link in core {
            *partner.get_mut(own(link)) = Some(other(link));
        }
        let mut taken_at = ByPerson::new(None);
        for link in links {
            *taken_at.get_mut(other(link)) = Some(link.best.similarity);
        }
        let mut counts = vec![0; bin_of(1.0) + 1];
        let mut bin_of_person = ByPerson::new(None);
        for pair in pairs.walk() {
            let (own, other) = (own(&pair), other(&pair));
            let Some(known) = partner.get(own) else {
                continue;
            };
            if known == other || bin_of_person.get(own).is_some() {
                continue;
            }
            if taken_at
                .get(other)
                .is_none_or(|taken| taken < pair.best.similarity)
            {
                let bin = bin_of(pair.best.similarity);
                *bin_of_person.get_mut(own) = Some(u16::try_from(bin).expect("bins are few"));
                counts[bin] += 1;
            }
        }
        Self {
            // One link of each.
            persons: core.len(),
            counts,
            bin_of_person,
        }
    }

    /// Whether `person` has a rival in `bin` or above.
    pub(crate) fn has_from(&self, person: u32, bin: usize) -> bool {
        let rival = self.bin_of_person.get(person);
        rival.is_some_and(|rival| usize::from(rival) >= bin)
    }

    /// Rivals in `bin` and above.
    pub(crate) fn count_from(&self, bin: usize) -> usize {
        let count: u32 = self.counts[bin..].iter().sum();
        usize::try_from(count).expect("no more rivals than persons")
    }

    /// Rivals in `bin`.
    pub(crate) fn in_bin(&self, bin: usize) -> f64 {
        f64::from(self.counts[bin])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::CandidatePair;

    fn pair(left: u32, right: u32, similarity: f64) -> PersonPair {
        PersonPair {
            left_person: left,
            right_person: right,
            best: CandidatePair {
                left,
                right,
                similarity,
            },
        }
    }

    #[test]
    fn a_rival_is_the_best_one_who_has_no_better_partner() {
        let pairs = [
            pair(0, 0, 0.9),
            pair(1, 1, 0.8),
            // Right 1 has a better partner; right 2 has a worse one, and so would be taken.
            pair(0, 1, 0.7),
            pair(0, 2, 0.6),
            pair(2, 2, 0.5),
            pair(0, 3, 0.4),
        ];
        let links = [pairs[0], pairs[1], pairs[4]];
        let rivals = Rivals::of(&links[..2], &links, &pairs, LookAt::Left);
        assert_eq!(rivals.persons, 2);
        assert_eq!(rivals.counts[bin_of(0.6)], 1);
        assert_eq!(rivals.count_from(0), 1, "left 1 has no rival");
    }
}
