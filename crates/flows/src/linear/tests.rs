use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver as _, NonnegativeConeT};
use proptest::prelude::*;

use super::*;
use crate::number::{real, real_len};

mod enumeration;

const MINIMUM: u64 = 10;

/// How near a cell's end must be to where it must reach: what both solvers are sure of.
const ABS_TOL: f64 = 0.02;

/// By how much a published sum may be missed.
const PLAY: f64 = 1e-4;

/// Which categories of a dimension a figure may add up.
type Extents = Vec<Vec<u32>>;

/// Each category, and all of them.
fn with_total(categories: u32) -> Extents {
    (0..categories)
        .map(|category| vec![category])
        .chain([(0..categories).collect()])
        .collect()
}

/// Agree, timing at origin, timing at destination, unmatched at origin, at destination; emigrations, immigrations, matched.
fn classes() -> Extents {
    let single = (0..5).map(|class| vec![class]);
    single.chain([vec![0, 1, 3], vec![0, 2, 4], vec![0, 2]]).collect()
}

/// A hypercube: its atoms, and a cell for each combination of extents. `keep` says of each cell whether it is in the table at all, by
/// which dimensions it does not add up.
fn hypercube(
    sizes: &[u32],
    extents: &[Extents],
    atoms: Vec<u64>,
    keep: impl Fn(&[bool]) -> bool,
) -> (LinearTable, Vec<Vec<u32>>) {
    let mut cells = Vec::new();
    let count: usize = extents.iter().map(Vec::len).product();
    for number in 0..count {
        let mut rest = number;
        let mut members = vec![0_u32];
        let mut single = Vec::new();
        for (extents, size) in extents.iter().zip(sizes) {
            let extent = &extents[rest % extents.len()];
            rest /= extents.len();
            single.push(extent.len() == 1);
            members = members
                .iter()
                .flat_map(|base| extent.iter().map(move |place| base * size + place))
                .collect();
        }
        if keep(&single) {
            members.sort_unstable();
            cells.push(LinearCell {
                atoms: members,
                kind: CellKind::Wanted,
                cost: None,
            });
        }
    }
    let count: u32 = sizes.iter().product();
    let places = (0..sizes.len())
        .map(|dimension| {
            let below: u32 = sizes[dimension + 1..].iter().product();
            (0..count).map(|atom| atom / below % sizes[dimension]).collect()
        })
        .collect();
    (LinearTable::try_new(atoms, cells).unwrap(), places)
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0_u64), 4 => 1_u64..10, 3 => 10_u64..60, 1 => 60_u64..900]
}

#[derive(Debug, Clone)]
struct Shape {
    sizes: Vec<u32>,
    extents: Vec<Extents>,
}

/// Two to four dimensions, the last of which may be the classes.
fn any_shape() -> impl Strategy<Value = Shape> {
    (prop::collection::vec(2_u32..=4, 2..=4), any::<bool>()).prop_map(|(mut sizes, classed)| {
        while sizes.iter().product::<u32>() > if classed { 12 } else { 36 } {
            sizes.pop();
        }
        let mut extents: Vec<Extents> = sizes.iter().map(|&size| with_total(size)).collect();
        if classed {
            sizes.push(5);
            extents.push(classes());
        }
        Shape { sizes, extents }
    })
}

/// Hypercubes, linked tables (cells that add up some dimensions only), some cells hidden, with and without places.
fn any_table() -> impl Strategy<Value = LinearTable> {
    let rest = (
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(0_u8..8, 400),
        any::<prop::sample::Index>(),
    );
    (any_shape(), rest).prop_flat_map(|(shape, (linked, with_places, kinds, left_out))| {
        let count = usize::try_from(shape.sizes.iter().product::<u32>()).unwrap();
        prop::collection::vec(any_count(), count).prop_map(move |atoms| {
            // Two tables over one population: each adds up one dimension.
            let dimensions = shape.sizes.len();
            let (one, other) = (
                left_out.index(dimensions),
                (left_out.index(dimensions) + 1) % dimensions,
            );
            let keep = |single: &[bool]| !linked || !single[one] || !single[other];
            let (table, places) = hypercube(&shape.sizes, &shape.extents, atoms, keep);
            let mut cells = table.cells().to_vec();
            for (cell, &kind) in cells.iter_mut().zip(kinds.iter().cycle()) {
                if kind == 0 {
                    cell.kind = CellKind::Hidden;
                }
            }
            let table = LinearTable::try_new(table.atoms().to_vec(), cells).unwrap();
            if with_places {
                table.with_places(places).unwrap()
            } else {
                table
            }
        })
    })
}

