use std::collections::HashSet;
use std::hash::Hash;

use serde::Serialize;

/// Links against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinkageQuality {
    /// Links that are true.
    pub true_links: u64,
    /// Links that are not.
    pub false_links: u64,
    /// True matches that are not linked.
    pub missed_matches: u64,
    /// True links / links; `None` without links.
    pub precision: Option<f64>,
    /// True links / true matches; `None` without true matches.
    pub recall: Option<f64>,
    /// 2·true links / (links + true matches); `None` without either.
    pub f1: Option<f64>,
}

impl LinkageQuality {
    /// Compares links with true matches; a pair given twice counts once.
    #[expect(clippy::cast_precision_loss, reason = "counts of records")]
    pub fn measure<T: Eq + Hash>(links: &HashSet<T>, truth: &HashSet<T>) -> Self {
        let to_count = |len: usize| u64::try_from(len).expect("a length fits in 64 bits");
        let true_links = links.intersection(truth).count();
        let ratio = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            true_links: to_count(true_links),
            false_links: to_count(links.len() - true_links),
            missed_matches: to_count(truth.len() - true_links),
            precision: ratio(true_links, links.len()),
            recall: ratio(true_links, truth.len()),
            f1: ratio(2 * true_links, links.len() + truth.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_kind() {
        let quality =
            LinkageQuality::measure(&HashSet::from([1, 2, 3, 4]), &HashSet::from([2, 3, 4, 5, 6, 7]));
        assert_eq!(
            (quality.true_links, quality.false_links, quality.missed_matches),
            (3, 1, 3)
        );
        assert_eq!(
            (quality.precision, quality.recall, quality.f1),
            (Some(0.75), Some(0.5), Some(0.6))
        );
    }

    #[test]
    fn nothing_gives_no_number() {
        let quality = LinkageQuality::measure(&HashSet::<u8>::new(), &HashSet::new());
        assert_eq!(
            (quality.precision, quality.recall, quality.f1),
            (None, None, None)
        );
    }
}
