# Test vectors for the keyed Bloom-filter encoding of person records with normalisation corridor-2.
# A second implementation, written from the specification alone and sharing no code
# with the main one: Python 3 and its standard library only (ChaCha20 is written out).
# Running it checks the primitives against their RFCs and writes vectors.json next to
# itself, always the same bytes. All keys and people in here are made up.
import datetime
import hashlib
import hmac
import json
import math
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


# ---------------------------------------------------------------- letters

JOINERS = set("'`\u00b4\u2018\u2019\u201b\u2032\uff07\u02c8\u02ee\u055a\ua78b\ua78c\u0640\0\u00ad\u034f\u061c\u180e\ufeff")
JOINERS |= {chr(c) for first, last in [(0x2B9, 0x2C1), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F)] for c in range(first, last + 1)}
POINTS = {chr(c) for first, last in [(0x591, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F), (0x670, 0x670), (0x6D6, 0x6ED)] for c in range(first, last + 1)}


def table(text):
    return dict(pair.split(":") for pair in text.split())


# Latin letters that do not decompose into a letter and marks.
LATIN = table(
    """\u00df:ss \u00f8:o \u00e6:ae \u0153:oe \u0111:d \u00f0:d \u0142:l \u0131:i \u00fe:th \u014b:ng \u0272:ny \u0253:b
    \u0257:d \u0256:d \u0192:f \u0260:g \u0263:gh \u0199:k \u01b4:y \u028b:v \u0283:sh \u0292:j \u025b:e \u0259:e \u01dd:e
    \u0254:o \u0269:i \u026a:i \u028a:u"""
)
# Scripts that are taken letter by letter: the letters used in here, as the table any_ascii (ISC licence) has them.
OTHER = table(
    """\u0544:m \u0561:a \u0580:r \u056b:i \u0574:m \u10d3:d \u10d0:a \u10d5:v \u10d8:i \u10d7:t \u05d3:d \u05d5:v \u05db:kh
    \u05d4:h \u05df:n \u0905:a \u092e:m \u093f:i \u0924:t \u91d1:jin \u5c0f:xiao \u660e:ming"""
)
GREEK = table(
    """\u03b1:a \u03b2:v \u03b3:g \u03b4:d \u03b5:e \u03b6:z \u03b7:i \u03b8:th \u03b9:i \u03ba:k \u03bb:l \u03bc:m \u03bd:n
    \u03be:x \u03bf:o \u03c0:p \u03c1:r \u03c3:s \u03c2:s \u03c4:t \u03c5:y \u03c6:f \u03c7:ch \u03c8:ps \u03c9:o"""
)
CYRILLIC = table(
    """\u0430:a \u0431:b \u0432:v \u0433:g \u0491:g \u0434:d \u0452:dj \u0435:e \u044d:e \u0451:yo \u0454:ye \u0436:zh \u0437:z
    \u0438:i \u0456:i \u0457:yi \u0439:y \u044b:y \u0458:j \u043a:k \u043b:l \u0459:lj \u043c:m \u043d:n \u045a:nj \u043e:o
    \u043f:p \u0440:r \u0441:s \u0442:t \u045b:c \u0443:u \u0444:f \u0445:kh \u0446:ts \u0447:ch \u045f:dz \u0448:sh
    \u0449:shch \u044e:yu \u044f:ya"""
)
ARABIC = table(
    """\u0628:b \u067e:p \u062a:t \u0637:t \u062b:th \u062c:j \u0686:ch \u062d:h \u0647:h \u062e:kh \u062f:d \u0636:d \u0630:dh
    \u0631:r \u0632:z \u0638:z \u0633:s \u0635:s \u0634:sh \u063a:gh \u0641:f \u06a4:v \u0642:q \u06a8:g \u06ad:g \u06af:g
    \u0643:k \u06a9:k \u0644:l \u0645:m \u0646:n"""
)
ARABIC_WORDS = table(
    """\u0627\u0628\u0646:ibn \u0627\u0628\u0648:abu \u0627\u0628\u064a:abi \u0627\u0644:el \u0627\u064a\u062a:ait
    \u0628\u0646:ben \u0628\u0646\u062a:bint \u0628\u0646\u064a:beni \u0628\u0648:bu \u0639\u0628\u062f:abd
    \u0645\u0646\u062a:mint \u0648\u0644\u062f:uld"""
)
GEEZ = dict(
    zip(
        range(0x1200, 0x1358, 8),
        """h l h m s r s sh k kw k kw b v t ch h hw n ny - k kw h hw w - z zh y d d j g gw ng t ch p ts ts f
        p""".split(),
    )
)
SHAPES = "A\u0410\u0391 B\u0412\u0392 E\u0415\u0395 H\u041d\u0397 K\u041a\u039a M\u041c\u039c O\u041e\u039f P\u0420\u03a1"
SHAPES += " T\u0422\u03a4 X\u0425\u03a7 a\u0430\u03b1 c\u0441 e\u0435 o\u043e\u03bf p\u0440\u03c1 x\u0445\u03c7 y\u0443\u03b3"


