use corridor_core::{AgeBands, Corridor, DisclosureRule};

use crate::estimate::chapman;
use crate::published::{FlowCounts, FlowRow, PublishedTable, YearRow};
use crate::reconcile::{Counts, SideClasses, YearClasses};
use crate::table::{CorridorTable, FlowTable, Group, Node};

/// Something after disclosure control: the only form in which a table may leave. Made by [`protect`] alone.
///
/// ```compile_fail
/// use corridor_flows::{Disclosable, FlowTable};
/// fn forge(table: FlowTable) -> Disclosable<FlowTable> {
///     Disclosable { inner: table }
/// }
/// ```
///
/// ```compile_fail
/// use corridor_flows::{Disclosable, FlowTable};
/// fn forge(table: FlowTable) -> Disclosable<FlowTable> {
///     Disclosable::from(table)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Disclosable<T> {
    inner: T,
    published: PublishedTable,
}

impl Disclosable<FlowTable> {
    /// What may be seen.
    pub const fn as_published(&self) -> &PublishedTable {
        &self.published
    }

    /// What may be seen, taken out; the counts behind it are dropped.
    pub fn into_published(self) -> PublishedTable {
        drop(self.inner);
        self.published
    }
}

/// Suppresses what must not be seen.
///
/// A row is unsafe when one of its counts is above 0 and below the rule's minimum; the whole row goes then.
/// The table is a tree (all → years → sexes → age bands), so that the only sums an outsider can use are
/// "children add up to their parent": under every published parent, further rows go until the suppressed ones
/// are at least two and together reach the minimum in every count they have (or have none of it). What is
/// below a suppressed row goes too. Then any suppressed count can be anything from 0 to that sum. Which of the
/// suppressed rows was unsafe is not said, since that would narrow the others.
///
/// The yearly classes share sums with the table and are suppressed in the groups that share them. A move counted in two
/// years joins these: what one office has as "timing" in one year, the other has in the next. So where one such count
/// must not be seen, none of the corridor is shown.
pub fn protect(table: FlowTable, rule: &DisclosureRule, age_bands: &AgeBands) -> Disclosable<FlowTable> {
    let minimum = u64::from(rule.minimum_count);
    let mut published = PublishedTable::default();
    for corridor in &table.corridors {
        let suppressed_root = is_unsafe(&corridor.root.counts, minimum);
        let mut walk = Walk {
            corridor: corridor.terms.corridor,
            minimum,
            age_bands,
            rows: &mut published.rows,
        };
        walk.publish(&corridor.root, suppressed_root, Place::default());
        publish_years(corridor, minimum, &published.rows, &mut published.years);
    }
    Disclosable {
        inner: table,
        published,
    }
}

fn measures(counts: &Counts) -> [u64; 5] {
    [
        counts.matched,
        counts.only_origin,
        counts.only_destination,
        counts.emigrations(),
        counts.immigrations(),
    ]
}

const fn is_small(count: u64, minimum: u64) -> bool {
    count > 0 && count < minimum
}

fn is_unsafe(counts: &Counts, minimum: u64) -> bool {
    measures(counts).iter().any(|&count| is_small(count, minimum))
}

/// Which children of a published parent are suppressed.
fn suppressed_children(children: &[Node], minimum: u64) -> Vec<bool> {
    let mut suppressed: Vec<bool> = children
        .iter()
        .map(|child| is_unsafe(&child.counts, minimum))
        .collect();
    if !suppressed.contains(&true) {
        return suppressed;
    }
    // Empty rows hide nothing, so that only others can go along; the smallest lose least.
    let size = |child: &Node| child.counts.emigrations() + child.counts.immigrations();
    let mut others: Vec<usize> = (0..children.len())
        .filter(|&position| !suppressed[position] && size(&children[position]) > 0)
        .collect();
    others.sort_by_key(|&position| (size(&children[position]), position));
    let mut others = others.into_iter();
    while !hides(children, &suppressed, minimum) {
        // All children with a count together are the parent, which is safe: the loop ends before.
        let Some(next) = others.next() else { break };
        suppressed[next] = true;
    }
    suppressed
}

