# Random linkage schemas, secrets and people, and what clkhash 0.18.3 makes of them.
#
#   clkhash_cases.py FOLDER KIND FIRST COUNT [ROWS]
#
# writes a folder for every seed from FIRST on: schema.json, secret.txt, people.csv, arguments.json (those of `corridor encode`
# that have an equivalent in clkhash) and expected.json: {"clks": [...]} as anonlink-client writes it, or {"error": "..."}.
# KIND is `good` (what is right in the main), `bad` (values that formats refuse) or `schema` (schemas with something wrong).
import contextlib
import csv
import io
import json
import pathlib
import random
import string
import sys
import warnings

from clkhash import clk, serialization
from clkhash import schema as clkschema

warnings.simplefilter("ignore")

WORDS = "amina marco Élodie Nguyễn O'Brien van-der-Berg Müller 王小明 ياسمين Ωmega ΣΑΣ straße İstanbul ǅ e\u0301va 👩‍👩‍👧 x".split()
AWKWARD = ["", " ", "  a", "a ", "\t", "a\nb", 'say "hi"', "a,b", "\u00a0", "\u200b", "null", "N/A", "ﬁ", "ſ", "\u0130", "a" * 300, "\x1c", "0"]
DATES = ["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%y", "%Y%m%d", "%d %B %Y", "%b %d, %Y", "%Y-%j", "%A %d %b %Y", "%Y-%m-%d %H:%M:%S",
         "%m/%d/%Y %I:%M %p", "%G-W%V-%u", "%Y %U %w", "%Y %W %a", "%d%m%Y", "%Y-%m-%dT%H:%M:%S.%f%z", "%y%m%d", "%Y", "%m%d"]
PATTERNS = [r"[A-Za-z' -]+", r"\d{4}-\d{2}", r"\w+", r"[^\d]*", r"(?i)[a-zß]+", r"\w*\s?\w*", r".*", r"[A-Z]{1,3}\d+|\d+[A-Z]{,2}",
            r"(?!0)\d+", r"^\S+$", r"\b\w+\b(?: \b\w+\b)*", r"[\w.+-]+@[\w-]+\.\w{2,}", r"(?:ab?c*)+|x{2,}", r"[\u00c0-\u017fa-z]+",
            r"(?i)(?:k|s|i|é|σ)*", r".+(?<!x)", r"(a|b)*abb", r"\+?[0-9 ()-]{6,}", r"(?a)\w+", r"[]\[-]+"]


def base64_text(r):
    import base64
    return base64.b64encode(r.randbytes(r.choice([0, 4, 16, 64, 100]))).decode()


def word(r):
    kind = r.random()
    if kind < 0.5:
        return "".join(r.choice(string.ascii_letters) for _ in range(r.randint(1, 12)))
    if kind < 0.8:
        return " ".join(r.choice(WORDS) for _ in range(r.randint(1, 3)))
    if kind < 0.9:
        return "".join(chr(r.choice([r.randint(32, 126), r.randint(0xA0, 0x24F), r.randint(0x370, 0x6FF), r.randint(0x1F300, 0x1F6FF)])) for _ in range(r.randint(0, 20)))
    return r.choice(AWKWARD)


def integer(r):
    text = str(r.choice([r.randint(0, 9), r.randint(-50, 120), r.randint(-10**6, 10**6), r.randint(-10**25, 10**25), r.randint(0, 2**70)]))
    if r.random() < 0.25:
        text = r.choice(["+{}", " {}", "{} ", "0{}", "\u00a0{}\u2003", "{}\n"]).format(text.lstrip("-"))
    if r.random() < 0.05:
        text = "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in text)
    if r.random() < 0.05 and len(text) > 4 and text[-4:].isdigit():
        text = text[:-3] + "_" + text[-3:]
    return text


def number(r):
    if r.random() < 0.4:
        return integer(r)
    return r.choice([
        lambda: f"{r.uniform(-1000, 1000):.{r.randint(0, 8)}f}", lambda: f"{r.uniform(-10, 10)}", lambda: f"{r.uniform(-9, 9):e}",
        lambda: f"{r.randint(0, 99)}.5", lambda: f".{r.randint(0, 9)}", lambda: f"{r.randint(0, 9)}.", lambda: f"{r.randint(1, 9)}e{r.randint(0, 40)}",
        lambda: f"-0.{r.randint(0, 99):02}5", lambda: "1_0.5", lambda: "\u0663.\u0665"])()