def script(letter):
    name = unicodedata.name(letter, "")
    for word, code in [("LATIN", "l"), ("GREEK", "g"), ("CYRILLIC", "c"), ("ARABIC", "a"), ("ETHIOPIC", "e")]:
        if name.startswith(word):
            return code
    return "o"


def syllables(sounds, filler):
    """sounds: (is it a vowel, letters). A consonant, a vowel, perhaps one consonant more."""
    out, i = "", 0

    def add(vowel):
        nonlocal out
        if not out.endswith(vowel):
            out += vowel

    def closes(i):
        if i >= len(sounds) or sounds[i][0]:
            return False
        if i + 1 == len(sounds):
            return True
        (_, own), (vowel, after) = sounds[i], sounds[i + 1]
        return not vowel and own != after and not (after == "h" and own[-1] in "cdgkpst")

    while i < len(sounds):
        if sounds[i][0]:
            add(sounds[i][1])
            i += 1
        else:
            out += sounds[i][1]
            i += 1
            if i == len(sounds):
                break
            if not sounds[i][0]:
                out += filler
            while i < len(sounds) and sounds[i][0]:
                add(sounds[i][1])
                i += 1
        if closes(i):
            out += sounds[i][1]
            i += 1
    return out


def spell_arabic(run):
    alefs, plain = "\u0627\u0623\u0625\u0622\u0671", []
    for c in run:
        plain.append("\u0627" if c in alefs else "\u064a" if c in "\u0649\u06cc" else c)
    if "".join(plain) in ARABIC_WORDS:
        return ARABIC_WORDS["".join(plain)]
    head = ""
    if len(run) >= 5 and plain[0] == "\u0627" and run[1] == "\u0644":
        head, run, plain = "el", run[2:], plain[2:]
    sounds = []
    for i, c in enumerate(run):
        if run[i:] == "\u0644\u0644\u0647":
            continue
        if run[i:] == "\u0644\u0647" and run[i - 1 : i] == "\u0644":
            sounds += [(False, "l"), (True, "a")]
            continue
        before = plain[i - 1] if i else ""
        after = plain[i + 1] if i + 1 < len(run) else ""
        glide = i == 0 or (before in "\u0627\u0648\u064a\u0639" and after in tuple("\u0627\u0648\u064a\u0629\u0624"))
        if c in "\u0621":
            continue
        elif c == "\u0625":
            sounds.append((True, "i"))
        elif c in alefs + "\u0639" or (c == "\u0649" and not after):
            sounds.append((True, "a"))
        elif c == "\u0629":
            sounds.append((False, "t") if before == "\u0627" else (True, "a"))
        elif c == "\u0648":
            sounds.append((False, "w") if glide else (True, "u"))
        elif c == "\u0624":
            sounds.append((True, "u"))
        elif c in "\u064a\u06cc\u0649":
            sounds.append((False, "y") if glide else (True, "i"))
        elif c == "\u0626":
            sounds.append((True, "i"))
        else:
            sounds.append((False, ARABIC[c]))
    return head + syllables(sounds, "a")


def spell_geez(run):
    sounds = []
    for c in run:
        consonant, order = GEEZ[ord(c) & ~7], ord(c) & 7
        if consonant != "-":
            sounds.append((False, consonant))
        if order == 0 and consonant in "-h":
            sounds.append((True, "a"))
        elif order == 5:
            if consonant == "-":
                sounds.append((True, "e"))
        elif order == 7:
            sounds += [(False, "w"), (True, "a")]
        else:
            sounds.append((True, "euiae-o"[order]))
    return syllables(sounds, "i")