fn hides(children: &[Node], suppressed: &[bool], minimum: u64) -> bool {
    let mut sum = Counts::default();
    let mut count = 0;
    for (child, _) in children
        .iter()
        .zip(suppressed)
        .filter(|(_, suppressed)| **suppressed)
    {
        sum.add(&child.counts);
        count += 1;
    }
    count >= 2 && !is_unsafe(&sum, minimum)
}

/// Where in the tree a row is.
#[derive(Debug, Clone, Default)]
struct Place {
    year: Option<i16>,
    sex: Option<corridor_core::Sex>,
    age_band: Option<String>,
}

struct Walk<'a> {
    corridor: Corridor,
    minimum: u64,
    age_bands: &'a AgeBands,
    rows: &'a mut Vec<FlowRow>,
}

impl Walk<'_> {
    fn publish(&mut self, node: &Node, suppressed: bool, place: Place) {
        let counts = (!suppressed).then(|| FlowCounts {
            emigrations: node.counts.emigrations(),
            immigrations: node.counts.immigrations(),
            matched: node.counts.matched,
            only_origin: node.counts.only_origin,
            only_destination: node.counts.only_destination,
        });
        self.rows.push(FlowRow {
            corridor: self.corridor,
            year: place.year,
            sex: place.sex,
            age_band: place.age_band.clone(),
            counts,
            estimate: counts.and_then(|c| chapman(c.emigrations, c.immigrations, c.matched)),
        });
        let below = if suppressed {
            vec![true; node.children.len()]
        } else {
            suppressed_children(&node.children, self.minimum)
        };
        for (child, suppressed) in node.children.iter().zip(below) {
            let mut place = place.clone();
            match child.group {
                Group::All => {}
                Group::Year(year) => place.year = Some(year),
                Group::Sex(sex) => place.sex = Some(sex),
                Group::AgeBand(band) => {
                    let label = band.and_then(|band| self.age_bands.label(band));
                    place.age_band = Some(label.unwrap_or_else(|| "unknown".to_owned()));
                }
            }
            self.publish(child, suppressed, place);
        }
    }
}

/// The yearly classes. Sums with published rows: matched = agree + timing (destination); only_origin =
/// partner + unmatched (origin); only_destination = partner + unmatched (destination).
fn publish_years(corridor: &CorridorTable, minimum: u64, rows: &[FlowRow], years: &mut Vec<YearRow>) {
    let show_pairs = corridor.years.values().all(|classes| {
        let pairs = [classes.agree, classes.origin.timing, classes.destination.timing];
        !pairs.iter().any(|&count| is_small(count, minimum))
    });
    for (&year, classes) in &corridor.years {
        let row_is_published = rows.iter().any(|row| {
            row.corridor == corridor.terms.corridor
                && row.year == Some(year)
                && row.sex.is_none()
                && row.counts.is_some()
        });
        years.push(if row_is_published {
            publish_year((corridor.terms.corridor, year), classes, show_pairs, minimum)
        } else {
            YearRow::suppressed(corridor.terms.corridor, year)
        });
    }
}

fn publish_year(
    (corridor, year): (Corridor, i16),
    classes: &YearClasses,
    show_pairs: bool,
    minimum: u64,
) -> YearRow {
    let YearClasses {
        agree,
        origin,
        destination,
    } = *classes;
    let any_small = |counts: &[u64]| counts.iter().any(|&count| is_small(count, minimum));
    let show = |side: SideClasses| !any_small(&[side.partner, side.unmatched]);
    // agree + timing (origin) is E less the published only_origin: a small one must not be derived.
    let show_emigrations = !any_small(&[agree + origin.timing, classes.emigrations()]);
    let (show_origin, show_destination) = (show(origin), show(destination));
    YearRow {
        corridor,
        year,
        emigrations: show_emigrations.then(|| classes.emigrations()),
        immigrations: Some(classes.immigrations()),
        agree: show_pairs.then_some(agree),
        timing_origin: (show_pairs && show_emigrations).then_some(origin.timing),
        timing_destination: show_pairs.then_some(destination.timing),
        partner_origin: show_origin.then_some(origin.partner),
        partner_destination: show_destination.then_some(destination.partner),
        unmatched_origin: show_origin.then_some(origin.unmatched),
        unmatched_destination: show_destination.then_some(destination.unmatched),
    }
}

#[cfg(test)]
mod tests;
