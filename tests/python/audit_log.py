# An audit log by RFC 9162 and the signed-note format of C2SP alone, with no code of this project.
#
#   audit_log.py known         prints the known answers of crates/core/src/audit/tests.rs
#   audit_log.py verify FILE   checks an export of `corridor audit export`: every hash, the root and the signature
import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def key_id(name, key):
    return hashlib.sha256(name.encode() + b"\n\1" + key).digest()[:4]


def known():
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    for size in range(len(leaves) + 1):
        print(root(leaves[:size]).hex())
    private = ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    key = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    name = "linkage.example/audit"
    encoded = base64.b64encode(b"\1" + key).decode()
    print(f"{name}+{key_id(name, key).hex()}+{encoded}")
    text = f"{name}\n8\n{base64.b64encode(root(leaves)).decode()}\ntime 2026-11-28T03:00:00Z\n"
    signature = base64.b64encode(key_id(name, key) + private.sign(text.encode())).decode()
    print(text + f"\n\u2014 {name} {signature}")


def verify(path):
    with open(path, encoding="utf-8", newline="") as file:
        header, key, *note, entries = file.read().split("\n", 8)[:9]
        file.seek(0)
        rest = file.read().split("entries\n", 1)[1]
    assert header == "corridor audit export v1" and note[4] == "" and entries.startswith("entries\n")
    name, key_hash, encoded = key.removeprefix("key ").split("+", 2)
    key = base64.b64decode(encoded)[1:]
    assert key_id(name, key).hex() == key_hash
    dash, signer, encoded = note[5].split(" ")
    signature = base64.b64decode(encoded)
    assert (dash, signer, note[0]) == ("\u2014", name, name) and signature[:4] == key_id(name, key)
    text = "\n".join(note[:4]) + "\n"
    ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], text.encode())
    leaves, readable = [], 0
    for place, line in enumerate(rest.splitlines()):
        number, leaf, *entry = line.split(" ", 2)
        assert int(number) == place
        if entry:
            readable += 1
            assert leaf_hash(entry[0].encode()).hex() == leaf and json.loads(entry[0])["sequence"] == place
        leaves.append(bytes.fromhex(leaf))
    assert len(leaves) == int(note[1]) and root(leaves) == base64.b64decode(note[2])
    print(f"{len(leaves)} entries, {readable} readable")


if sys.argv[1] == "known":
    known()
else:
    verify(sys.argv[2])