def without_marks(text):
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.category(c).startswith("M"))


def spell_greek(run):
    run, out, i = without_marks(run.lower()).replace("\u03c2", "\u03c3"), "", 0
    while i < len(run):
        two = run[i : i + 2]
        hard = run[i + 2 : i + 3] in ("", *"\u03b8\u03ba\u03be\u03c0\u03c3\u03c4\u03c6\u03c7\u03c8")
        if two == "\u03bf\u03c5":
            out, i = out + "ou", i + 2
        elif two in ("\u03b1\u03c5", "\u03b5\u03c5"):
            out, i = out + GREEK[two[0]] + ("f" if hard else "v"), i + 2
        elif two in ("\u03b3\u03b3", "\u03b3\u03be", "\u03b3\u03c7"):
            out, i = out + "n" + GREEK[two[1]], i + 2
        elif two == "\u03bc\u03c0" and (i == 0 or i + 2 == len(run)):
            out, i = out + "b", i + 2
        else:
            out, i = out + GREEK[run[i]], i + 1
    return out


def spell_cyrillic(run):
    run, out = run.lower(), ""
    for i, c in enumerate(run):
        if c == "\u044a":
            out += "" if run[i + 1 : i + 2] in tuple("\u0435\u0451\u044e\u044f\u0454\u0457") else "a"
        elif c != "\u044c":
            out += CYRILLIC[c]
    return out


def spell_latin(run):
    out = ""
    for c in run.lower():
        for part in unicodedata.normalize("NFD", c):
            if part.isascii():
                out += part
            elif not unicodedata.category(part).startswith("M"):
                out += LATIN[part]
    return out


def spell_other(run):
    out = ""
    for c in run:
        if c.isascii() or unicodedata.decimal(c, None) is not None:
            out += c.lower() if c.isascii() else str(unicodedata.decimal(c))
        elif c in OTHER:
            out += OTHER[c]
        else:
            assert unicodedata.category(c).startswith("M"), repr(c)
    return out


SPELL = {"l": spell_latin, "g": spell_greek, "c": spell_cyrillic, "a": spell_arabic, "e": spell_geez, "o": spell_other}


def one_script(run):
    scripts = [script(c) for c in run]
    latin, other = scripts.count("l"), scripts.count("g") + scripts.count("c")
    if not latin or not other:
        return run
    out = ""
    for c in run:
        for shape in SHAPES.split():
            if latin >= other and c in shape[1:]:
                c = shape[0]
            elif latin < other and c == shape[0]:
                c = shape[2 if "g" in scripts else 1]
        out += c
    return out


def spell(run):
    run, out, i = one_script(run), "", 0
    while i < len(run):
        j = i
        while j < len(run) and script(run[j]) == script(run[i]):
            j += 1
        out += SPELL[script(run[i])](run[i:j])
        i = j
    return out


def parts(name):
    """Runs of letters, each with the sign after it."""
    found, run = [], ""

    def close(sign):
        nonlocal run
        if spelt := spell(run):
            found.append([spelt, sign])
        elif found and found[-1][1] == " ":
            found[-1][1] = sign
        run = ""

    for c in unicodedata.normalize("NFKC", name)[:1024]:
        if c in JOINERS or c in POINTS:
            continue
        if c.isalnum() or unicodedata.category(c).startswith("M"):
            run += c
        else:
            close(c)
    close(" ")
    return found


# ---------------------------------------------------------------- words

PARTICLES = dict(
    pair.split(":") if ":" in pair else (pair, pair)
    for pair in """abd abdal:abdel abdel abdoul:abdel abdul:abdel abi abo:abu abou:abu aboul:abuel abu abul:abuel ait
    al:el bani:beni ben beni bent:bint bin:ben bint bni:beni bou:bu bu da dal das de degli dei del della delle den der des
    di do dos du el ibn:ben la las le los mac mc:mac mint oulad:uled ould:uld ouled:uled oum:um saint sainte:santa san
    santa st:saint ste:santa ter uld umm:um van von wuld:uld""".split()
)
TITLES = set("dr ep epouse epse jr mlle mme mr mrs nee prof sr veuve vve".split())
SUFFIXES = set(
    """alah aldeen aldin allah deen eddin eddine edin edine eldeen eldin eldine ellah oddin oullah uddin
    ullah""".split()
)
SHORT = {"g": "gebre", "h": "haile", "k": "kidane", "t": "tekle", "w": "wolde"}


