use corridor_core::{Entropy, Measure, Stopped, Threshold};
use corridor_kernel::{FilterMatrix, Kernel, Search};
use rayon::prelude::*;

use crate::fields::model::FieldModel;
use crate::null::{NullDistribution, own_rows_wanted, sample_rows};
use crate::side::LinkSide;
use crate::tile::{CandidatePair, to_cut, to_index};

/// Records a thread compares at a time.
const ROWS: usize = 16;

/// Puts the score of their match weight in place of the similarity of the whole filters of candidate pairs.
pub(super) fn score_candidates(
    (left, right): (&LinkSide<'_>, &LinkSide<'_>),
    model: &FieldModel,
    candidates: &mut [CandidatePair],
) {
    candidates.par_iter_mut().for_each(|pair| {
        pair.similarity = score(model, (left, to_index(pair.left)), (right, to_index(pair.right)));
    });
}

pub(super) fn score(
    model: &FieldModel,
    (left, row): (&LinkSide<'_>, usize),
    (right, other): (&LinkSide<'_>, usize),
) -> f64 {
    model.score(model.weight(left.row(row), right.row(other)))
}

/// How high different people of one register score: as [`NullDistribution::sample`], of the pairs that would be candidates.
pub(super) fn sample_scores(
    (left, right): (&LinkSide<'_>, &LinkSide<'_>),
    (measure, floor): (Measure, Threshold),
    model: &FieldModel,
    entropy: &mut dyn Entropy,
) -> Result<NullDistribution, Stopped> {
    let mut null = NullDistribution::empty();
    for side in [left, right] {
        let rows = sample_rows(side.len(), own_rows_wanted(side.len()), entropy);
        let kernel = Kernel::best();
        let search = Search::full(to_cut(side, measure, floor));
        let packed = side.packed();
        let of_rows = |rows: &[usize]| {
            left.stop().check()?;
            let words: Vec<u64> = rows.iter().flat_map(|&row| side.row(row)).copied().collect();
            let matrix = FilterMatrix::try_new(&words, side.matrix().words_per_filter())
                .expect("whole filters of a side");
            let mut pairs = Vec::new();
            kernel.pairs_reaching(
                (&matrix, 0..rows.len()),
                (packed, 0..packed.len()),
                &search,
                &mut pairs,
            );
            let strangers = pairs.iter().filter_map(|pair| {
                let (row, other) = (rows[to_index(pair.left)], to_index(pair.right));
                let are_compared = !side.is_constant(row) && !side.is_constant(other);
                (are_compared && side.person_of_row(row) != side.person_of_row(other))
                    .then(|| score(model, (side, row), (side, other)))
            });
            let mut scores = NullDistribution::empty();
            strangers.for_each(|score| scores.add_pair(score));
            let of_others = |row: &usize| side.len() - side.record_count_of(side.person_of_row(*row));
            scores.set_pairs(rows.iter().map(of_others).sum());
            Ok(scores)
        };
        null = rows
            .par_chunks(ROWS)
            .map(of_rows)
            .try_reduce(NullDistribution::empty, |into, from| Ok(into.merged(from)))?
            .merged(null);
    }
    Ok(null)
}
