"""Makes names.csv, spellings.csv, margins.csv and ages.csv from a folder of public name and migration lists.

Usage: python3 make_data.py FOLDER

FOLDER holds names/ and migration/ as README.md beside this file lists them. Python 3.10 or later, no other
package. The same folder gives the same bytes.
"""

import csv
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent

# Tokens of encyclopedia titles and categories that are no name of a person.
NO_NAME = set(
    """abune abuna abu ibn abd abdel ould mint princess prince king queen saint pope morocco algeria tunisia portugal
    france italy germany spain senegal nigeria eritrea angola lisbon savoy bourbon lorraine medici montferrat colonna
    visconti bavaria i ii iii iv v vi vii jr sr dymott fjäll nyman kylington vassalo min zegergish angrand shimangus
    michael simon adonai meb hamburg berlin saxony prussia austria hesse""".split()
)

# Arabic given names of women that neither end in ta marbuta nor stand in the lists with a sex.
WOMEN = set(
    """زينب مريم سعاد هند نجاة نجاه ابتسام وفاء وفا امال سناء سنا ايمان احلام سهام الهام ريم رحاب حنان نوال سهير نور هاجر
    اسماء اسما هدي سلمي ليلي مني نجوي بشري لبني سلوي رانيا دنيا صونيا سونيا نسرين ياسمين شيرين نرمين نادين روان جيهان
    كوثر عواطف امل دلال رباب سحر شهرزاد فردوس فرح نهي رجاء صفاء ضحي عفاف غزلان لمياء مها منال ميساء نوره هناء وداد وصال
    اميمه سوسن انصاف انتصار اعتدال اقبال الفه حياه خوله درصاف راضيه ربيعه زهره سكينه عزيزه لطيفه""".split()
)
MEN_IN_A = set(
    """mustapha mustafa ridha redha reda rida yahia yahya issa aissa moussa musa taha hamza zakaria abdallah abdellah
    khalifa hamda bahaa diaa ala alaa aboubacar abba dia zaccaria""".split()
)


def rows(path, delimiter=","):
    with open(path, encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def fold(text):
    """Lower case without accents, apostrophes and hyphens."""
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    return re.sub(r"[^a-z]", "", text)


def fold_arabic(text):
    """The form of an Arabic name under which its spellings are listed."""
    text = "".join(c for c in text if not unicodedata.combining(c))
    for a, b in (("أ", "ا"), ("إ", "ا"), ("آ", "ا"), ("ة", "ه"), ("ى", "ي"), ("ـ", "")):
        text = text.replace(a, b)
    return text.strip()


def is_name(text):
    """Latin letters with at most two particles or joints, of a length names have."""
    return (
        2 <= len(text) <= 24
        and re.fullmatch(r"[^\W\d_]+(?:['’\- ][^\W\d_]+){0,2}", text) is not None
        and all(ord(c) < 0x250 or c == "’" for c in text)
        and fold(text) not in NO_NAME
        and len(fold(text)) >= 2
    )


def to_title(text):
    """One way of writing: capital first letters, straight apostrophes."""
    text = text.replace("’", "'")
    if text.isupper() or text.islower():
        text = "-".join(part.capitalize() for part in text.split("-"))
    return text


class Names:
    """Counts by (pool, role, group, spelling)."""

    def __init__(self):
        self.counts = Counter()

    def add(self, pool, role, group, spelling, count):
        spelling = to_title(spelling)
        if is_name(spelling) and count > 0:
            self.counts[pool, role, group, spelling] += int(count)

    def trim(self, pool, role, groups):
        """Keeps the commonest groups of a pool."""
        totals = Counter()
        for (p, r, group, _), count in self.counts.items():
            if (p, r) == (pool, role):
                totals[group] += count
        kept = {group for group, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:groups]}
        for key in [k for k in self.counts if k[:2] == (pool, role) and k[2] not in kept]:
            del self.counts[key]


def arabic_sex(folder):
    """Sex of given names, by Arabic form and by folded Latin spelling."""
    sex = {}
    for row in rows(folder / "names/faker_names_by_locale.csv"):
        if row["role"] not in ("given_m", "given_f"):
            continue
        if row["locale"] in ("ar_AA", "ar_DZ"):
            sex[fold_arabic(row["name"])] = row["role"][-1]
        elif row["locale"] in ("fr_DZ", "fr_SN"):
            sex.setdefault(fold(row["name"]), row["role"][-1])
    for row in rows(folder / "names/popular_forenames_by_country_cc0.csv"):
        if row["Country"] in ("DZ", "MA", "TN", "LY", "EG"):
            sex.setdefault(fold(row["Romanized Name"]), row["Gender"].lower())
    return sex