def particle(text, end, after):
    if len(text) == 1:
        vowel = after[0] in "aeiouh"
        if end == "." or len(after) < 3:
            return None
        if text in "no" and not vowel or text in "dl" and vowel or text == "m" and (not vowel or after[0] == "h"):
            return text
        return None
    if text in PARTICLES:
        return PARTICLES[text]
    sun = text[1:]
    if text[0] in "aeu" and sun in ("d", "n", "r", "s", "t", "z", "ch", "sh", "dh", "th"):
        if after.startswith(sun) and len(after) > len(sun) + 1 and not after.startswith("ng"):
            return "e" + sun
    return None


def words(name):
    runs = parts(name)
    if len(runs) == 1:
        return [runs[0][0]]
    named = [run for run in runs if run[0] not in TITLES]
    if len(named) >= 2:
        runs = named
    out, prefix, pending = [], "", 0
    for i, (text, end) in enumerate(runs):
        if i + 1 < len(runs):
            after = runs[i + 1][0]
            if end == "/" and text in SHORT:
                prefix += SHORT[text]
                continue
            if text in ("e", "y") and end == " " and i and len(runs[i - 1][0]) > 2 and len(after) > 1:
                continue
            joined = particle(text, end, after) if pending < 3 else None
            if joined:
                prefix, pending = prefix + joined, pending + 1
                continue
        word, prefix, pending = prefix + text, "", 0
        if out and word in SUFFIXES:
            out[-1] += word
        else:
            out.append(word)
    return out


# ---------------------------------------------------------------- spelling and keys

LOCAL = table(
    """axmed:ahmed ayse:aisha caasha:aisha cabdi:abdi cabdullahi:abdullahi cali:ali cumar:umar cusman:othman
    faadumo:fatuma faical:faisal faycal:faisal hatice:khadija ishag:isaac ishak:isaac ishaq:isaac maxamed:mohamed
    maxamud:mahmud md:mohamed med:mohamed mehmet:mohamed mohd:mohamed osman:othman ousman:othman ousmane:othman
    usman:othman usmanu:othman xaliimo:halima xasan:hasan xuseen:husen"""
)
VOWELS = "aeiou"


def collapse(word):
    return "".join(c for i, c in enumerate(word) if i == 0 or word[i - 1] != c)


def after_article(word):
    if len(word) < 5:
        return None
    if word.startswith("el"):
        return word[2:] if word[2] not in VOWELS + "ly" else None
    if len(word) < 6:
        return None
    if word.startswith("al"):
        return word[2:] if word[2] not in VOWELS + "ly" else None
    if word[0] == "e":
        for sun in ("d", "n", "r", "s", "t", "z", "ch", "sh"):
            if word[1:].startswith(sun + sun):
                return word[1 + len(sun) :]
    return None


def is_sun(name):
    return name[:1] in tuple("dlnrstxz") or name.startswith("ch")


def split_prefix(word):
    if word.startswith("abd"):
        rest = word[3:].lstrip(VOWELS)
        if len(rest) > 2 and len(word) - 3 - len(rest) in (1, 2):
            name = rest[1:] if rest[0] == "l" else rest
            return ("abde" if is_sun(name) else "abdel"), name
        return "", word
    if word.startswith("mc") and len(word) > 4:
        return "mak", word[2:]
    for father in ("abou", "abu"):
        if word.startswith(father):
            name = word[len(father) :]
            name = name[1:] if name[:1] in ("a", "e") else name
            if name[:1] == "l" and len(name) > 3:
                return "abul", name[1:]
            break
    name = after_article(word)
    if name is not None:
        return ("e" if is_sun(name) else "el"), name
    return "", word


def split_suffix(word):
    stem = word[:-1] if word.endswith("e") else word
    for end in ("in", "een", "yn"):
        if stem.endswith(end):
            stem = stem[: -len(end)]
            break
    else:
        return word, ""
    if not stem.endswith("d"):
        return word, ""
    stem = stem[:-1]
    stem = stem[:-1] if stem[-1:] in ("d", "l") else stem
    start = stem.rstrip(VOWELS)
    if len(start) >= 2 and 1 <= len(stem) - len(start) <= 2:
        return start, "edin"
    return word, ""