def date(r, fmt):
    import datetime
    day = datetime.datetime(1, 1, 1) + datetime.timedelta(days=r.randint(0, 3652058) if r.random() < 0.2 else r.randint(693000, 737000), seconds=r.randint(0, 86399))
    text = day.strftime(fmt).replace("+0000", "")
    if "%z" in fmt:
        text += r.choice(["+0130", "-01:30", "Z", "+00:00:30", "+013020.5"])
    if "%Y" in fmt or "%G" in fmt:
        text = text.replace(day.strftime("%Y"), f"{day.year:04}")
    kind = r.random()
    if kind < 0.1:
        return text.replace("0", "", 1)
    if kind < 0.15:
        return text.replace(" ", "  \t").replace("-", "-", 1)
    if kind < 0.2:
        return text.swapcase()
    return text


def like(r, feature):
    """A value that a feature might have."""
    if feature.get("ignored"):
        return word(r)
    fmt, hashing = feature["format"], feature["hashing"]
    missing = hashing.get("missingValue")
    if missing and r.random() < 0.2:
        return missing["sentinel"]
    comparison = hashing.get("comparison", {}).get("type")
    if comparison == "numeric" and fmt["type"] == "string":
        return number(r)
    if fmt["type"] == "integer":
        return integer(r)
    if fmt["type"] == "date":
        return date(r, fmt["format"])
    if fmt["type"] == "enum":
        return r.choice(fmt["values"]) if fmt["values"] else ""
    text = word(r)
    if fmt.get("case") == "upper":
        text = text.upper()
    if fmt.get("case") == "lower":
        text = text.lower()
    if fmt.get("encoding") == "ascii":
        text = text.encode("ascii", "ignore").decode()
    if "pattern" in fmt and r.random() < 0.7:
        text = r.choice(["abc", "2001-02", "AB12", "12AB", "abb", "a.b@c.org", "xx", "kſİK", "éà", "12", "+41 (0)79", "", "É", "né", "][-", "ab cd", "x"])
    return text


def spoiled(r, value):
    return r.choice([
        lambda: word(r), lambda: number(r), lambda: integer(r), lambda: value + r.choice([" ", "\n", "x", "0", "\u0301"]), lambda: r.choice([" ", "-", "٣"]) + value,
        lambda: value[:-1], lambda: value.swapcase(), lambda: value.replace("0", "٠"), lambda: date(r, r.choice(DATES)), lambda: r.choice(AWKWARD), lambda: value])()


