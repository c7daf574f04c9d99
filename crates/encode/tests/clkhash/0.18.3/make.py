# Writes the files beside it: schemas, people, and what clkhash 0.18.3 makes of them (see ../README.md).
import csv
import json
import pathlib

from clkhash import clk, serialization
from clkhash.schema import from_json_file

here = pathlib.Path(__file__).parent

PEOPLE = [
    ["id", "given", "family", "born", "sex", "children", "height"],
    ["1", "Amina", "Ben Salah", "1990-05-17", "F", "2", "1.65"],
    ["2", "Mohamed Aziz", "Trabelsi", "1985-12-01", "M", "0", "1.8"],
    ["3", "Élodie", "Müller-Lüdenscheidt", "2001-02-28", "F", " 1", "1.725"],
    ["4", "E\u0301lodie", "O'Brien", "2000-02-29", "F", "+3", "1.725000001"],
    ["5", "", "", "1900-01-01", "", "0", ""],
    ["6", "👩‍👩‍👧", "王小明", "1999-9-9", "other", "\u0663", "2"],
    ["7", 'Anna "Nina"', "van der Berg, jr.", "1970-07-07", "F", "1_0", "-0.5"],
    ["8", "Two\nlines", "  blanks  ", "1970-07-07", "M", "007", "1e0"],
    ["9", "ياسمين", "Ωmega ΣΑΣ", "1950-10-30", "F", "-1", ".5"],
    ["10", "n" * 300, "x", "1931-03-14", "M", "123456789012345678901234567890", "123456789012345678901234.5"],
    ["11", "İstanbul", "straße", "1988-08-08", "M", "4", "1.64999"],
    ["12", "amina", "ben salah", "1990-05-17", "F", "2", "1.65"],
]
MISSING = [["given", "born"], ["N/A", "1980-01-01"], ["Jo", ""], ["", "1980-01-02"], ["N/A", ""]]
DATES = [
    ["a", "b", "c", "d", "e"],
    ["31/12/68", "3 march 2001", "2020-W53-7", "2019 366", "2001-02-03T04:05:06.7+01:30"],
    ["1/1/69", "29\tFEBRUARY  2000", "2021-W01-1", "1900 1", "1999-12-31T23:59:59.123456Z"],
    ["1\u0661/12/68", "3 May 0999", "2015-W53-7", "2001 060", "2001-02-03T04:05:06.7-0000"],
]

TEXT = {"type": "string", "encoding": "utf-8"}
BLAKE, DOUBLE = {"type": "blakeHash"}, {"type": "doubleHash"}
SAFE = {"type": "doubleHash", "prevent_singularity": True}
KDF = {"type": "HKDF", "hash": "SHA256", "salt": "c2FsdA==", "info": "aW5mbw==", "keySize": 64}
ISO = {"type": "date", "format": "%Y-%m-%d"}


def ignored(*names):
    return [{"identifier": name, "ignored": True} for name in names]


def ngram(n, positional=None):
    return {"type": "ngram", "n": n} | ({} if positional is None else {"positional": positional})


def per_token(bits):
    return {"bitsPerToken": bits}


def per_feature(bits):
    return {"bitsPerFeature": bits}


def feature(name, form, comparison, strategy, hash=None, **more):
    hashing = {"comparison": comparison, "strategy": strategy} | ({"hash": hash} if hash else {}) | more
    return {"identifier": name, "format": form, "hashing": hashing}


def v3(features, l=1024, kdf=KDF, **config):
    return {"version": 3, "clkConfig": {"l": l, "kdf": kdf} | config, "features": features}


def old(version, features, l=1024, kdf=KDF, **config):
    return {"version": version, "clkConfig": {"l": l, "kdf": kdf} | config, "features": features}


def old_feature(name, form, n, **hashing):
    return {"identifier": name, "format": form, "hashing": {"ngram": n} | hashing}


def all_people(hash, strategy):
    return ignored("id") + [
        feature("given", TEXT, ngram(2), strategy(15), hash),
        feature("family", TEXT, ngram(3, False), strategy(20), hash),
        feature("born", ISO, ngram(1, True), strategy(30), hash),
        feature("sex", {"type": "enum", "values": ["F", "M", "other", ""]}, {"type": "exact"}, strategy(60), hash),
        feature("children", {"type": "integer"}, {"type": "numeric", "thresholdDistance": 3, "resolution": 2}, strategy(7), hash),
    ]


def numbers(fmt, **numeric):
    base = {"type": "numeric", "thresholdDistance": 0.05, "resolution": 5, "fractional_precision": 3}
    return ignored("id", "given", "family", "born", "sex") + [
        feature("children", fmt, {"type": "numeric", "thresholdDistance": 7, "resolution": 3}, per_feature(50), DOUBLE),
        feature("height", TEXT, base | numeric, per_token(5), BLAKE, missingValue={"sentinel": "", "replaceWith": "1.7"}),
    ]