# What is written, what it becomes; ^ is the beginning of the word, [..] a letter that must follow.
RULES = """chae:kae tch:x tsh:x tsch:x sch:x ^chl:kl sh:x ch:x dj:j dh:d th:t ts:s tz:s kh:k ks:x cs:x gh:g gn:n gue:ge
gui:gi guy:gy gia:ja gio:jo giu:ju ph:f bh:b ck:k cq:k ce:se ci:si cy:sy c:k qu:k q:k ou:u oo:u ow:o w:u ee:i y:i z:s"""
RULES = [rule.split(":") for rule in RULES.split()]
KEPT = {"chae": 2, "^chl": 2, "gue": 2, "gui": 2, "guy": 2, "gia": 2, "gio": 2, "giu": 2, "ce": 1, "ci": 1, "cy": 1}


def one_sound(word, i):
    """What the letters at i become, and how many they are."""
    rest = word[i:]
    if i == 0 and rest.startswith("thi") and rest[3:4] in tuple(VOWELS + "yw"):
        return "x", 3
    if i == 0 and rest.startswith("chr") and rest[4:5] == "s":
        return "k", 2
    if i == 0 or (i == 1 and word[0] == "n"):
        if rest[0] == "d" and rest[1:2] in ("i", "y") and rest[2:3] in tuple("aeou"):
            return "j", 2
    if i and rest[0] == "h" and word[i - 1] in "lnrm":
        return "", 1
    if rest[:2] in ("ue", "oe") and len(rest) > 2:
        return "u", 2
    for written, sound in RULES:
        plain = written.lstrip("^")
        if rest.startswith(plain) and (plain == written or i == 0):
            used = KEPT.get(written, len(plain))
            return sound[: len(sound) - (len(plain) - used)], used
    return rest[0], 1


def fold_spelling(word):
    word = LOCAL.get(word, word)
    prefix, rest = split_prefix(word)
    rest, suffix = split_suffix(rest)
    out, i = prefix, 0
    while i < len(rest):
        sound, used = one_sound(rest, i)
        out, i = out + sound, i + used
    out = collapse(out.replace("o", "u"))
    if len(out) > 2 and out.endswith("h"):
        out = out[:-1]
    if len(out) > 3 and out.endswith("e"):
        out = out[:-1]
    return collapse(out + suffix)


def stem(word):
    word = LOCAL.get(word, word)
    name = after_article(word)
    if name is not None:
        return name
    if word.startswith("el") and len(word) > 5 and word[2] in "aiou":
        return word[2:]
    return word


def skeleton(word):
    word = fold_spelling(stem(word))
    first = "a" if word[0] in VOWELS else word[0]
    rest = "".join(c for c in word[1:] if c not in VOWELS + "h")
    return (first + rest).replace("p", "b").replace("v", "f")


def consonants(word):
    return sum(c not in VOWELS + "h" for c in word)


def double_metaphone(word):
    """Primary code, for words that have no vowel but a and no consonant but b d f h k l m n p r s t v (and sh)."""
    code, i = "", 0
    if word[:2] in ("kn", "pn", "ps"):
        i = 1
    while i < len(word) and len(code) < 8:
        c, after = word[i], word[i + 1 : i + 2]
        if c == "a":
            code += "a" if i == 0 else ""
        elif c == "h":
            code += "h" if i == 0 and after == "a" else ""
        elif c == "s" and after == "h":
            code, i = code + "x", i + 1
        elif c in "bpdtfvklmnrs":
            code += {"b": "p", "d": "t", "v": "f"}.get(c, c)
            i += after in {"p": "pb", "t": "td", "d": "dt"}.get(c, c) and after != ""
        i += 1
    return code


def phonetic(word):
    word = fold_spelling(stem(word))
    if word[0] == "l" and word[1:2] == "a" and word[2:3] not in tuple(VOWELS) and consonants(word[1:]) > 1:
        word = word[1:]
    if consonants(word) > 2:
        word = word.lstrip(VOWELS)
    for ending in ("at", "ata", "atu"):
        if word.endswith(ending):
            name = word[: -len(ending)]
            if len(name) > 1 and consonants(name) > 0:
                word = name
            break
    if word.endswith(("nd", "nt")):
        word = word[:-1]
    plain = ""
    for i, c in enumerate(word):
        if c in VOWELS:
            plain += "a"
        elif c in "gj":
            plain += "k"
        elif c == "x":
            plain += "sh"
        elif c != "h" or i == 0:
            plain += c
    return double_metaphone(plain) or plain