/// The least or (`sign` −1) the most that a cell can be, up to one above the minimum: by another solver, of another kind (interior
/// point), over the atoms themselves and every published cell. `filled`: for who knows which atoms are not 0.
fn end(table: &LinearTable, seen: &[bool], cell: usize, sign: f64, filled: bool) -> f64 {
    let count = table.atoms().len();
    let objective: Vec<f64> = {
        let atoms = &table.cells()[cell].atoms;
        (0..u32::try_from(count).unwrap())
            .map(|atom| {
                if atoms.binary_search(&atom).is_ok() {
                    sign
                } else {
                    0.0
                }
            })
            .collect()
    };
    let (mut rows, mut columns, mut values, mut bounds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut row = |atoms: &mut dyn Iterator<Item = usize>, factor: f64, bound: f64| {
        for atom in atoms {
            rows.push(bounds.len());
            columns.push(atom);
            values.push(factor);
        }
        bounds.push(bound);
    };
    let indices = |cell: &LinearCell| -> Vec<usize> {
        cell.atoms
            .iter()
            .map(|&atom| usize::try_from(atom).unwrap())
            .collect()
    };
    let published = || {
        table
            .cells()
            .iter()
            .zip(seen)
            .filter(|(_, seen)| **seen)
            .map(|(cell, _)| cell)
    };
    // Atoms of a published 0 are 0: they are left out, since an interior point needs room.
    let is_open = |&atom: &usize| {
        let position = u32::try_from(atom).unwrap();
        !published().any(|cell| table.value(cell) == 0 && cell.atoms.binary_search(&position).is_ok())
    };
    let open: Vec<usize> = (0..count).filter(is_open).collect();
    let local = |cell: &LinearCell| -> Vec<usize> {
        indices(cell)
            .into_iter()
            .filter_map(|atom| open.binary_search(&atom).ok())
            .collect()
    };
    // Where nothing but the truth fits there would be no interior, without some play.
    for cell in published().filter(|cell| table.value(cell) > 0) {
        row(&mut local(cell).into_iter(), 1.0, real(table.value(cell)) + PLAY);
        row(&mut local(cell).into_iter(), -1.0, PLAY - real(table.value(cell)));
    }
    for (atom, &of_table) in open.iter().enumerate() {
        let is_filled = filled && table.atoms()[of_table] > 0;
        row(
            &mut std::iter::once(atom),
            -1.0,
            if is_filled { PLAY - 1.0 } else { 0.0 },
        );
    }
    let cap = real(MINIMUM + 1).max(real(table.value(&table.cells()[cell])));
    row(&mut local(&table.cells()[cell]).into_iter(), 1.0, cap);
    let objective: Vec<f64> = open.iter().map(|&atom| objective[atom]).collect();
    let cones = [NonnegativeConeT(bounds.len())];
    let matrix = CscMatrix::new_from_triplets(bounds.len(), open.len(), rows, columns, values);
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .max_iter(200)
        .build()
        .unwrap();
    let zero = CscMatrix::zeros((open.len(), open.len()));
    let mut solver = DefaultSolver::new(&zero, &objective, &matrix, &bounds, &cones, settings).unwrap();
    solver.solve();
    let solution = &solver.solution;
    let gap = (solution.obj_val - solution.obj_val_dual).abs();
    let exact = solution.r_prim < 1e-4 && solution.r_dual < 1e-4 && gap < ABS_TOL / 2.0;
    assert!(
        exact,
        "{:?}: {gap}, {}, {}",
        solution.status, solution.r_prim, solution.r_dual
    );
    sign * solution.obj_val
}

fn seen(table: &LinearTable, suppressed: &[bool]) -> Vec<bool> {
    let is_seen = |(cell, &suppressed): (&LinearCell, &bool)| match cell.kind {
        CellKind::Fixed => true,
        CellKind::Hidden => false,
        CellKind::Wanted => !suppressed,
    };
    table.cells().iter().zip(suppressed).map(is_seen).collect()
}

fn is_unsafe(table: &LinearTable, cell: &LinearCell) -> bool {
    (1..MINIMUM).contains(&table.value(cell)) && cell.kind != CellKind::Fixed
}

/// The least and the most that a cell can be.
fn ends(table: &LinearTable, seen: &[bool], cell: usize) -> [f64; 2] {
    [1.0, -1.0].map(|sign| end(table, seen, cell, sign, false))
}

/// Whether a cell with these ends can be anything from 0 to the minimum.
fn is_wide([least, most]: [f64; 2]) -> bool {
    least <= ABS_TOL && most >= real(MINIMUM) - ABS_TOL
}

/// That every unsafe cell is out of sight and wide, and nothing else went that may not.
fn assert_protected(table: &LinearTable, suppression: &Suppression) {
    let suppressed = suppression.suppressed();
    assert_eq!(suppressed.len(), table.cells().len());
    let seen = seen(table, suppressed);
    for (number, cell) in table.cells().iter().enumerate() {
        let may_go = cell.kind == CellKind::Wanted && table.value(cell) > 0;
        assert!(
            may_go || !suppressed[number],
            "cell {number} is suppressed: {cell:?}"
        );
        if is_unsafe(table, cell) {
            assert!(!seen[number], "cell {number} is seen");
            let ends = ends(table, &seen, number);
            assert!(
                is_wide(ends),
                "cell {number}: {ends:?} of {table:?} with {seen:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn an_outsider_cannot_narrow_an_unsafe_cell(table in any_table()) {
        let suppression = suppress(&table, MINIMUM).unwrap();
        assert_protected(&table, &suppression);
        prop_assert_eq!(&suppression, &suppress(&table, MINIMUM).unwrap());
    }

    #[test]
    fn the_audit_says_what_another_solver_says(table in any_table()) {
        // Of the plainest suppression, which is not safe, too.
        let plain = Suppression::of(table.cells().iter().map(|cell| {
            cell.kind == CellKind::Wanted && is_unsafe(&table, cell)
        }).collect());
        for suppression in [plain, suppress(&table, MINIMUM).unwrap()] {
            let seen = seen(&table, suppression.suppressed());
            let intervals = audit(&table, &suppression);
            prop_assert_eq!(intervals.len(), seen.iter().filter(|seen| !**seen).count());
            for interval in intervals {
                let cell = usize::try_from(interval.cell).unwrap();
                let cap = real(MINIMUM + 1).max(real(table.value(&table.cells()[cell])));
                let [lower, upper] = ends(&table, &seen, cell);
                prop_assert!((interval.lower - lower).abs() < ABS_TOL, "{interval:?}: {lower}");
                prop_assert!((interval.upper.min(cap) - upper).abs() < ABS_TOL, "{interval:?}: {upper}");
            }
        }
    }

    #[test]
    fn the_order_of_cells_and_atoms_does_not_matter_for_safety(
        table in any_table(),
        order in any::<u64>(),
    ) {
        let shuffled = shuffle(&table, order);
        assert_protected(&shuffled, &suppress(&shuffled, MINIMUM).unwrap());
    }

    #[test]
    fn what_was_published_before_stays_and_is_used(table in any_table(), wanted in prop::collection::vec(any::<bool>(), 400)) {
        // The first release has some of the cells; the second, all.
        let with_kinds = |kind: &dyn Fn(usize, CellKind) -> CellKind| {
            let mut cells = table.cells().to_vec();
            for (number, cell) in cells.iter_mut().enumerate() {
                cell.kind = kind(number, cell.kind);
            }
            LinearTable::try_new(table.atoms().to_vec(), cells).unwrap()
        };
        // Zeros are published at once: a second release that shows more of them can be one too many.
        let first = with_kinds(&|cell, kind| {
            let shown = wanted[cell % 400] || table.value(&table.cells()[cell]) == 0;
            if shown { kind } else { CellKind::Hidden }
        });
        let released = suppress(&first, MINIMUM).unwrap();
        let was_seen = seen(&first, released.suppressed());
        let second = with_kinds(&|cell, kind| if was_seen[cell] { CellKind::Fixed } else { kind });
        // What protected the first protects the second, too: suppressing all the rest is always an answer.
        let suppression = suppress(&second, MINIMUM).unwrap();
        assert_protected(&second, &suppression);
    }

    #[test]
    fn cells_are_called_narrow_only_when_they_are(table in any_table(), fixed in prop::collection::vec(0_u8..5, 400)) {
        let mut cells = table.cells().to_vec();
        for (number, cell) in cells.iter_mut().enumerate() {
            if fixed[number % 400] == 0 {
                cell.kind = CellKind::Fixed;
            }
        }
        let table = LinearTable::try_new(table.atoms().to_vec(), cells).unwrap();
        match suppress(&table, MINIMUM) {
            Ok(suppression) => assert_protected(&table, &suppression),
            Err(SuppressionError::Narrow { cells }) => {
                prop_assert!(cells.is_sorted() && !cells.is_empty());
                // With everything suppressed that can be.
                let all: Vec<bool> = table.cells().iter().map(|cell| table.value(cell) > 0).collect();
                let seen = seen(&table, &all);
                for cell in cells {
                    let cell = usize::try_from(cell).unwrap();
                    let ends = [end(&table, &seen, cell, 1.0, false), end(&table, &seen, cell, -1.0, true)];
                    prop_assert!(!is_wide(ends), "cell {cell}");
                }
            }
            Err(error @ SuppressionError::Stopped(_)) => panic!("{error}"),
        }
    }
}

/// The same table with its cells and its atoms in another order.
fn shuffle(table: &LinearTable, order: u64) -> LinearTable {
    let key = |number: usize| {
        (u64::try_from(number).unwrap() + 1)
            .wrapping_mul(order | 1)
            .rotate_left(17)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };
    let mut atoms: Vec<usize> = (0..table.atoms().len()).collect();
    atoms.sort_by_key(|&atom| key(atom));
    let mut new_of = vec![0_u32; atoms.len()];
    for (new, &old) in (0_u32..).zip(&atoms) {
        new_of[old] = new;
    }
    let mut cells: Vec<(usize, LinearCell)> = table.cells().iter().cloned().enumerate().collect();
    cells.sort_by_key(|(number, _)| key(*number));
    let cells = cells.into_iter().map(|(_, mut cell)| {
        for atom in &mut cell.atoms {
            *atom = new_of[usize::try_from(*atom).unwrap()];
        }
        cell.atoms.sort_unstable();
        cell
    });
    let places = table
        .places()
        .iter()
        .map(|places| atoms.iter().map(|&old| places[old]).collect());
    let shuffled = LinearTable::try_new(
        atoms.iter().map(|&old| table.atoms()[old]).collect(),
        cells.collect(),
    );
    shuffled.unwrap().with_places(places.collect()).unwrap()
}

fn wanted(atoms: &[u32]) -> LinearCell {
    LinearCell {
        atoms: atoms.to_vec(),
        kind: CellKind::Wanted,
        cost: None,
    }
}

#[test]
fn a_single_small_cell_takes_the_cheapest_along() {
    let cells = vec![
        wanted(&[0]),
        wanted(&[1]),
        wanted(&[2]),
        wanted(&[3]),
        wanted(&[0, 1, 2, 3]),
    ];
    let suppressed = |cells: Vec<LinearCell>| {
        let table = LinearTable::try_new(vec![4, 12, 300, 0], cells).unwrap();
        suppress(&table, MINIMUM).unwrap().suppressed().to_vec()
    };
    assert_eq!(suppressed(cells.clone()), [true, true, false, false, false]);
    // What the caller holds dear stays.
    let mut dear = cells.clone();
    dear[1].cost = Some(100.0);
    assert_eq!(suppressed(dear.clone()), [true, false, true, false, false]);
    // The sum is cheapest.
    dear[4].cost = Some(0.1);
    assert_eq!(suppressed(dear), [true, false, false, false, true]);
    // A part of 5 cannot give 6.
    let table = LinearTable::try_new(vec![4, 5, 300, 0], cells).unwrap();
    assert_eq!(
        suppress(&table, MINIMUM).unwrap().suppressed(),
        [true, true, true, false, false]
    );
}

#[test]
fn what_was_published_before_can_make_a_cell_too_narrow() {
    let mut cells = vec![wanted(&[0]), wanted(&[1]), wanted(&[0, 1])];
    cells[1].kind = CellKind::Fixed;
    cells[2].kind = CellKind::Fixed;
    let table = LinearTable::try_new(vec![4, 12], cells.clone()).unwrap();
    assert_eq!(
        suppress(&table, MINIMUM),
        Err(SuppressionError::Narrow { cells: vec![0] })
    );
    // With one of them, the cell has room.
    cells[1].kind = CellKind::Wanted;
    let table = LinearTable::try_new(vec![4, 12], cells.clone()).unwrap();
    assert_eq!(
        suppress(&table, MINIMUM).unwrap().suppressed(),
        [true, true, false]
    );
    cells[0].kind = CellKind::Hidden;
    let table = LinearTable::try_new(vec![4, 12], cells).unwrap();
    let suppression = suppress(&table, MINIMUM).unwrap();
    assert_eq!(suppression.suppressed(), [false, true, false]);
    let [first, second] = audit(&table, &suppression)[..] else {
        panic!("two cells are not seen")
    };
    assert_eq!((first.cell, second.cell), (0, 1));
    for interval in [first, second] {
        assert!(
            interval.lower.abs() < ABS_TOL && (interval.upper - 16.0).abs() < ABS_TOL,
            "{interval:?}"
        );
    }
}

#[test]
fn a_table_with_nothing_to_hide_is_published() {
    let table = LinearTable::try_new(
        vec![0, 10, 300],
        vec![wanted(&[0]), wanted(&[1]), wanted(&[0, 1, 2])],
    )
    .unwrap();
    assert_eq!(suppress(&table, MINIMUM).unwrap().suppressed(), [false; 3]);
    let empty = LinearTable::try_new(Vec::new(), Vec::new()).unwrap();
    assert!(suppress(&empty, MINIMUM).unwrap().suppressed().is_empty());
    assert!(audit(&empty, &suppress(&empty, MINIMUM).unwrap()).is_empty());
}

#[test]
fn refuses_what_is_no_table() {
    let table = |atoms: Vec<u64>, cells| LinearTable::try_new(atoms, cells);
    for atoms in [&[][..], &[2], &[0, 0], &[1, 0], &[0, 1, 2]] {
        let cells = vec![wanted(&[0]), wanted(atoms)];
        assert_eq!(
            table(vec![1, 2], cells),
            Err(LinearTableError::Atoms { cell: 1 }),
            "{atoms:?}"
        );
    }
    for cost in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let cell = LinearCell {
            cost: Some(cost),
            ..wanted(&[0])
        };
        assert_eq!(
            table(vec![1], vec![cell]),
            Err(LinearTableError::Cost { cell: 0 }),
            "{cost}"
        );
    }
    for atoms in [vec![u64::MAX, 1], vec![1 << 53, 1]] {
        assert_eq!(table(atoms, Vec::new()), Err(LinearTableError::TooLarge));
    }
    let places = table(vec![1, 2], Vec::new())
        .unwrap()
        .with_places(vec![vec![0, 1], vec![0]]);
    assert_eq!(
        places,
        Err(LinearTableError::Places {
            dimension: 1,
            expected: 2,
            got: 1
        })
    );
}

/// Counts that look like a corridor's: products of effects of each category, and noise; the same every time.
fn counts(sizes: &[u32], seed: u64) -> Vec<u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 40).unwrap()) / f64::from(1 << 24)
    };
    let mut means = vec![5.0_f64];
    for &size in sizes {
        let effects: Vec<f64> = (0..size).map(|_| (2.0 * draw()).exp() / 2.5).collect();
        means = means
            .iter()
            .flat_map(|mean| effects.iter().map(move |effect| mean * effect))
            .collect();
    }
    // Exponential counts: many small ones and a long tail.
    means
        .iter()
        .map(|mean| crate::number::whole((mean * -(1.0 - draw()).ln()).floor()).unwrap())
        .collect()
}

