//! How many spellings of one name share a key, and how many unrelated names do.

use std::collections::BTreeSet;

use super::{phonetic, skeleton, words};

const SPELLINGS: &str = include_str!("../../tests/data/spellings_sample.tsv");
const NAMES: &str = include_str!("../../tests/data/names_sample.txt");
const FAMILIES: &str = include_str!("../../tests/data/name_variant_families.csv");

fn keys(name: &str, key: fn(&str) -> String) -> BTreeSet<String> {
    words(name).iter().map(|word| key(word)).collect()
}

fn share_skeleton(a: &str, b: &str) -> bool {
    !keys(a, skeleton).is_disjoint(&keys(b, skeleton))
}

fn share_phonetic(a: &str, b: &str) -> bool {
    !keys(a, phonetic).is_disjoint(&keys(b, phonetic))
}

fn share_either(a: &str, b: &str) -> bool {
    share_skeleton(a, b) || share_phonetic(a, b)
}

/// Share of pairs for which `holds`.
fn share<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, holds: fn(&str, &str) -> bool) -> f64 {
    let (mut all, mut held) = (0_u32, 0_u32);
    for (a, b) in pairs {
        all += 1;
        held += u32::from(holds(a, b));
    }
    f64::from(held) / f64::from(all)
}

fn spellings(script: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    SPELLINGS.lines().filter_map(move |line| {
        let (of, pair) = line.split_once('\t')?;
        pair.split_once('\t').filter(|_| of == script)
    })
}

#[test]
fn spellings_of_a_family_share_a_key() {
    let rows: Vec<(&str, &str)> = FAMILIES
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    for (at, (family, name)) in rows.iter().enumerate() {
        for (_, other) in rows[..at].iter().filter(|(of, _)| of == family) {
            assert!(share_either(name, other), "{name} {other}");
        }
    }
}

#[test]
fn keys_find_other_spellings_and_scripts() {
    for (script, skeletons, phonetics, either) in [
        ("arabic", 0.88, 0.91, 0.93),
        ("latin", 0.85, 0.90, 0.91),
        ("ethiopic", 0.96, 0.93, 0.97),
        ("hausa", 0.80, 0.90, 0.90),
    ] {
        for (name, holds, least) in [
            ("skeleton", share_skeleton as fn(&str, &str) -> bool, skeletons),
            ("phonetic", share_phonetic, phonetics),
            ("either", share_either, either),
        ] {
            let found = share(spellings(script), holds);
            assert!(found >= least, "{script} {name}: {found:.3}");
        }
    }
}

#[test]
fn unrelated_names_rarely_share_a_key() {
    let names: Vec<&str> = NAMES.lines().collect();
    for seed in 1..=5_u64 {
        let mut state = seed;
        let mut draw = || {
            // Steps of a linear congruential generator (Knuth, MMIX), the high bits of it.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            names[usize::try_from(state >> 33).unwrap() % names.len()]
        };
        let pairs: Vec<_> = std::iter::repeat_with(|| (draw(), draw()))
            .filter(|(a, b)| a != b)
            .take(1000)
            .collect();
        let found = share(pairs.into_iter(), share_either);
        assert!(found < 0.02, "seed {seed}: {found:.4}");
    }
}