def feature(r, version, index, hash_of):
    if r.random() < 0.12:
        return {"identifier": f"f{index}", "ignored": True}
    kind = r.choice(["string"] * 4 + ["integer", "date", "enum", "numeric" if version == 3 else "integer"])
    fmt = {"type": "string" if kind == "numeric" else kind}
    if kind in ("string", "numeric"):
        if r.random() < 0.7:
            fmt["encoding"] = r.choice(["ascii", "utf-8", "utf-8", "utf-16", "utf-32"])
        if kind == "string" and r.random() < 0.25:
            fmt["pattern"] = r.choice(PATTERNS)
        elif kind == "string":
            if r.random() < 0.5:
                fmt["case"] = r.choice(["upper", "lower", "mixed", "mixed"])
            if r.random() < 0.2:
                fmt["minLength"] = r.randint(0, 3)
            if r.random() < 0.2:
                fmt["maxLength"] = r.randint(5, 40)
    elif kind == "integer":
        if r.random() < 0.3:
            fmt["minimum"] = r.randint(-100, 10)
        if r.random() < 0.3:
            fmt["maximum"] = r.randint(50, 10**7)
    elif kind == "date":
        fmt["format"] = r.choice(DATES)
    else:
        fmt["values"] = r.sample(["M", "F", "", "other", "ü", "1"], r.randint(1, 5))
    if r.random() < 0.1:
        fmt["description"] = "a feature"
    hashing = {}
    if version == 3:
        comparison = r.choice(["ngram", "ngram", "ngram", "exact", "numeric" if kind in ("integer", "numeric") else "exact"])
        if kind == "numeric" and r.random() < 0.8:
            comparison = "numeric"
        hashing["comparison"] = {"type": comparison}
        if comparison == "ngram":
            hashing["comparison"]["n"] = r.choice([1, 1, 2, 2, 2, 3, 4, 7])
            if r.random() < 0.6:
                hashing["comparison"]["positional"] = r.random() < 0.5
        if comparison == "numeric":
            precision = r.choice([0, 0, 1, 2, 3, 5, 17])
            if precision or r.random() < 0.3:
                hashing["comparison"]["fractional_precision"] = precision
            hashing["comparison"]["thresholdDistance"] = r.choice([1, 2, 3, 7, 10, 100, 1.5, 2.5, round(r.uniform(1, 50), 3), 0.1 if precision else 1, 10**12])
            hashing["comparison"]["resolution"] = r.choice([1, 2, 3, 5, 8, 20])
        hashing["strategy"] = {r.choice(["bitsPerToken", "bitsPerFeature"]): r.choice([1, 2, 5, 15, 20.0, 33, 100, 250])}
        if r.random() < 0.8:
            hashing["hash"] = hash_of(r)
    else:
        hashing["ngram"] = r.choice([1, 1, 2, 2, 3, 5])
        if r.random() < 0.5:
            hashing["positional"] = r.random() < 0.5
        if version == 2:
            hashing["strategy"] = {r.choice(["k", "numBits"]): r.choice([1, 3, 20, 15.0, 100])}
            if r.random() < 0.8:
                hashing["hash"] = hash_of(r)
        elif r.random() < 0.6:
            hashing["weight"] = r.choice([0, 0.0, 0.5, 1, 1.0, 2, 0.25, 1.3, 2.5, 0.75])
    if r.random() < 0.3:
        hashing["missingValue"] = {"sentinel": r.choice(["", "N/A", "null", "0", "Ω"])}
        if r.random() < 0.6:
            hashing["missingValue"]["replaceWith"] = r.choice(["", "missing", "7", "-1.5" if version == 3 else "x", "20000101"])
    return {"identifier": f"f{index}", "format": fmt, "hashing": hashing}


def schema(r):
    version = r.choice([1, 2, 3, 3, 3])
    blake = r.random() < 0.6
    bits = r.choice([64, 128, 256, 512, 1024, 1024, 2048] if blake else [64, 100, 1000, 1024, 777, 1, 7, 513, 1024, 2048])

    def hash_of(r):
        if blake and r.random() < 0.7:
            return {"type": "blakeHash"}
        chosen = {"type": "doubleHash"}
        if r.random() < 0.5 and bits > 1:
            chosen["prevent_singularity"] = r.random() < 0.7
        return chosen

    kdf = {"type": "HKDF"}
    if r.random() < 0.7:
        kdf["hash"] = r.choice(["SHA256", "SHA512"])
    for key in ("salt", "info"):
        if r.random() < 0.6:
            kdf[key] = base64_text(r)
    if r.random() < 0.5:
        kdf["keySize"] = r.choice([1, 16, 32, 64, 64] if blake else [1, 16, 64, 65, 100, 200])
    config = {"l": bits, "kdf": kdf}
    if r.random() < 0.2:
        config["xorFolds"] = r.randint(0, 3)
    if r.random() < 0.25:
        config["xor_folds"] = r.choice([0, 1, 1, 2, 3, True])
    if version == 1:
        config["k"] = r.choice([1, 5, 20, 30, 7])
        config["hash"] = hash_of(r)
    count = r.choice([1, 1, 2, 3, 4, 5, 8])
    made = {"version": version, "clkConfig": config, "features": [feature(r, version, i, hash_of) for i in range(count)]}
    if not blake:
        # The default of a feature without a hash is one for powers of two.
        for f in made["features"]:
            if version > 1 and "hashing" in f:
                f["hashing"].setdefault("hash", hash_of(r))
    return made


