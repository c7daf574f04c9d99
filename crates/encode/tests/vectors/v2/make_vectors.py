# Test vectors for version 1 of the keyed Bloom-filter encoding of person records.
# A second implementation, written from the specification alone and sharing no code
# with the main one: Python 3 and its standard library only (ChaCha20 is written out).
# Running it checks the primitives against their RFCs and writes vectors.json next to
# itself, always the same bytes. All keys and people in here are made up.
import hashlib
import hmac
import json
import os
import struct
import unicodedata

# ---------------------------------------------------------------- primitives


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf_extract(salt, ikm):
    return hmac_sha256(salt, ikm)


def hkdf_expand(prk, info, length):
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac_sha256(prk, block + info + bytes([counter]))
        out += block
        counter += 1
    return out[:length]


def chacha20_block(key, counter, nonce):
    """One 64-byte block, RFC 8439 section 2.3."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    start += struct.unpack("<8L", key) + (counter,) + struct.unpack("<3L", nonce)
    x = list(start)

    def add_xor_rotate(a, b, d, bits):
        x[a] = (x[a] + x[b]) & 0xFFFFFFFF
        x[d] ^= x[a]
        x[d] = ((x[d] << bits) | (x[d] >> (32 - bits))) & 0xFFFFFFFF

    def quarter_round(a, b, c, d):
        add_xor_rotate(a, b, d, 16)
        add_xor_rotate(c, d, b, 12)
        add_xor_rotate(a, b, d, 8)
        add_xor_rotate(c, d, b, 7)

    for _ in range(10):
        for i in range(4):  # columns
            quarter_round(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):  # diagonals
            quarter_round(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16L", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))


def chacha20_stream(key, length):
    """Keystream from block 0 with an all-zero nonce."""
    blocks = (length + 63) // 64
    return b"".join(chacha20_block(key, n, bytes(12)) for n in range(blocks))[:length]


# ---------------------------------------------------------------- words

PARTICLES = dict(
    pair.split(":") if ":" in pair else (pair, pair)
    for pair in """abd:abd abdal:abdel abdel:abdel abdoul:abdel abdul:abdel abou:abu
    abu:abu ait:ait al:el ben:ben bent:bent bin:ben bint:bent bou:bu bu:bu da das de del
    della den der di do dos du el ibn:ben la:la le:le mac:mac mc:mac mint:mint ould:uld
    san:san santa:santa st:san uld:uld van:van von:von wuld:uld""".split()
)

SPELLINGS = [
    pair.split(":")
    for pair in """tch:x sch:x sh:x ch:x dj:j dh:d th:t kh:k gh:g ph:f ck:k ce:se ci:si
    c:k qu:k q:k ou:u oo:u w:u y:i ee:i z:s""".split()
]


def plain(text):
    """Lower-case text without marks; enough for the Latin names used in here."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text))
    text = "".join(c for c in text if not unicodedata.category(c).startswith("M"))
    text = text.lower()
    assert all(c.isascii() for c in text if c.isalnum()), text
    return text


def words(name):
    text = plain(name).replace("'", "").replace("\u2019", "")
    parts = "".join(c if c.isalnum() else " " for c in text).split()
    out, prefix, pending = [], "", 0
    for i, word in enumerate(parts):
        if word in PARTICLES and i < len(parts) - 1 and pending < 3:
            prefix += PARTICLES[word]
            pending += 1
        else:
            out.append(prefix + word)
            prefix, pending = "", 0
    return out


def collapse(word):
    return "".join(c for i, c in enumerate(word) if i == 0 or word[i - 1] != c)


def fold_spelling(word):
    out, i = "", 0
    while i < len(word):
        for written, folded in SPELLINGS:
            if word.startswith(written, i):
                out += folded
                i += len(written)
                break
        else:
            out += word[i]
            i += 1
    return collapse(out)


def skeleton(word):
    word = fold_spelling(word)
    first = "a" if word[0] in "eiou" else word[0]
    return collapse(first + "".join(c for c in word[1:] if c not in "aeiouh"))