def guess_sex(sex, key, latin, count):
    """By list, else by the endings of Arabic names; None when there is no telling."""
    known = sex.get(key) or sex.get(fold(latin))
    if key in WOMEN:
        return "f"
    if known:
        return known
    if key.startswith("عبد") or key.endswith(("الدين", "الله")) or fold(latin) in MEN_IN_A:
        return "m"
    if key.endswith(("ه", "اء")) or fold(latin).endswith("a"):
        return "f"
    # People of whom there are several in an encyclopedia are mostly men.
    return "m" if count >= 3 else None


def add_maghreb(names, spellings, folder):
    sex = arabic_sex(folder)
    everywhere, by_country = defaultdict(Counter), defaultdict(Counter)
    for row in rows(folder / "names/arabic_spellings_africa.csv"):
        latin, count = to_title(row["latin"]), int(row["count"])
        if not is_name(latin):
            continue
        everywhere[row["arabic_key"]][latin] += count
        if row["country"] in ("TN", "MA", "DZ") and row["role"] in ("given", "surname"):
            by_country[row["country"], row["role"], row["arabic_key"]][latin] += count
    used = set()
    for (country, role, key), counter in by_country.items():
        commonest = max(sorted(counter), key=lambda latin: counter[latin])
        if role == "given":
            if fold(commonest) in ("ben", "el", "al", "ait", "bint", "sidi", "moulay", "lalla", "abou", "abu"):
                continue
            guessed = guess_sex(sex, key, commonest, sum(counter.values()))
            if guessed is None:
                continue
            role = f"given_{guessed}"
        else:
            role = "family"
        used.add(key)
        for latin, count in counter.items():
            names.add(country, role, key, latin, count)
    # An office respells a name as other countries do.
    for key in used:
        if len(everywhere[key]) > 1:
            for latin, count in everywhere[key].items():
                spellings[key, latin] += count


def wikipedia(folder, country, role):
    counts = Counter()
    spelt = defaultdict(Counter)
    for row in rows(folder / "names/wikipedia_name_tokens_by_nationality.csv"):
        if row["country"] == country and row["role"] == role and is_name(to_title(row["name"])):
            counts[fold(row["name"])] += int(row["count"])
            spelt[fold(row["name"])][row["name"]] += int(row["count"])
    return counts, spelt


def faker(folder, locales, role):
    found = {}
    for row in rows(folder / "names/faker_names_by_locale.csv"):
        if row["locale"] in locales and row["role"] == role and is_name(to_title(row["name"])):
            found.setdefault(fold(row["name"]), row["name"])
    return found


def add_listed(names, folder, pool, locales, country, *, families_listed_only=False, smallest=2):
    """A pool of listed names, weighted by how often an encyclopedia has them."""
    given, _ = wikipedia(folder, country, "given")
    for role in ("given_m", "given_f"):
        for key, name in faker(folder, locales, role).items():
            names.add(pool, role, key, name, 1 + given[key])
    family, spelt = wikipedia(folder, country, "surname")
    listed = faker(folder, locales, "surname")
    for key, name in listed.items():
        if key not in family:
            names.add(pool, "family", key, name, 1)
    for key, spellings in spelt.items():
        if key in listed or (not families_listed_only and family[key] >= smallest):
            for spelling, count in spellings.items():
                names.add(pool, "family", key, spelling, count)