# Name: schema, people, and what differs from checked header, unchecked values.
CASES = {
    "v3_blake_per_token": (v3(all_people(BLAKE, per_token) + ignored("height")), PEOPLE, {"validate": True}),
    "v3_blake_per_feature": (v3(all_people(None, per_feature) + ignored("height"), l=512), PEOPLE, {}),
    "v3_double_per_token": (v3(all_people(DOUBLE, per_token) + ignored("height"), l=1000, kdf={"type": "HKDF"}), PEOPLE, {"validate": True}),
    "v3_double_per_feature": (v3(all_people(SAFE, per_feature) + ignored("height"), l=50, kdf=KDF | {"hash": "SHA512", "keySize": 100}), PEOPLE, {}),
    "v3_folds_read": (v3(all_people(BLAKE, per_token) + ignored("height"), l=256, xor_folds=2), PEOPLE, {}),
    "v3_folds_documented": (v3(all_people(BLAKE, per_token) + ignored("height"), l=256, xorFolds=2), PEOPLE, {}),
    "v3_folds_odd_length": (v3(all_people(DOUBLE, per_token) + ignored("height"), l=77, xor_folds=3), PEOPLE, {}),
    "v3_numbers": (v3(numbers({"type": "integer"})), PEOPLE, {}),
    "v3_numbers_precise": (v3(numbers(TEXT, thresholdDistance=2, fractional_precision=17)), PEOPLE, {}),
    "v3_utf_16": (v3(ignored("id") + [feature("given", TEXT | {"encoding": "utf-16"}, ngram(2, True), per_token(9)), feature("family", TEXT | {"encoding": "utf-32"}, ngram(4), per_feature(99), DOUBLE)] + ignored("born", "sex", "children", "height")), PEOPLE, {"header": "ignore"}),
    "v3_many_bits": (v3(ignored("id") + [feature("given", TEXT, ngram(1), per_token(70)), feature("family", TEXT, {"type": "exact"}, per_token(200), DOUBLE)] + ignored("born", "sex", "children", "height"), l=4096), PEOPLE, {}),
    "v3_missing": (v3([feature("given", TEXT | {"minLength": 2}, ngram(2), per_token(10), BLAKE, missingValue={"sentinel": "N/A"}), feature("born", ISO, ngram(1, True), per_token(10), SAFE, missingValue={"sentinel": "", "replaceWith": "unknown"})]), MISSING, {}),
    "v3_dates": (v3([feature(name, {"type": "date", "format": fmt}, ngram(2, True), per_feature(40)) for name, fmt in zip("abcde", ["%d/%m/%y", "%d %B %Y", "%G-W%V-%u", "%Y %j", "%Y-%m-%dT%H:%M:%S.%f%z"])]), DATES, {"validate": True}),
    "v3_patterns": (v3(ignored("id") + [feature("given", {"type": "string", "pattern": r"(?s).*"}, ngram(2), per_token(5)), feature("family", {"type": "string", "pattern": r"(?:[\w' ,.-]|\W)*"}, ngram(2), per_token(5))] + ignored("born", "sex", "children", "height"), l=128), PEOPLE, {"validate": True}),
    "v2_k": (old(2, ignored("id") + [old_feature("given", TEXT, 2, strategy={"k": 15}, hash=DOUBLE), old_feature("family", TEXT, 1, positional=True, strategy={"k": 20.0})] + ignored("born", "sex", "children", "height")), PEOPLE, {}),
    "v2_num_bits": (old(2, ignored("id") + [old_feature("given", TEXT, 3, positional=True, strategy={"numBits": 100}, hash=SAFE), old_feature("family", TEXT, 2, strategy={"numBits": 150})] + ignored("born", "sex") + [old_feature("children", {"type": "integer"}, 1, strategy={"numBits": 33})] + ignored("height"), l=512, xor_folds=1), PEOPLE, {}),
    "v1_weights": (old(1, ignored("id") + [old_feature("given", TEXT, 2, weight=0.5), old_feature("family", TEXT, 2, weight=1.5), old_feature("born", ISO, 1, positional=True, weight=2), old_feature("sex", TEXT, 1, weight=0), old_feature("children", {"type": "integer"}, 1)] + ignored("height"), k=5, hash=DOUBLE), PEOPLE, {}),
    "v1_folds": (old(1, ignored("id") + [old_feature("given", TEXT, 1), old_feature("family", TEXT, 2)] + ignored("born", "sex", "children", "height"), k=40, hash=BLAKE, l=128, xor_folds=1, xorFolds=3), PEOPLE[1:], {"header": False}),
}

people_files = {}
cases = []
for name, (schema, people, options) in CASES.items():
    header, validate = options.get("header", True), options.get("validate", False)
    file_name = people_files.setdefault(json.dumps(people), f"people_{len(people_files) + 1}.csv")
    with open(here / file_name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(people)
    (here / f"{name}.schema.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    secret = f"secret of {name}, größer"
    with open(here / f"{name}.schema.json", encoding="utf-8") as schema_file, open(here / file_name, encoding="utf-8") as file:
        clks = clk.generate_clk_from_csv(file, secret, from_json_file(schema_file), validate=validate, header=header, progress_bar=False)
    (here / f"{name}.clks.json").write_text(json.dumps({"clks": [serialization.serialize_bitarray(c) for c in clks]}))
    cases.append({"name": name, "people": file_name, "secret": secret, "header": str(header).lower(), "validate": validate})
(here / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
