# Reads a dataset as an auditor would, with pyarrow alone, and checks it against the pseudonym list and the register.
import csv
import sys

import pyarrow as pa
import pyarrow.parquet as pq

dataset, pseudonyms, register, agreement = sys.argv[1:]
table = pq.read_table(dataset)
schema = table.schema
assert schema.field("record").type == pa.binary(16), schema
assert schema.field("person").type == pa.binary(16), schema
assert schema.field("filter").type == pa.binary(256), schema
assert schema.field("event_date").type == pa.date32(), schema
metadata = {k.decode(): v.decode() for k, v in schema.metadata.items()}
assert metadata["corridor.format"] == "corridor-dataset/1", metadata
assert metadata["corridor.agreement"] == agreement, metadata
assert metadata["corridor.office"] == "INS-TN", metadata
assert metadata["corridor.records"] == str(table.num_rows), metadata

with open(pseudonyms, newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
assert [r["record"] for r in rows] == [v.hex() for v in table["record"].to_pylist()]
with open(register, newline="", encoding="utf-8") as file:
    people = {r["rec_id"]: r for r in csv.DictReader(file)}
assert {r["record_id"] for r in rows} == set(people)
words = {"F": "female", "M": "male", "": "unknown"}
columns = ["sex", "event_date", "direction"]
values = [table[c].to_pylist() for c in columns]
for row, sex, date, direction in zip(rows, *values):
    person = people[row["record_id"]]
    assert words[person["sex"]] == sex
    assert person["event_date"] == date.isoformat()
    assert {"OUT": "emigration", "IN": "immigration"}[person["direction"]] == direction

# About half of the bits of a filter are set, and no value of the register is in the file.
filters = table["filter"].to_pylist()
fill = sum(int.from_bytes(f, "little").bit_count() for f in filters) / (len(filters) * 2048)
assert 0.48 <= fill <= 0.52, fill
content = open(dataset, "rb").read()
for person in people.values():
    for value in (person["rec_id"], person["surname"], person["passport_no"]):
        assert len(value) < 7 or value.encode() not in content, "a value of the register is in the dataset"
print(f"{table.num_rows} records read")
