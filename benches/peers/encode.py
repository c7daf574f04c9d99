# `corridor encode --clkhash-schema` beside clkhash, from a CSV file to a JSON file, in one run: rounds in turn, medians and
# ratios, by the clock and by the time of processors, which others on the machine disturb less. clkhash has one worker and does
# not check formats; corridor has one thread, then two. Both files must be the same.
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from clkhash import clk, randomnames, serialization
from clkhash.schema import from_json_file

corridor, folder, records, rounds = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def feature(name, form, comparison, strategy, kind):
    return {"identifier": name, "format": form, "hashing": {"comparison": comparison, "strategy": strategy, "hash": {"type": kind}}}


def schema(kind, strategy, bits):
    text, ngram = {"type": "string"}, {"type": "ngram", "n": 2}
    return {
        "version": 3,
        "clkConfig": {"l": 1024, "kdf": {"type": "HKDF", "salt": "c2FsdA==", "info": "aW5mbw=="}},
        "features": [
            {"identifier": "INDEX", "ignored": True},
            feature("NAME freetext", text, ngram, {strategy: bits}, kind),
            feature("DOB YYYY/MM/DD", {"type": "date", "format": "%Y/%m/%d"}, {"type": "ngram", "n": 1, "positional": True}, {strategy: bits}, kind),
            feature("GENDER M or F", {"type": "enum", "values": ["M", "F"]}, {"type": "exact"}, {strategy: bits}, kind),
        ],
    }


SCHEMAS = {
    "blakeHash, bitsPerToken": schema("blakeHash", "bitsPerToken", 15),
    "blakeHash, bitsPerFeature": schema("blakeHash", "bitsPerFeature", 200),
    "doubleHash, bitsPerToken": schema("doubleHash", "bitsPerToken", 15),
}

if not (folder / "people.csv").exists():
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "people.csv", "w", newline="", encoding="utf-8") as file:
        names = randomnames.NameList(records)
        writer = csv.writer(file)
        writer.writerow([f.identifier for f in names.SCHEMA.fields])
        writer.writerows(names.names)
(folder / "secret.txt").write_text("secret")
(folder / "secret.txt").chmod(0o600)


def theirs(path, out):
    began, processor = time.perf_counter(), time.process_time()
    with open(path, encoding="utf-8") as file:
        read = from_json_file(file)
    with open(folder / "people.csv", encoding="utf-8") as file:
        clks = clk.generate_clk_from_csv(file, "secret", read, validate=False, progress_bar=False, max_workers=1)
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"clks": [serialization.serialize_bitarray(c) for c in clks]}, file)
    return time.perf_counter() - began, time.process_time() - processor


def ours(path, out, threads):
    out.unlink(missing_ok=True)
    command = [corridor, "encode", "--clkhash-schema", path, "--secret-file", folder / "secret.txt", "--no-validate"]
    began = time.perf_counter()
    child = subprocess.Popen(command + ["--threads", str(threads), folder / "people.csv", "-o", out], stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit("corridor failed")
    return seconds, used.ru_utime + used.ru_stime


for name, made in SCHEMAS.items():
    path, mine, other = folder / "schema.json", folder / "ours.json", folder / "theirs.json"
    path.write_text(json.dumps(made))
    runs = {1: [], 2: [], "clkhash": []}
    for _ in range(rounds):
        runs["clkhash"].append(theirs(path, other))
        for threads in (1, 2):
            runs[threads].append(ours(path, mine, threads))
        if mine.read_bytes() != other.read_bytes():
            sys.exit(f"{name}: corridor and clkhash wrote different files")
    (peer, peer_cpu), (one, one_cpu), (two, two_cpu) = (
        [statistics.median(run[at] for run in runs[key]) for at in (0, 1)] for key in ("clkhash", 1, 2)
    )
    print(f"{name}: {records} records, the same file from both")
    print(f"  clkhash, one worker     {records / peer:10.0f} records/s   {peer_cpu:.3f} s of a processor")
    print(f"  corridor, one thread    {records / one:10.0f} records/s   {one_cpu:.3f} s: {peer / one:.1f} times clkhash, by processor {peer_cpu / one_cpu:.1f} times")
    print(f"  corridor, two threads   {records / two:10.0f} records/s   {two_cpu:.3f} s: {one / two:.2f} times one thread", flush=True)