def add_nigeria(names, spellings, folder):
    weights_given, _ = wikipedia(folder, "NG", "given")
    weights_family, _ = wikipedia(folder, "NG", "surname")
    traditions = {"yoruba": "NG-YO", "igbo": "NG-IG", "hausa": "NG-HA"}
    locales = {"NG-YO": "yo_NG", "NG-IG": "ig_NG", "NG-HA": "ha_NG", "NG-EN": "en_NG"}
    seen, family_of = set(), {}
    women = {"NG-HA": re.compile(r"(tu|iya|ila|una|ina|ira|ima|aba)$")}
    for pool, locale in locales.items():
        for role in ("given_m", "given_f"):
            for key, name in faker(folder, {locale}, role).items():
                seen.add((pool, key))
                names.add(pool, role, key, name, 2 + weights_given[key])
        if pool != "NG-EN":
            for key, name in faker(folder, {locale}, "surname").items():
                family_of[key] = (pool, name)
    for row in rows(folder / "names/nigeria_lexicon.tsv", "\t"):
        pool = traditions.get(row["tradition"])
        if pool is None:
            continue
        key, name = fold(row["name"]), row["name"].capitalize()
        if row["type"] == "surname":
            family_of.setdefault(key, (pool, name))
        elif (pool, key) not in seen:
            # Most Yoruba and Igbo names are of both sexes; the Hausa ones are Arabic and are not.
            roles = ("given_m", "given_f")
            if pool in women:
                roles = ("given_f",) if women[pool].search(key) else ("given_m",)
            for role in roles:
                names.add(pool, role, key, name, 1 + weights_given[key])
    beginnings = {
        "NG-YO": re.compile(r"^(ade|ola|olu|oye|akin|ogun|ayo|babat|fal|oke[lt]|aro|bam|ige|idow|shon|som|oyel|oyed)"),
        "NG-IG": re.compile(r"^(okaf|oko[yrn]|nw|chi|chu|eze|ike|uzo|ugo|obi|ony|any|ibe|mba|okp|okek|umeh|agu|udo)"),
        "NG-HA": re.compile(r"^(abdul|abub|muh|moh|ibrah|usm|sul|umar|yus|musa|sani|gar|bel|isa|ali|dan|jib|shehu|bala)"),
    }
    _, spelt = wikipedia(folder, "NG", "surname")
    for key, spelling in spelt.items():
        if key not in family_of:
            for pool, beginning in beginnings.items():
                if beginning.search(key):
                    family_of[key] = (pool, max(sorted(spelling), key=lambda s: spelling[s]))
                    break
    for key, (pool, name) in family_of.items():
        names.add(pool, "family", key, name, 1 + weights_family[key])
    for file in ("nigeria_hausa_variants.tsv", "nigeria_arabic_adaptations.tsv"):
        for row in rows(folder / "names" / file, "\t"):
            group = [name.capitalize() for name in row["group"].split("|")]
            for name in group:
                for other in group:
                    spellings[fold(name), other] += 3 if other == name else 1


def fold_tigrinya(text):
    """Spellings of one Tigrinya name: Ghebre and Gebre, Tesfay and Tesfai, doubled letters."""
    text = fold(text).replace("gh", "g").replace("y", "i").replace("ae", "e").replace("ie", "e").replace("o", "u")
    return re.sub(r"(.)\1+", r"\1", text)


def add_eritrea(names, spellings, folder):
    weight = {"tigrinya": 6, "geez": 4, "biblical": 4, "arabic": 3, "amharic": 1, "oromo": 0}
    for row in rows(folder / "names/habesha_given_names.csv"):
        count = weight[row["origin"]] * (3 if row["freq_tier"] == "1" else 1)
        key = fold_tigrinya(row["canonical"])
        if count == 0 or row["gender"] not in ("m", "f"):
            continue
        variants = [v for v in row["variants"].split("|") if v and is_name(to_title(v))]
        names.add("ER", f"given_{row['gender']}", key, row["canonical"], 4 * count)
        for variant in variants[:3]:
            names.add("ER", f"given_{row['gender']}", key, variant, count)
        if variants:
            spellings[key, row["canonical"]] += 4
            for variant in variants:
                spellings[key, variant] += 1
    # The last name of an Eritrean is the given name of a father or grandfather.
    counts, spelt = wikipedia(folder, "ER", "surname")
    for key, spelling in spelt.items():
        for name, count in spelling.items():
            names.add("ER", "given_m", fold_tigrinya(name), name, 6 * count)


