# Known answers for the comparison of filters: people of the two bundled registers encoded by clkhash 0.18.3,
# compared by anonlink 0.15.3. Needs those two packages; the files beside this one are what it wrote.
import base64
import csv
import io
import json
import pathlib

import anonlink
from clkhash import clk
from clkhash.schema import from_json_dict

here = pathlib.Path(__file__).parent
registers = here.parents[3] / "crates/cli/fixtures/corridor_tn_it"

text = {"type": "string", "encoding": "utf-8"}
ngram = {
    "comparison": {"type": "ngram", "n": 2},
    "strategy": {"bitsPerFeature": 200},
    "hash": {"type": "blakeHash"},
}
schema = from_json_dict(
    {
        "version": 3,
        "clkConfig": {"l": 1024, "kdf": {"type": "HKDF", "hash": "SHA256", "salt": "c2FsdA==", "info": "", "keySize": 64}},
        "features": [
            {"identifier": "id", "ignored": True},
            {"identifier": "given", "format": text, "hashing": ngram},
            {"identifier": "family", "format": text, "hashing": ngram},
            {"identifier": "born", "format": text, "hashing": ngram},
        ],
    }
)


def people(name, records):
    with open(registers / name, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [r for r in rows if r["rec_id"] in records]


def encode(rows):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "given", "family", "born"])
    for r in rows:
        writer.writerow([r["rec_id"], r["given_names"].lower(), r["surname"].lower(), r["date_of_birth"]])
    return clk.generate_clk_from_csv(io.StringIO(out.getvalue()), "secret", schema, validate=False, progress_bar=False)


with open(registers / "truth.csv", newline="") as file:
    truth = list(csv.DictReader(file))[:120]
left = encode(people("a.csv", {t["id_a"] for t in truth[:100]}))
right = encode(people("b.csv", {t["id_b"] for t in truth[20:]}))
for name, clks in (("left.json", left), ("right.json", right)):
    texts = [base64.b64encode(c.tobytes()).decode() for c in clks]
    (here / name).write_text(json.dumps({"clks": texts}, indent=0) + "\n")

filters = [left, right]
for threshold in (0.5, 0.8):
    candidates = anonlink.candidate_generation.find_candidate_pairs(
        filters, anonlink.similarities.dice_coefficient_accelerated, threshold
    )
    similarities, _, (lefts, rights) = candidates
    pairs = sorted(zip(similarities, lefts, rights), key=lambda p: (-p[0], p[1], p[2]))
    groups = anonlink.solving.greedy_solve(candidates)
    links = sorted(tuple(index for _, index in sorted(group)) for group in groups)
    document = {
        "pairs": [[int(l), int(r), float(s)] for s, l, r in pairs],
        "greedy": [[int(l), int(r)] for l, r in links],
    }
    (here / f"pairs-{threshold}.json").write_text(json.dumps(document) + "\n")