# ---------------------------------------------------------------- dates

# First days of years and months of the Umm al-Qura calendar, from its published tables (van Gent; KACST).
UMM_AL_QURA = {(1400, 1): (1979, 11, 21), (1401, 1): (1980, 11, 9), (1420, 1): (1999, 4, 17), (1445, 9): (2024, 3, 11)}


def ethiopian_day(year, month, day):
    if not (1 <= month <= 13 and 1 <= day <= (30 if month < 13 else 6 if year % 4 == 3 else 5)):
        return None
    # Days since the first of year 1, 29 August 8 Julian, which is day 2796 of the proleptic Gregorian calendar.
    return 2796 + 365 * (year - 1) + year // 4 + 30 * (month - 1) + day - 1


def hijri_civil_day(year, month, day):
    leap = (11 * year + 14) % 30 < 11
    if not (1 <= month <= 12 and 1 <= day <= (30 if month % 2 or (month == 12 and leap) else 29)):
        return None
    # 16 July 622 Julian is day 227015.
    return 227014 + 354 * (year - 1) + (3 + 11 * year) // 30 + 29 * (month - 1) + month // 2 + day


def umm_al_qura_day(year, month, day):
    start = UMM_AL_QURA.get((year, month))
    return datetime.date(*start).toordinal() + day - 1 if start else None


def gregorian_day(year, month, day):
    try:
        return datetime.date(year, month, day).toordinal()
    except ValueError:
        return None


DAYS = {"gregorian": gregorian_day, "ethiopian": ethiopian_day, "hijri-civil": hijri_civil_day, "hijri-umalqura": umm_al_qura_day}


def cover(calendar, year, month, day):
    """Year, month and day in the Gregorian calendar, as far as they are known."""
    of = DAYS[calendar]
    first = of(year, month or 1, day or 1)
    if first is None:
        return None
    if day:
        last = first
    elif month:
        last = max(number for n in range(28 if calendar == "gregorian" else 5, 32) if (number := of(year, month, n)))
    else:
        last = of(year + 1, 1, 1) - 1
    first, last = datetime.date.fromordinal(first), datetime.date.fromordinal(last)
    left = (datetime.date(first.year, 12, 31) - first).days + 1
    found = first.year if first.year == last.year or left >= last.timetuple().tm_yday else last.year
    whole = month and (first.year, first.month) == (last.year, last.month)
    return found, first.month if whole else None, first.day if first == last else None


def date(calendar, pivot, text):
    """The date and its quality."""
    text = "".join(str(unicodedata.decimal(c)) if c.isdigit() else c for c in text)
    parts = [int(part) for part in text.split("-")] + [0, 0]
    year, month, day = parts[0], parts[1] or None, parts[2] or None
    day = day if month else None
    if len(text.split("-")[0]) == 2:
        if pivot is None:
            return None, "missing"
        year = next(y for y in range(pivot, pivot + 100) if y % 100 == year)
    found = cover(calendar, year, month, day)
    if found is None or not 1850 <= found[0] <= 2150:
        return None, "missing"
    converted = calendar != "gregorian"
    if (month, day) == (1, 1):
        return "%04d" % found[0], "imputed"
    if None in found:
        return "%04d" % found[0], "partial_converted" if converted else "partial"
    return "%04d-%02d-%02d" % found, "converted" if converted else "documented"


# ---------------------------------------------------------------- countries

COUNTRIES = table(
    """TN:TN TUN:TN 788:TN EL:GR UK:GB XK:XK XKX:XK CIV:CI ZAR:CD HV:BF DHY:BJ RH:ZW DDR:DE TP:TL BU:MM"""
)


def published(kind, text):
    if kind == "name":
        found = words(text)
        return {
            "kind": "name",
            "input": text,
            "words": found,
            "folded": [fold_spelling(word) for word in found],
            "skeleton": [skeleton(word) for word in found],
            "phonetic": [phonetic(word) for word in found],
        }
    if kind == "country":
        return {"kind": "country", "input": text, "code": COUNTRIES.get(text.upper())}
    calendar, _, pivot = kind.partition("+")
    found, quality = date(calendar, int(pivot) if pivot else None, text)
    return {"kind": "date", "input": text, "calendar": calendar, "date": found, "quality": quality}