def add_host(names, folder, pool, locales, given=160, family=320):
    add_listed(names, folder, pool, locales, pool, families_listed_only=True)
    if pool == "DE":
        for row in rows(folder / "names/de_given_gecko.csv"):
            names.add("DE", f"given_{row['gender']}", fold(row["given_name"]), row["given_name"], int(row["count"]) // 500)
        for row in rows(folder / "names/de_surname_gecko.csv"):
            names.add("DE", "family", fold(row["last_name"]), row["last_name"], int(row["count"]) // 500)
    for row in rows(folder / "names/popular_surnames_by_country_cc0.csv"):
        if row["Country"] == pool:
            name = row["Romanized Name"]
            names.add(pool, "family", fold(name), name, max(1, 60 - int(row["Rank"] or 60)))
    for row in rows(folder / "names/popular_forenames_by_country_cc0.csv"):
        if row["Country"] == pool and row["Gender"] in ("M", "F"):
            name = row["Romanized Name"]
            names.add(pool, f"given_{row['Gender'].lower()}", fold(name), name, 15)
    names.trim(pool, "given_m", given)
    names.trim(pool, "given_f", given)
    names.trim(pool, "family", family)


def add_cape_verde(names, folder):
    """No list of Cape Verdean names is free to use: Portuguese given names, and the family names that Portugal and
    Angola share."""
    for role in ("given_m", "given_f"):
        for key, name in faker(folder, {"pt_PT"}, role).items():
            names.add("CV", role, key, name, 2)
    angola, _ = wikipedia(folder, "AO", "surname")
    portugal, spelt = wikipedia(folder, "PT", "surname")
    for key, name in faker(folder, {"pt_PT"}, "surname").items():
        names.add("CV", "family", key, name, 2 + 2 * angola[key])
    for key, spelling in spelt.items():
        if angola[key]:
            names.add("CV", "family", key, max(sorted(spelling), key=lambda s: spelling[s]), 2 * angola[key])


CORRIDORS = "SN-FR SN-ES MA-ES DZ-FR NG-IT NG-DE ER-DE ER-NL TN-IT CV-PT AO-PT".split()
COUNTRIES = {
    "SN": "Senegal", "FR": "France", "ES": "Spain", "MA": "Morocco", "DZ": "Algeria", "NG": "Nigeria", "IT": "Italy",
    "DE": "Germany", "ER": "Eritrea", "NL": "Netherlands", "TN": "Tunisia", "CV": "Cabo Verde", "PT": "Portugal",
    "AO": "Angola",
}


def make_margins(folder):
    stock, flow = {}, {}
    for row in rows(folder / "migration/un_migrant_stock_2019_by_sex_africa_europe.csv"):
        if row["year"] == "2019":
            stock[row["origin"], row["destination"], row["sex"]] = row["stock"]
    for row in rows(folder / "migration/eurostat_reported_2024_africa_europe.csv"):
        flow[row["origin"], row["destination"]] = row["reported_flow"]
    for corridor in CORRIDORS:
        origin, destination = corridor.split("-")
        names = COUNTRIES[origin], COUNTRIES[destination]
        yield [
            corridor,
            stock.get((*names, "male"), ""),
            stock.get((*names, "female"), ""),
            flow.get((origin, destination), ""),
            flow.get((destination, origin), ""),
        ]


def write(name, header, lines):
    with open(HERE / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def main():
    folder = Path(sys.argv[1])
    names, spellings = Names(), Counter()
    add_maghreb(names, spellings, folder)
    add_listed(names, folder, "SN", {"fr_SN"}, "SN")
    add_nigeria(names, spellings, folder)
    add_eritrea(names, spellings, folder)
    add_listed(names, folder, "AO", {"pt_PT"}, "AO", smallest=1)
    add_cape_verde(names, folder)
    for pool, locales in (
        ("FR", {"fr_FR"}), ("ES", {"es_ES"}), ("IT", {"it_IT"}),
        ("DE", {"de_DE"}), ("NL", {"nl_NL"}), ("PT", {"pt_PT"}),
    ):
        add_host(names, folder, pool, locales)
    write(
        "names.csv",
        ["pool", "role", "group", "spelling", "count"],
        (list(key) + [count] for key, count in sorted(names.counts.items())),
    )
    groups = {key[2] for key in names.counts}
    write(
        "spellings.csv",
        ["group", "spelling", "count"],
        (
            [group, spelling, count]
            for (group, spelling), count in sorted(spellings.items())
            if group in groups and is_name(to_title(spelling))
        ),
    )
    write("margins.csv", ["corridor", "stock_male", "stock_female", "flow", "flow_back"], make_margins(folder))
    ages = defaultdict(lambda: [0, 0])
    for column, file in enumerate(("valencia_2006_immi_age_profile.csv", "valencia_2006_emi_age_profile.csv")):
        for row in rows(folder / "migration" / file):
            ages[int(row["age"])][column] += int(row["n"])
    write("ages.csv", ["age", "arrivals", "departures"], ([age, *ages[age]] for age in sorted(ages) if age <= 95))


main()