def spoil_schema(r, made):
    """Changes one thing somewhere."""
    places = []

    def walk(value):
        if isinstance(value, dict):
            places.extend((value, key) for key in value)
            for child in value.values():
                walk(child)
        elif isinstance(value, list):
            places.extend((value, index) for index in range(len(value)))
            for child in value:
                walk(child)

    walk(made)
    for _ in range(r.choice([1, 1, 1, 2])):
        holder, key = r.choice(places)
        kind = r.random()
        with contextlib.suppress(KeyError, IndexError, TypeError):
            if kind < 0.2:
                del holder[key]
            elif kind < 0.7:
                old = holder[key]
                near = [old + 0.5, float(old), -old, str(old), old * 1.0, True] if isinstance(old, (int, float)) else [old, [old], {"type": old}]
                value = r.choice(near + [None, True, False, 0, 1, -1, 1.0, 2.5, "x", "", [], {}, 3, 64, 1e300, "HKDF", "blakeHash"])
                # A thing that is counted to without end: clkhash takes the number and never comes back.
                if value == 1e300 and key in ("bitsPerToken", "bitsPerFeature", "k", "numBits", "keySize", "l", "resolution", "n"):
                    value = 1.5
                holder[key] = value
            elif isinstance(holder, dict):
                extra = r.choice(["ignored", "extra", "pattern", "case", "n", "k", "numBits", "bitsPerToken", "bitsPerFeature", "hash", "positional", "weight",
                                  "comparison", "strategy", "ngram", "prevent_singularity", "fractionalPrecision", "fractional_precision", "xorFolds", "xor_folds", "description",
                                  "minimum", "values", "format", "missingValue", "keySize"])
                holder[extra] = r.choice([True, False, None, 0, 1, 2, "x", "upper", "", {"type": "doubleHash"}, {"type": "exact"}, {"sentinel": "a"}, [], {"k": 5}, 1.5])


def case(seed, kind, rows):
    r = random.Random(f"{kind} {seed}")
    made = schema(r)
    secret = r.choice(["secret", "horse stable", "pässwörd 🔑", "x" * 200, " blanks ", "two\nlines"])
    # Of the schema as it was right.
    features = [json.loads(json.dumps(f)) for f in made["features"]]
    if kind == "schema":
        spoil_schema(r, made)
    people = [[like(r, f) for f in features] for _ in range(rows)]
    if kind == "bad":
        for row in people:
            for index in range(len(row)):
                if r.random() < 0.3:
                    row[index] = spoiled(r, row[index])
        if r.random() < 0.05:
            r.choice(people).append("more")
    validate = r.random() < 0.5 if kind != "bad" else r.random() < 0.8
    if kind == "good":
        # A weight may round to no insertions at all: clkhash refuses that.
        with contextlib.suppress(clkschema.SchemaError):
            read = clkschema.from_json_dict(json.loads(json.dumps(made)))
            people = [row for row in people if is_encoded(read, secret, row, validate)]
    out = io.StringIO()
    header = r.choice([True, True, False, "ignore"])
    quoting = r.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(out, lineterminator=r.choice(["\n", "\r\n", "\n", "\r"]), quoting=quoting)
    if header:
        writer.writerow([f["identifier"] if header is True else f"col{i}" for i, f in enumerate(features)])
    writer.writerows(people)
    return made, secret, out.getvalue(), header, validate


def is_encoded(read, secret, row, validate):
    try:
        clk.generate_clks([row], read, secret, validate=validate, max_workers=1)
    except Exception:  # Whatever it is: such a row spoils the file.
        return False
    return True


def expected(path, made_path, secret, header, validate):
    try:
        with open(made_path, encoding="utf-8") as file:
            read = clkschema.from_json_file(file)
        with open(path, encoding="utf-8") as file:
            clks = clk.generate_clk_from_csv(file, secret, read, validate=validate, header=header, progress_bar=False, max_workers=1)
        return json.dumps({"clks": [serialization.serialize_bitarray(c) for c in clks]})
    except Exception as error:  # Whatever it is: there is no result.
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:300]})


def main(folder, kind, first, count, rows):
    for seed in range(first, first + count):
        made, secret, people, header, validate = case(seed, kind, rows)
        here = pathlib.Path(folder) / f"{kind}-{seed}"
        here.mkdir(parents=True)
        (here / "schema.json").write_text(json.dumps(made, ensure_ascii=seed % 2 == 0, indent=1), encoding="utf-8")
        (here / "secret.txt").write_bytes(secret.encode() + [b"\n", b"", b"\r\n"][seed % 3])
        (here / "secret.txt").chmod(0o600)
        (here / "people.csv").write_bytes(people.encode())
        arguments = {True: [], False: ["--no-header"], "ignore": ["--header", "ignore"]}[header] + ([] if validate else ["--no-validate"])
        (here / "arguments.json").write_text(json.dumps(arguments))
        answer = expected(here / "people.csv", here / "schema.json", secret, header, validate)
        (here / "expected.json").write_text(answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]) if len(sys.argv) > 5 else 50)
