//! One office writes Arabic, in the encoding of its computers; the other Latin.

use std::fs;

use corridor_tests::corridor;
use encoding_rs::WINDOWS_1256;
use serde_json::Value;

/// Given names as the two offices write them.
const GIVEN: [(&str, [&str; 2]); 20] = [
    ("ابتسام", ["Ibtissem", "Ibtissam"]),
    ("ابراهيم", ["Brahim", "Ibrahim"]),
    ("احلام", ["Ahlem", "Ahlam"]),
    ("احمد", ["Ahmed", "Ahmad"]),
    ("ادريس", ["Idriss", "Driss"]),
    ("اسامه", ["Oussama", "Osama"]),
    ("اسماء", ["Asma", "Asmaa"]),
    ("اسماعيل", ["Ismail", "Smaïl"]),
    ("اشرف", ["Achref", "Ashraf"]),
    ("اكرم", ["Akram", "Akrem"]),
    ("الامين", ["Lamine", "El Amine"]),
    ("يوسف", ["Youssef", "Yusuf"]),
    ("خديجه", ["Khadija", "Khedidja"]),
    ("محمد", ["Mohamed", "Muhammad"]),
    ("فاطمه", ["Fatma", "Fatima"]),
    ("سعيد", ["Saïd", "Said"]),
    ("حسين", ["Hussein", "Hocine"]),
    ("رشيد", ["Rachid", "Rashid"]),
    ("نور", ["Nour", "Nur"]),
    ("ياسين", ["Yassine", "Yacine"]),
];

/// Family names.
const FAMILY: [(&str, [&str; 2]); 14] = [
    ("ابراهيمي", ["Brahimi", "Ibrahimi"]),
    ("التونسي", ["Tounsi", "Ettounsi"]),
    ("الخطيب", ["Khatib", "El Khatib"]),
    ("الزاوي", ["Zaoui", "Ezzaoui"]),
    ("الشريف", ["Cherif", "Chérif"]),
    ("الصديق", ["Seddik", "Essedik"]),
    ("العربي", ["Larbi", "El-Arabi"]),
    ("منصوري", ["Mansouri", "Mansuri"]),
    ("بوزيد", ["Bouzid", "Bouzide"]),
    ("حداد", ["Haddad", "Hadded"]),
    ("قاسمي", ["Gasmi", "Kacemi"]),
    ("طرابلسي", ["Trabelsi", "Trabelssi"]),
    ("بن علي", ["Ben Ali", "Benali"]),
    ("زيتوني", ["Zitouni", "Zaytouni"]),
];

/// Made-up people: name, date and sex by position.
struct Person {
    given: usize,
    family: usize,
    spelling: usize,
    born: (usize, usize, usize),
    female: bool,
}

fn person(position: usize) -> Person {
    let mixed = position.wrapping_mul(2_654_435_761) >> 7;
    Person {
        given: mixed % GIVEN.len(),
        family: mixed / 20 % FAMILY.len(),
        spelling: mixed / 3 % 2,
        born: (1950 + mixed / 5 % 50, 1 + mixed / 11 % 12, 1 + mixed / 13 % 28),
        female: (mixed / 17).is_multiple_of(2),
    }
}

#[test]
fn a_register_in_arabic_script_is_drafted_and_linked_with_one_in_latin() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name);
    let (mut arabic, mut latin, mut truth) = (
        "رقم;الاسم;اللقب;تاريخ الميلاد;الجنس\n".to_owned(),
        "id,given_name,surname,birth_date,sex\n".to_owned(),
        "id_a,id_b\n".to_owned(),
    );
    for position in 0..1500 {
        let Person {
            given,
            family,
            spelling,
            born: (year, month, day),
            female,
        } = person(position);
        if position < 1000 {
            let sex = if female { "أنثى" } else { "ذكر" };
            arabic += &format!(
                "A{position};{};{};{day:02}/{month:02}/{year};{sex}\n",
                GIVEN[given].0, FAMILY[family].0
            );
        }
        if position >= 500 {
            let sex = if female { "F" } else { "M" };
            latin += &format!(
                "B{position},{},{},{year}-{month:02}-{day:02},{sex}\n",
                GIVEN[given].1[spelling], FAMILY[family].1[spelling]
            );
        }
        if (500..1000).contains(&position) {
            truth += &format!("A{position},B{position}\n");
        }
    }
    let (bytes, _, lost) = WINDOWS_1256.encode(&arabic);
    assert!(!lost, "the old encoding has every letter");
    fs::write(in_folder("arabic.csv"), bytes).unwrap();
    fs::write(in_folder("latin.csv"), latin).unwrap();
    fs::write(in_folder("truth.csv"), truth).unwrap();
    for name in ["arabic", "latin"] {
        let (register, mapping) = (format!("{name}.csv"), format!("{name}.toml"));
        corridor(folder.path(), &["mapping", "init", &register, "-o", &mapping]).succeeded();
    }
    let drafted = fs::read_to_string(in_folder("arabic.toml")).unwrap();
    for line in [
        "encoding = \"windows-1256\"",
        "given_names = [\"الاسم\"]",
        "family_names = [\"اللقب\"]",
        "birth_date = \"day-month-year\"",
        "female = [\"أنثى\"]",
        "male = [\"ذكر\"]",
    ] {
        assert!(drafted.contains(line), "no {line} in {drafted}");
    }
    for (profile, least) in [("saul-3-2048", 0.9), ("clk-1024", 0.95)] {
        let arguments = [
            "rehearse",
            "--left",
            "arabic.csv",
            "--right",
            "latin.csv",
            "--left-mapping",
            "arabic.toml",
            "--right-mapping",
            "latin.toml",
            "--profile",
            profile,
            "--match-fields",
            "names,phonetic,birth_date,sex",
            "--truth",
            "truth.csv",
            "--out",
            profile,
        ];
        corridor(folder.path(), &arguments).succeeded();
        let quality = fs::read_to_string(in_folder(profile).join("quality.json")).unwrap();
        let quality: Value = serde_json::from_str(&quality).unwrap();
        assert_eq!(quality["true_pairs"], 500);
        assert!(quality["f1"].as_f64().unwrap() > least, "{profile}: {quality}");
    }
}
