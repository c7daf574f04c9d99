//! Arabic script, with the letters Persian, Urdu and the Maghreb add.

use super::letters::push_letter;
use super::syllables::{self, Sound};

/// Spells a run of Arabic letters in Latin: long vowels as vowels, the article as `el`, a vowel where the
/// script leaves one out. Particles that are words of their own get their usual Latin form.
pub(super) fn spell(run: &[char], latin: &mut String) {
    let particle = PARTICLES
        .iter()
        .find(|(arabic, _)| arabic.chars().eq(run.iter().map(|&c| plain(c))));
    if let Some((_, usual)) = particle {
        latin.push_str(usual);
        return;
    }
    let mut rest = run;
    if let [first, 'ل', _, _, _, ..] = run
        && matches!(plain(*first), 'ا')
    {
        latin.push_str("el");
        rest = &run[2..];
    }
    let mut sounds = Vec::with_capacity(rest.len());
    for (at, &letter) in rest.iter().enumerate() {
        match rest[at..] {
            // The name of God, whose first two letters are one and whose vowel is never left out.
            ['ل', 'ل', 'ه'] => continue,
            ['ل', 'ه'] if at > 0 && rest[at - 1] == 'ل' => {
                sounds.extend([Sound::Consonant("l"), Sound::Vowel("a")]);
                continue;
            }
            _ => {}
        }
        if let Some(sound) = sound(rest, at) {
            sounds.push(sound);
        } else if !is_silent(letter) {
            syllables::spell(&sounds, FILLER, latin);
            sounds.clear();
            push_letter(letter, latin);
        }
    }
    syllables::spell(&sounds, FILLER, latin);
}

/// The most common short vowel.
const FILLER: &str = "a";

/// Words that belong to the next, without hamza.
const PARTICLES: &[(&str, &str)] = &[
    ("ابن", "ibn"),
    ("ابو", "abu"),
    ("ابي", "abi"),
    ("ال", "el"),
    ("ايت", "ait"),
    ("بن", "ben"),
    ("بنت", "bint"),
    ("بني", "beni"),
    ("بو", "bu"),
    ("عبد", "abd"),
    ("منت", "mint"),
    ("ولد", "uld"),
];

/// The letter without hamza, and one letter for the forms of alef and yeh.
fn plain(letter: char) -> char {
    match letter {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ی' | 'ى' => 'ي',
        _ => letter,
    }
}

/// Hamza, which no Latin spelling keeps.
fn is_silent(letter: char) -> bool {
    matches!(letter, 'ء' | 'ٴ')
}

fn sound(run: &[char], at: usize) -> Option<Sound> {
    use Sound::{Consonant, Vowel};
    let next = run.get(at + 1).copied().map(plain);
    // A glide is a consonant where no other consonant carries it.
    let alone = at == 0 || matches!(plain(run[at - 1]), 'ا' | 'و' | 'ي' | 'ع');
    let before_vowel = alone && matches!(next, Some('ا' | 'و' | 'ي' | 'ة' | 'ؤ'));
    let last = next.is_none();
    Some(match run[at] {
        'إ' => Vowel("i"),
        'ا' | 'أ' | 'آ' | 'ٱ' | 'ع' => Vowel("a"),
        'ى' if last => Vowel("a"),
        'ة' if at > 0 && plain(run[at - 1]) == 'ا' => Consonant("t"),
        'ة' => Vowel("a"),
        'و' if at == 0 || before_vowel => Consonant("w"),
        'و' | 'ؤ' | 'ۆ' | 'ۇ' => Vowel("u"),
        'ي' | 'ی' | 'ى' if at == 0 || before_vowel => Consonant("y"),
        'ي' | 'ی' | 'ى' | 'ئ' | 'ې' | 'ے' => Vowel("i"),
        'ب' => Consonant("b"),
        'پ' => Consonant("p"),
        'ت' | 'ط' | 'ٹ' => Consonant("t"),
        'ث' => Consonant("th"),
        'ج' => Consonant("j"),
        'چ' => Consonant("ch"),
        'ح' | 'ه' | 'ہ' | 'ھ' | 'ە' => Consonant("h"),
        'خ' => Consonant("kh"),
        'د' | 'ض' | 'ڈ' => Consonant("d"),
        'ذ' => Consonant("dh"),
        'ر' | 'ڑ' => Consonant("r"),
        'ز' | 'ظ' => Consonant("z"),
        'ژ' => Consonant("j"),
        'س' | 'ص' => Consonant("s"),
        'ش' => Consonant("sh"),
        'غ' => Consonant("gh"),
        'ف' => Consonant("f"),
        'ڤ' | 'ڥ' => Consonant("v"),
        'ق' => Consonant("q"),
        'ڨ' | 'ڭ' | 'گ' | 'ݣ' => Consonant("g"),
        'ك' | 'ک' => Consonant("k"),
        'ل' => Consonant("l"),
        'م' => Consonant("m"),
        'ن' | 'ں' => Consonant("n"),
        _ => return None,
    })
}
