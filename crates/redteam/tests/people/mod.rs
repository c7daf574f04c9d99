//! Invented people: no list of names, only syllables.

use corridor_core::SeededEntropy;
use corridor_redteam::PlainList;
use rand_core::Rng;

use tokens::tokens;

mod tokens;

/// Two registers and who is who.
pub(crate) struct Corridor {
    pub(crate) left: PlainList,
    pub(crate) right: PlainList,
    pub(crate) truth: Vec<Option<usize>>,
}

/// Given names, family names, date of birth, sex, citizenship.
type Person = [String; 5];

/// A corridor of `count` records a side, of which `common` are the same people, a third of them written otherwise.
/// The list of the other side begins with strangers.
pub(crate) fn corridor(count: usize, common: usize, seed: u64, salted: bool, weight: u32) -> Corridor {
    let mut entropy = SeededEntropy::new(seed, "invented people");
    let people: Vec<Person> = (0..2 * count - common).map(|_| person(&mut entropy)).collect();
    let mut left = PlainList::new();
    let mut right = PlainList::new();
    for person in &people[..count] {
        push(&mut left, person, salted, weight);
    }
    for person in &people[count..] {
        push(&mut right, person, salted, weight);
    }
    for person in people[..common].iter().rev() {
        push(&mut right, &rewritten(person, &mut entropy), salted, weight);
    }
    let truth = (0..count)
        .map(|record| (record < common).then(|| count - 1 - record))
        .collect();
    Corridor { left, right, truth }
}

fn push(list: &mut PlainList, person: &Person, salted: bool, weight: u32) {
    let [given, family, birth, sex, citizenship] = person;
    let (salt, tokens) = tokens([given, family, birth, sex, citizenship], salted);
    list.push(&salt, tokens.into_iter().map(|token| (token, weight)));
}

fn person(entropy: &mut SeededEntropy) -> Person {
    [
        name(entropy, 300),
        name(entropy, 2000),
        format!(
            "{}-{:02}-{:02}",
            1950 + below(60, entropy),
            1 + below(12, entropy),
            1 + below(28, entropy)
        ),
        ["F", "M"][below(2, entropy)].to_owned(),
        ["TN", "TN", "TN", "IT"][below(4, entropy)].to_owned(),
    ]
}

/// One of `kinds` names, of which the first are common and the last rare.
fn name(entropy: &mut SeededEntropy, kinds: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "chi", "dou", "fa", "gha", "ha", "ja", "ka", "li", "mou", "na", "ri", "sa", "te", "wa", "zi",
    ];
    let kind = below(kinds, entropy) * below(kinds, entropy) / kinds;
    let mut hash = (kind * kinds + 7).wrapping_mul(0x9e37_79b1);
    let mut name = String::new();
    for _ in 0..2 + kind % 3 {
        name.push_str(SYLLABLES[hash >> 12 & 15]);
        hash = hash.wrapping_mul(0x85eb_ca6b) & 0xffff_ffff;
    }
    name
}

fn rewritten(person: &Person, entropy: &mut SeededEntropy) -> Person {
    let mut rewritten = person.clone();
    if below(3, entropy) == 0 {
        let field = below(2, entropy);
        let at = below(rewritten[field].len(), entropy);
        rewritten[field].replace_range(at..=at, "e");
    }
    rewritten
}

fn below(bound: usize, entropy: &mut SeededEntropy) -> usize {
    usize::try_from(entropy.next_u64() % u64::try_from(bound).unwrap()).unwrap()
}