#[test]
fn two_thousand_cells_are_protected_with_few_others() {
    for (sizes, most) in [(vec![10, 9, 15], 0.25), (vec![4, 2, 7, 15], 0.50)] {
        let extents: Vec<Extents> = sizes.iter().map(|&size| with_total(size)).collect();
        let (table, places) = hypercube(&sizes, &extents, counts(&sizes, 1), |_| true);
        let table = table.with_places(places).unwrap();
        let suppression = suppress(&table, MINIMUM).unwrap();
        let small = table
            .cells()
            .iter()
            .filter(|cell| is_unsafe(&table, cell))
            .count();
        let gone = suppression
            .suppressed()
            .iter()
            .filter(|suppressed| **suppressed)
            .count();
        let share = real_len(gone - small) / real_len(table.cells().len() - small);
        assert!(
            share < most,
            "{share} of {} cells that are not unsafe, beside {small}",
            table.cells().len()
        );
        // Some of the suppressed by the other solver: all would take minutes.
        let seen = seen(&table, suppression.suppressed());
        let open = (0..seen.len()).filter(|&cell| is_unsafe(&table, &table.cells()[cell]));
        for cell in open.step_by(29) {
            assert!(is_wide(ends(&table, &seen, cell)), "cell {cell}");
        }
    }
}