# ---------------------------------------------------------------- tokens

FIELDS = ["names", "name_keys", "phonetic", "birth_date", "sex", "citizenship", "birth_country"]


def tokens(record):
    """The sorted set of (field, token) of a record."""
    out = set()
    for word in words(record["given_names"]) + words(record["family_names"]):
        padded = " " + fold_spelling(word) + " "
        out |= {("names", padded[i : i + 2]) for i in range(len(padded) - 1)}
        out.add(("name_keys", skeleton(word)))
        out.add(("phonetic", phonetic(word)))
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

    def seed(self, field, token, salt=""):
        return hmac_sha256(self.derive("encode", field, salt), token.encode("utf-8"))

    def stream(self, field, token, length, salt=""):
        return chacha20_stream(self.seed(field, token, salt), length)

    def positions(self, field, token, bits, wanted):
        """The distinct bits of one token, in the order in which they are drawn."""
        drawn = []
        for (value,) in struct.iter_unpack("<H", self.stream(field, token, 8192)):
            if value % bits not in drawn:
                drawn.append(value % bits)
            if len(drawn) == wanted:
                return drawn
        raise AssertionError("8192 bytes of keystream were not enough")

    def clk(self, bits, record_tokens):
        out = bytearray(bits // 8)
        for field, token in record_tokens:
            wanted = bits * (24 if field in ("name_keys", "phonetic", "birth_date") else 16) // 1024
            for position in self.positions(field, token, bits, wanted):
                out[position // 8] |= 1 << position % 8
        return bytes(out)

    def fields(self, bits, record_tokens):
        """One filter of so many bits for each field, one after the other."""
        out = bytearray(len(FIELDS) * bits // 8)
        for field, token in record_tokens:
            share = 1 if field == "names" else 6 if field in ("name_keys", "phonetic") else 3
            for position in self.positions(field, token, bits, bits * share // 32):
                position += FIELDS.index(field) * bits
                out[position // 8] |= 1 << position % 8
        return bytes(out)

    def saul(self, layers, bits, record_tokens, salt=""):
        def bit(stream, j):
            return stream[j // 8] >> j % 8 & 1

        length = layers * bits // 8
        streams = [self.stream(field, token, length, salt) for field, token in record_tokens]
        tie_break = self.stream("tie_break", "", length, salt)
        out = bytearray(bits // 8)
        for j in range(layers * bits):  # bit j % bits of layer j // bits
            twice = 2 * sum(bit(stream, j) for stream in streams)
            if twice == len(streams):
                value = bit(tie_break, j)
            else:
                value = int(twice > len(streams))
            out[j % bits // 8] ^= value << j % 8
        return bytes(out)

    def saul_by_year(self, record, record_tokens):
        """The birth year chooses the keys and leaves the tokens."""
        year = record["birth_year"]
        kept = [(f, t) for f, t in record_tokens if f != "birth_date" or t[0] in "md" and t[:2] != "yd"]
        return self.saul(2, 1024, kept, "" if year is None else "%04d" % year), len(kept)

    def block_keys(self, record):
        """Block keys before merging, by pass; None where part of the value is not known."""
        given, family = (
            (skeleton(found[0]) if (found := words(record[key])) else None) for key in ("given_names", "family_names")
        )
        year, month, day, sex = (record[key] for key in ("birth_year", "birth_month", "birth_day", "sex"))
        full = year is not None and month is not None and day is not None and (month, day) != (1, 1)
        values = {
            "birth_year_sex": None if year is None or sex is None else "%04d|%s" % (year, sex),
            "family_key_decade": None if family is None or year is None else "%s|%03d" % (family, year // 10),
            "month_day_given_key": "%02d%02d|%s" % (month, day, given) if full and given is not None else None,
            "name_key_pair": None if given is None or family is None else "|".join(sorted((given, family))),
            "birth_year": "none" if year is None else "%04d" % year,
        }
        return {
            name: None if value is None else hmac_sha256(self.derive("block", name, ""), value.encode("ascii"))[:16].hex()
            for name, value in values.items()
        }

    def harden(self, step, filter_bytes, place, record):
        """Hardenings for exchange with other programs, on bits from the lowest of the first byte on."""
        bits = [filter_bytes[j // 8] >> j % 8 & 1 for j in range(8 * len(filter_bytes))]
        label = "hardening %d" % place
        if step == "balance":
            bits += [1 - bit for bit in bits]
            order = list(range(len(bits)))
            stream = iter(struct.iter_unpack("<H", self.stream(label, "", 65536)))
            for last in range(len(bits) - 1, 0, -1):
                fair = 65536 // (last + 1) * (last + 1)
                drawn = next(value for (value,) in stream if value < fair)
                other = drawn % (last + 1)
                order[last], order[other] = order[other], order[last]
            bits = [bits[j] for j in order]
        elif step == "fold":
            half = len(bits) // 2
            bits = [a ^ b for a, b in zip(bits[:half], bits[half:])]
        elif step == "rule_90":
            bits = [bits[j - 1] ^ bits[(j + 1) % len(bits)] for j in range(len(bits))]
        else:
            flip_below = round(2**32 / (1 + math.exp(step)))
            seed = hmac_sha256(self.derive("encode", label, ""), record)
            noise = struct.iter_unpack("<L", chacha20_stream(seed, 4 * len(bits)))
            bits = [bit ^ (value < flip_below) for bit, (value,) in zip(bits, noise)]
        return bytes(sum(bit << j for j, bit in enumerate(bits[i : i + 8])) for i in range(0, len(bits), 8))


# ---------------------------------------------------------------- what is tested

HERE = os.path.dirname(os.path.abspath(__file__))

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
    ("block", "birth_year_sex", ""),
    ("encode", "names", "1989"),
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
    ("name_keys", "mmd"),
    ("phonetic", "mmt"),
    ("birth_date", "y1989"),
    ("birth_date", "md1231"),
    ("birth_date", "d31"),  # draws a bit twice
    ("sex", "f"),
    ("citizenship", "TN"),
    ("birth_country", "TN"),
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


HARDENINGS = ["rule_90", "balance", 3.0, "fold"]


def record_vector(project, values):
    record = dict(zip(RECORD_KEYS, values))
    found = tokens(record)
    by_year, by_year_count = project.saul_by_year(record, found)
    hardened = project.clk(1024, found)
    for place, step in enumerate(HARDENINGS):
        hardened = project.harden(step, hardened, place, b"record")
    return {
        "record": record,
        "token_count": len(found),
        "token_count_by_year": by_year_count,
        "tokens": found,
        "saul-3-2048": project.saul(3, 2048, found).hex(),
        "saul-3-1024": project.saul(3, 1024, found).hex(),
        "saul-2-1024-year": by_year.hex(),
        "clk-1024": project.clk(1024, found).hex(),
        "clk-2048": project.clk(2048, found).hex(),
        "fields-256": project.fields(256, found).hex(),
        "fields-512": project.fields(512, found).hex(),
        "clk-1024 hardened": hardened.hex(),
        "block_keys": project.block_keys(record),
    }


def read_list():
    """The inputs of the published list; only the inputs are shared with the main implementation."""
    with open(os.path.join(HERE, "..", "..", "..", "src", "published.tsv"), encoding="utf-8", newline="\n") as file:
        return file.read().splitlines()


def main():
    project = Project(SECRET, R_ORIGIN, R_DESTINATION, AGREEMENT_DIGEST, SCHEMA_DIGEST)
    vectors = {
        "about": "Test vectors of the keyed Bloom-filter encoding with normalisation corridor-2. Written by "
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
                "clk_positions": project.positions(
                    field, token, 1024, 24 if field in ("name_keys", "phonetic", "birth_date") else 16
                ),
            }
            for field, token in TOKENS
        ],
        "tie_break_stream": project.stream("tie_break", "", 768).hex(),
        "published": [published(*line.split("\t")) for line in read_list()],
        "fields": FIELDS,
        "records": [record_vector(project, values) for values in RECORDS],
    }
    assert {vector["token_count"] % 2 for vector in vectors["records"]} == {0, 1}
    with open(os.path.join(HERE, "vectors.json"), "w", encoding="ascii", newline="\n") as file:
        json.dump(vectors, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