# ---------------------------------------------------------------- tokens

FIELDS = ["names", "name_keys", "birth_date", "sex", "citizenship", "birth_country"]


def tokens(record):
    """The sorted set of (field, token) of a record."""
    out = set()
    for word in words(record["given_names"]) + words(record["family_names"]):
        padded = " " + fold_spelling(word) + " "
        out |= {("names", padded[i : i + 2]) for i in range(len(padded) - 1)}
        out.add(("name_keys", skeleton(word)))
    year, month, day = (record["birth_" + part] for part in ("year", "month", "day"))
    if year is not None:
        dates = ["y%04d" % year]
        if month is not None and day is not None and (month, day) != (1, 1):
            dates += ["m%02d" % month, "d%02d" % day, "ym%04d%02d" % (year, month)]
            dates += ["md%02d%02d" % (month, day), "yd%04d%02d" % (year, day)]
        out |= {("birth_date", token) for token in dates}
    for field in ("sex", "citizenship", "birth_country"):
        if record[field] is not None:
            out.add((field, record[field]))
    return sorted(out)


# ---------------------------------------------------------------- keys and filters


class Project:
    def __init__(self, secret, r_origin, r_destination, agreement_digest, schema_digest):
        self.prk = hkdf_extract(agreement_digest, secret + r_origin + r_destination)
        self.digests = agreement_digest + schema_digest

    def derive(self, use, field, salt):
        info = "corridor/v1|%s|%s|%s" % (use, field, salt)
        return hkdf_expand(self.prk, info.encode("ascii"), 32)

    def key_check(self):
        return hmac_sha256(self.derive("check", "", ""), self.digests)

    def pseudonym(self, office_id, kind, text):
        """kind is "record" for a record id, "person" for a person key."""
        key = self.derive("person", office_id, kind)
        return hmac_sha256(key, text.encode("utf-8"))[:16]

    def seed(self, field, token):
        return hmac_sha256(self.derive("encode", field, ""), token.encode("utf-8"))

    def stream(self, field, token, length):
        return chacha20_stream(self.seed(field, token), length)

    def clk_positions(self, field, token):
        """The distinct bits of one token, in the order in which they are drawn."""
        wanted = 24 if field in ("name_keys", "birth_date") else 16
        drawn = []
        for (value,) in struct.iter_unpack("<H", self.stream(field, token, 1024)):
            if value & 1023 not in drawn:
                drawn.append(value & 1023)
            if len(drawn) == wanted:
                return drawn
        raise AssertionError("1024 bytes of keystream were not enough")

    def clk_1024(self, record_tokens):
        out = bytearray(128)
        for field, token in record_tokens:
            for position in self.clk_positions(field, token):
                out[position // 8] |= 1 << position % 8
        return bytes(out)

    def saul_3_2048(self, record_tokens):
        def bit(stream, j):
            return stream[j // 8] >> j % 8 & 1

        streams = [self.stream(field, token, 768) for field, token in record_tokens]
        tie_break = self.stream("tie_break", "", 768)
        out = bytearray(256)
        for j in range(3 * 2048):  # bit j % 2048 of layer j // 2048
            twice = 2 * sum(bit(stream, j) for stream in streams)
            if twice == len(streams):
                value = bit(tie_break, j)
            else:
                value = int(twice > len(streams))
            out[j % 2048 // 8] ^= value << j % 8
        return bytes(out)


# ---------------------------------------------------------------- what is tested

SECRET = bytes(range(0x00, 0x20))
R_ORIGIN = bytes(range(0x40, 0x60))
R_DESTINATION = bytes(range(0xE0, 0x100))
AGREEMENT_DIGEST = hashlib.sha256(b"test agreement").digest()
SCHEMA_DIGEST = hashlib.sha256(b"test schema").digest()
OFFICE_ORIGIN = "00112233445566778899aabbccddeeff"
OFFICE_DESTINATION = "f0e1d2c3b4a5968778695a4b3c2d1e0f"

DERIVED = [
    ("check", "", ""),
    ("person", OFFICE_ORIGIN, "record"),
    ("person", OFFICE_ORIGIN, "person"),
    ("person", OFFICE_DESTINATION, "record"),
    ("person", OFFICE_DESTINATION, "person"),
    ("encode", "tie_break", ""),
] + [("encode", field, "") for field in FIELDS]

PSEUDONYMS = [
    (OFFICE_ORIGIN, "record", "R-000001"),
    (OFFICE_ORIGIN, "person", "R-000001"),
    (OFFICE_DESTINATION, "record", "R-000001"),
    (OFFICE_DESTINATION, "person", "P/2024/17"),
    (OFFICE_ORIGIN, "record", "dépôt n° 7"),
    (OFFICE_ORIGIN, "person", ""),
]

TOKENS = [
    ("names", " a"),
    ("names", "li"),
    ("name_keys", "md"),
    ("birth_date", "y1989"),
    ("birth_date", "md1231"),
    ("birth_date", "d31"),  # draws a bit twice
    ("sex", "f"),
    ("citizenship", "TN"),
    ("birth_country", "TN"),
]

NAMES = [
    "Mohamed Ali Trabelsi",
    "Abd el-Kader Benzarti",
    "Abdoul Karim Zouaoui",
    "Youssef Ben Aïcha",
    "Fatma Bint Cheikh",
    "Fatimetou Mint Sidi Ould",
    "Mohamed Wuld Abd Allah",
    "Al-Hoceima Aït Oufkir",
    "Khadija El Ghazouani",
    "Qasim ibn al-Khattab",
    "Abou El Ould Ben Salem",
    "Djibril N'Diaye",
    "Aïssatou M\u2019Backé",
    "Thierno Kouyaté-Coulibaly",
    "Ouédraogo Tchéky",
    "Gebre-Egziabher Haile",
    "Tsehay W/Mariam Yohannes",
    "João Gonçalves dos Santos",
    "Jose\u0301 de Sousa e Silva",
    "Conceição da Encarnação Nuñes",
    "Giacomo Dell'Acqua",
    "Lucia Della Rocca De Cecco",
    "Niccolò D\u2019Amico",
    "François-Xavier Le Goff",
    "Château de la Quintière, Hélène",
    "Marie  St. Clair",
    "Jürgen von der Schütz",
    "Günther Philipp Zschokke",
    "  O'  ",
    "de",
    "",
]

RECORD_KEYS = ["given_names", "family_names", "birth_year", "birth_month", "birth_day"]
RECORD_KEYS += ["sex", "citizenship", "birth_country"]
RECORDS = [
    ("Mohamed Ali", "Trabelsi", 1989, 12, 31, "m", "TN", "TN"),
    ("Mohammed Aly", "Ettrabelsi", 1989, 12, 31, "m", "TN", "TN"),
    ("Fatma", "Ben Aïcha", 1990, 1, 1, "f", "TN", "TN"),  # 1 January
    ("Djibril", "N'Diaye", 1978, 6, 15, None, "SN", "SN"),  # no sex
    ("Aïssatou", "Kouyaté-Coulibaly", 2001, 2, 28, "f", None, "ML"),  # no citizenship
    ("Mohamed", "Ould Cheikh Abd Allah", 1965, None, None, "m", "MR", "MR"),  # only a year
    ("Gebre-Egziabher", "Haile", 1970, 9, 11, "m", "ET", "ER"),
    ("João", "Gonçalves dos Santos", 1958, 4, 25, "m", "PT", "AO"),
    ("Lucia", "Dell\u2019Acqua", 1999, 10, 1, "f", "IT", "IT"),
    ("François-Xavier", "Le Goff", 2003, 1, 10, "m", "FR", None),
    ("Jürgen", "von der Schütz", 1944, 1, 2, "m", "DE", "PL"),
    ("Li", "", None, None, None, None, None, None),  # four tokens
    ("", "", None, None, None, "f", None, None),  # one token
    ("", "", None, None, None, "f", "TN", None),  # two tokens
]


def self_check():
    """Compute published test values; stop unless they are as published."""
    rfc8439_key = bytes(range(32))
    computed = {
        "chacha20_rfc8439_2_3_2": chacha20_block(
            rfc8439_key, 1, bytes.fromhex("000000090000004a00000000")
        ),
        "chacha20_rfc8439_2_4_2_first_block": chacha20_block(
            rfc8439_key, 1, bytes.fromhex("000000000000004a00000000")
        ),
        "chacha20_rfc8439_a_1_zero_key_block_0": chacha20_block(bytes(32), 0, bytes(12)),
        "hmac_sha256_rfc4231_4_2": hmac_sha256(b"\x0b" * 20, b"Hi There"),
        "hkdf_sha256_rfc5869_a_1": hkdf_expand(
            hkdf_extract(bytes(range(13)), b"\x0b" * 22), bytes(range(0xF0, 0xFA)), 42
        ),
    }
    computed = {name: value.hex() for name, value in computed.items()}
    assert computed == {
        "chacha20_rfc8439_2_3_2": (
            "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
            "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
        ),
        "chacha20_rfc8439_2_4_2_first_block": (
            "224f51f3401bd9e12fde276fb8631ded8c131f823d2c06e27e4fcaec9ef3cf78"
            "8a3b0aa372600a92b57974cded2b9334794cba40c63e34cdea212c4cf07d41b7"
        ),
        "chacha20_rfc8439_a_1_zero_key_block_0": (
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        ),
        "hmac_sha256_rfc4231_4_2": (
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        "hkdf_sha256_rfc5869_a_1": (
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
            "34007208d5b887185865"
        ),
    }
    return computed


def record_vector(project, values):
    record = dict(zip(RECORD_KEYS, values))
    found = tokens(record)
    return {
        "record": record,
        "token_count": len(found),
        "tokens": found,
        "clk-1024": project.clk_1024(found).hex(),
        "saul-3-2048": project.saul_3_2048(found).hex(),
    }


def main():
    project = Project(SECRET, R_ORIGIN, R_DESTINATION, AGREEMENT_DIGEST, SCHEMA_DIGEST)
    vectors = {
        "about": "Test vectors of the keyed Bloom-filter encoding, version 1. Written by "
        "make_vectors.py; do not edit. All keys and people are made up.",
        "self_check": self_check(),
        "inputs": {
            "secret": SECRET.hex(),
            "r_origin": R_ORIGIN.hex(),
            "r_destination": R_DESTINATION.hex(),
            "agreement_digest": AGREEMENT_DIGEST.hex(),
            "schema_digest": SCHEMA_DIGEST.hex(),
            "office_origin": OFFICE_ORIGIN,
            "office_destination": OFFICE_DESTINATION,
        },
        "prk": project.prk.hex(),
        "derive": [
            {"use": u, "field": f, "salt": s, "key": project.derive(u, f, s).hex()}
            for u, f, s in DERIVED
        ],
        "key_check": project.key_check().hex(),
        "pseudonyms": [
            {"office": o, "kind": k, "id": i, "pseudonym": project.pseudonym(o, k, i).hex()}
            for o, k, i in PSEUDONYMS
        ],
        "token_streams": [
            {
                "field": field,
                "token": token,
                "seed": project.seed(field, token).hex(),
                "stream_start": project.stream(field, token, 64).hex(),
                "clk_positions": project.clk_positions(field, token),
            }
            for field, token in TOKENS
        ],
        "tie_break_stream": project.stream("tie_break", "", 768).hex(),
        "names": [
            {
                "name": name,
                "words": words(name),
                "folded": [fold_spelling(word) for word in words(name)],
                "skeletons": [skeleton(word) for word in words(name)],
            }
            for name in NAMES
        ],
        "fields": FIELDS,
        "records": [record_vector(project, values) for values in RECORDS],
    }
    assert {vector["token_count"] % 2 for vector in vectors["records"]} == {0, 1}
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "vectors.json"), "w", encoding="ascii", newline="\n") as file:
        json.dump(vectors, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
