# The whole job of two offices with nothing but the published .proto files and what proto/README.md says beside them: no code of
# ours but `corridor encode`, which makes the datasets. Run by tests/it/python.rs in a folder with `server/certs`, and `tn` and `it`
# with a register, a mapping, a project key and the seed of the office's signing key.
import hashlib
import importlib
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
from decimal import Decimal

import grpc
import grpc_tools
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

address, corridor, proto_folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])

stubs = tempfile.mkdtemp()
sources = sorted(str(path.relative_to(proto_folder)) for path in proto_folder.glob("corridor/v1/*.proto"))
includes = [f"-I{proto_folder}", f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}"]
made = protoc.main(["protoc", *includes, f"--python_out={stubs}", f"--grpc_python_out={stubs}", *sources])
assert made == 0, "the .proto files are compiled"
sys.path.insert(0, stubs)


def stub(name):
    return importlib.import_module(f"corridor.v1.{name}_pb2"), importlib.import_module(f"corridor.v1.{name}_pb2_grpc")


agreements, agreement_calls = stub("agreement")
datasets, dataset_calls = stub("dataset")
flows, flow_calls = stub("flow")
runs, run_calls = stub("run")


# Canonical JSON, digests and signatures, from proto/README.md.


class Json(str):
    """Text that is canonical JSON already."""


def number(value):
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, digits)).rstrip("0") or "0"
    exponent += len(Decimal(repr(value)).as_tuple().digits) - len(digits)
    point = len(digits) + exponent
    if digits == "0":
        text = "0.0"
    elif 0 <= exponent and point <= 16:
        text = digits + "0" * exponent + ".0"
    elif 0 < point <= 16:
        text = digits[:point] + "." + digits[point:]
    elif -5 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{point - 1}"
    return ("-" if sign else "") + text


def canonical(value):
    if isinstance(value, Json):
        return value
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return "{" + ",".join(canonical(str(k)) + ":" + canonical(v) for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


for value, text in [(0.5, "0.5"), (12.0, "12.0"), (1e16, "1e16"), (1.5e-7, "1.5e-7"), (1e-5, "0.00001"), (0.0, "0.0"),
                    (123456789012345.0, "123456789012345.0"), (1e15, "1000000000000000.0"), (-2.25e20, "-2.25e20"),
                    (9.87e-6, "9.87e-6"), (0.000012, "0.000012")]:
    assert number(value) == text, (number(value), text)


def digest(content):
    return hashlib.sha256(content).digest()


def digest_of_parts(*parts):
    return digest(b"".join(struct.pack("<Q", len(part)) + part for part in parts))


class Office:
    def __init__(self, folder, name):
        self.folder, self.name = pathlib.Path(folder), name
        self.key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex((self.folder / "signing.seed").read_text()))
        certs = pathlib.Path("server/certs")
        identity = [(certs / file).read_bytes() for file in ("ca.pem", f"{name}.key", f"{name}.pem")]
        self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(*identity))
        self.agreements = agreement_calls.AgreementServiceStub(self.channel)
        self.datasets = dataset_calls.DatasetServiceStub(self.channel)
        self.runs = run_calls.RunServiceStub(self.channel)
        self.flows = flow_calls.FlowServiceStub(self.channel)

    def party(self):
        return {"id": self.name, "signing_key": self.key.public_key().public_bytes_raw().hex()}

    def sign(self, purpose, digest):
        return self.key.sign(b"corridor/v1|sign|" + purpose + b"|" + digest)


tried = set()


def refused(reason, code, call):
    """The error of a call that must fail so."""
    try:
        answer = call()
        # A stream fails when it is read.
        if hasattr(answer, "__next__"):
            list(answer)
    except grpc.RpcError as error:
        details = rpc_status.from_call(error)
        assert details is not None, f"{error.code()}: {error.details()}, without details"
        info, violations = None, []
        for detail in details.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
            if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                violations += [violation.field for violation in bad.field_violations]
        found = (info.reason, info.domain, error.code().name)
        assert found == (reason, "corridor.v1", code), f"{found} {error.details()}"
        assert error.details(), "people are told as well"
        tried.add(reason)
        return violations
    raise AssertionError(f"{reason} expected, and it was done")


tn, it = Office("tn", "INS-TN"), Office("it", "ISTAT")
anybody = grpc.secure_channel(address, grpc.ssl_channel_credentials(pathlib.Path("server/certs/ca.pem").read_bytes()))
try:
    agreement_calls.AgreementServiceStub(anybody).ListAgreements(agreements.ListAgreementsRequest(), timeout=20)
    raise AssertionError("a call without a certificate was answered")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.UNAVAILABLE, error

# The agreement.

shown = json.loads(subprocess.run([corridor, "schema", "show", "generic"], check=True, capture_output=True).stdout)
schema = digest(canonical(shown).encode())
terms = {
    "version": 1,
    "corridor": {"origin": "TN", "destination": "IT"},
    "origin_office": tn.party(),
    "destination_office": it.party(),
    "period": {"first": "2022-01-01", "last": "2024-12-31"},
    "encoding": {
        "profile": shown["profile"],
        "schema": schema.hex(),
        "filter_bits": 2048,
        "match_fields": [field["field"] for field in shown["fields"]],
    },
    "linkage": {"threshold": {"policy": "estimated"}, "assignment": "greedy", "event_window_days": 365, "seed": 1},
    "age_bands": [0, 15, 30, 45, 65],
    "outputs": ["flow_table"],
    "disclosure": {"minimum_count": 10},
    "retention_days": 90,
}


def propose(office, terms):
    request = agreements.CreateAgreementRequest(canonical=canonical(terms).encode())
    return office.agreements.CreateAgreement(request).agreement


def sign(office, agreement, signature=None):
    request = agreements.SignAgreementRequest(agreement_digest=agreement)
    request.signature = office.sign(b"agreement", agreement) if signature is None else signature
    return office.agreements.SignAgreement(request).agreement


written = canonical(terms).encode()
proposed = propose(tn, terms)
agreement = digest(written)
assert (proposed.digest, proposed.canonical) == (agreement, written)
assert propose(it, terms) == proposed, "proposing again changes nothing"
assert proposed.origin_signature == proposed.destination_signature == b""

pretty = agreements.CreateAgreementRequest(canonical=json.dumps(terms, indent=1).encode())
assert refused("FIELD_VALUE", "INVALID_ARGUMENT", lambda: tn.agreements.CreateAgreement(pretty)) == ["canonical"]
long = agreements.CreateAgreementRequest(canonical=b" " * 70000)
assert refused("FIELD_LENGTH", "INVALID_ARGUMENT", lambda: tn.agreements.CreateAgreement(long)) == ["canonical"]
strangers = terms | {"origin_office": {"id": "OTHER", "signing_key": terms["origin_office"]["signing_key"]}}
refused("NOT_PARTY", "PERMISSION_DENIED", lambda: propose(tn, strangers))
revision = {}
for key, value in terms.items():
    if key == "outputs":
        revision["revises"] = "00" * 32
    revision[key] = value
refused("AGREEMENT_INVALID", "INVALID_ARGUMENT", lambda: propose(tn, revision))
unknown = agreements.GetAgreementRequest(agreement_digest=bytes(32))
refused("NOT_FOUND", "NOT_FOUND", lambda: tn.agreements.GetAgreement(unknown))

refused("SIGNATURE", "INVALID_ARGUMENT", lambda: sign(tn, agreement, tn.sign(b"release", agreement)))
refused("SIGNATURE", "INVALID_ARGUMENT", lambda: sign(tn, agreement, it.sign(b"agreement", agreement)))
sign(tn, agreement)
start = runs.CreateRunRequest(agreement_digest=agreement)
refused("AGREEMENT_NOT_IN_FORCE", "FAILED_PRECONDITION", lambda: tn.runs.CreateRun(start))
signed = sign(it, agreement)
for office, signature in ((tn, signed.origin_signature), (it, signed.destination_signature)):
    office.key.public_key().verify(signature, b"corridor/v1|sign|agreement|" + agreement)
listed = it.agreements.ListAgreements(agreements.ListAgreementsRequest())
assert [known.digest for known in listed.agreements] == [agreement]
refused("DATASETS_MISSING", "FAILED_PRECONDITION", lambda: tn.runs.CreateRun(start))

# The datasets.


def encode(office, signed, name):
    saved = {
        "agreement": Json(signed.canonical.decode()),
        "origin_signature": signed.origin_signature.hex(),
        "destination_signature": signed.destination_signature.hex(),
    }
    (office.folder / f"{name}.json").write_text(canonical(saved))
    arguments = ["encode", "--mapping", "mapping.toml", "--agreement", f"{name}.json", "--key", "foreign.key"]
    arguments += ["--pseudonyms", f"{name}.csv", "--passphrase-file", "pass.txt", "--max-refused", "1%"]
    command = [corridor, *arguments, "register.csv", "-o", f"{name}.parquet"]
    done = subprocess.run(command, cwd=office.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (office.folder / f"{name}.parquet").read_bytes()


def declaration(agreement, content):
    """What a dataset file says of itself."""
    import io

    import pyarrow.parquet as pq

    metadata = {key.decode(): value.decode() for key, value in pq.read_metadata(io.BytesIO(content)).metadata.items()}
    assert metadata["corridor.agreement"] == agreement.hex()
    return datasets.DatasetDeclaration(
        agreement_digest=agreement,
        schema_digest=bytes.fromhex(metadata["corridor.schema"]),
        key_check=bytes.fromhex(metadata["corridor.key_check"]),
        record_count=int(metadata["corridor.records"]),
        total_bytes=len(content),
        content_digest=digest(content),
    )


def changed(declared, **fields):
    other = datasets.DatasetDeclaration()
    other.CopyFrom(declared)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def declare(office, declared):
    return office.datasets.CreateDataset(datasets.CreateDatasetRequest(declaration=declared)).dataset


def frame(dataset, sequence, offset, data):
    return datasets.UploadDatasetRequest(
        dataset_id=dataset.dataset_id, sequence=sequence, offset=offset, data=data, checksum=digest(data)
    )


def rest_of(dataset, content, size):
    """The frames that are left to send."""
    sequence, offset = dataset.next_sequence, dataset.acknowledged_bytes
    while offset < len(content):
        data = content[offset : offset + size]
        yield frame(dataset, sequence, offset, data)
        sequence, offset = sequence + 1, offset + len(data)


def send(office, frames):
    return list(office.datasets.UploadDataset(iter(frames)))


def seal(office, dataset):
    return office.datasets.SealDataset(datasets.SealDatasetRequest(dataset_id=dataset.dataset_id)).dataset


def upload(office, declared, content):
    dataset = declare(office, declared)
    send(office, rest_of(dataset, content, 1 << 20))
    return dataset


content = encode(tn, signed, "dataset")
declared = declaration(agreement, content)
assert declared.schema_digest == schema

nothing = datasets.CreateDatasetRequest()
assert refused("FIELD_MISSING", "INVALID_ARGUMENT", lambda: tn.datasets.CreateDataset(nothing)) == ["declaration"]
short = changed(declared, key_check=b"short")
assert refused("FIELD_LENGTH", "INVALID_ARGUMENT", lambda: declare(tn, short)) == ["declaration.key_check"]
refused("DATASET_TOO_LARGE", "INVALID_ARGUMENT", lambda: declare(tn, changed(declared, total_bytes=1 << 60)))

# What is not a dataset, or not the one declared, does not stay.
garbage = b"not a dataset"
other = upload(tn, changed(declared, total_bytes=len(garbage), content_digest=digest(garbage)), garbage)
refused("DATASET_FILE", "INVALID_ARGUMENT", lambda: seal(tn, other))
other = upload(tn, changed(declared, content_digest=digest(garbage)), content)
refused("CONTENT_MISMATCH", "DATA_LOSS", lambda: seal(tn, other))
other = upload(tn, changed(declared, record_count=declared.record_count + 1), content)
refused("DATASET_MISMATCH", "INVALID_ARGUMENT", lambda: seal(tn, other))
other_schema = changed(declared, schema_digest=digest(b"another"))
refused("DATASET_MISMATCH", "INVALID_ARGUMENT", lambda: declare(tn, other_schema))

# An upload that is cut in the middle: some frames, of which one comes twice, then silence.
dataset = declare(tn, declared)
name = tn.name.encode()
assert dataset.dataset_id == digest_of_parts(b"corridor/v1|dataset", agreement, name, declared.content_digest)
assert (dataset.state, dataset.acknowledged_bytes) == (datasets.DATASET_STATE_RECEIVING, 0)
size = len(content) // 10
first = list(rest_of(dataset, content, size))
call = tn.datasets.UploadDataset(iter([first[0], first[1], first[1], first[2]]))
acknowledged = [next(call).acknowledged_bytes for _ in range(4)]
assert acknowledged == [size, 2 * size, 2 * size, 3 * size], "a frame sent again is stored once"
call.cancel()

broken = frame(dataset, 3, 3 * size, first[3].data)
broken.checksum = digest(b"another")
refused("FRAME_CHECKSUM", "DATA_LOSS", lambda: send(tn, [broken]))
refused("FRAME_OUT_OF_ORDER", "ABORTED", lambda: send(tn, [first[4]]))
refused("FRAME_CHANGED", "INVALID_ARGUMENT", lambda: send(tn, [frame(dataset, 0, 0, b"other bytes")]))
large = frame(dataset, 3, 3 * size, bytes((1 << 20) + 1))
refused("FRAME_TOO_LARGE", "INVALID_ARGUMENT", lambda: send(tn, [large]))
beyond = frame(dataset, 3, 3 * size, b"")
refused("FRAMES_BEYOND_DECLARED", "INVALID_ARGUMENT", lambda: send(tn, [beyond]))
refused("DATASET_INCOMPLETE", "FAILED_PRECONDITION", lambda: seal(tn, dataset))

# It goes on where it was acknowledged, in frames of another size.
dataset = declare(tn, declared)
assert (dataset.acknowledged_bytes, dataset.next_sequence) == (3 * size, 3)
answers = send(tn, rest_of(dataset, content, 100_000))
assert answers[-1].acknowledged_bytes == len(content)
sealed = seal(tn, dataset)
assert (sealed.state, sealed.acknowledged_bytes) == (datasets.DATASET_STATE_SEALED, len(content))
assert seal(tn, dataset) == sealed, "sealing again changes nothing"
assert declare(tn, declared) == sealed

refused("DATASET_SEALED", "ALREADY_EXISTS", lambda: declare(tn, changed(declared, content_digest=digest(b"another"))))
theirs = encode(it, signed, "dataset")
theirs_declared = declaration(agreement, theirs)
other_key = changed(theirs_declared, key_check=digest(b"another key"))
refused("KEY_CHECK_MISMATCH", "FAILED_PRECONDITION", lambda: declare(it, other_key))
seal(it, upload(it, theirs_declared, theirs))
own = datasets.GetDatasetRequest(dataset_id=dataset.dataset_id)
assert tn.datasets.GetDataset(own).dataset == sealed
refused("NOT_FOUND", "NOT_FOUND", lambda: it.datasets.GetDataset(own))
listed = tn.datasets.ListDatasets(datasets.ListDatasetsRequest(agreement_digest=agreement))
assert list(listed.datasets) == [sealed] and listed.other_is_sealed

# The run.

plan = tn.runs.PlanRun(runs.PlanRunRequest(agreement_digest=agreement)).plan
assert plan.origin_records == 4000 and not plan.refusals, plan
run = tn.runs.CreateRun(start).run
assert it.runs.CreateRun(start).run.run_id == run.run_id, "starting again gives the same run"
table = flows.GetFlowTableRequest(run_id=run.run_id)
seen = [answer.run for answer in it.runs.WatchRun(runs.WatchRunRequest(run_id=run.run_id))]
done = [status.tiles_done for status in seen]
assert done == sorted(done) and all(status.tiles_done <= status.tiles_total for status in seen), done
run = seen[-1]
assert run.state == runs.RUN_STATE_RECONCILED, run
assert tn.runs.GetRun(runs.GetRunRequest(run_id=run.run_id)).run == run
cancel = runs.CancelRunRequest(run_id=run.run_id)
refused("NOT_CANCELLABLE", "FAILED_PRECONDITION", lambda: tn.runs.CancelRun(cancel))

# The release.

refused("NOT_RELEASED", "FAILED_PRECONDITION", lambda: tn.flows.GetFlowTable(table))


def release(office, purpose=b"release"):
    signature = office.sign(purpose, run.result_digest)
    request = flows.ReleaseFlowTableRequest(run_id=run.run_id, signature=signature)
    return office.flows.ReleaseFlowTable(request)


refused("SIGNATURE", "INVALID_ARGUMENT", lambda: release(tn, b"agreement"))
released = release(tn)
assert (released.released_by_origin, released.released_by_destination) == (True, False)
refused("NOT_RELEASED", "FAILED_PRECONDITION", lambda: it.flows.GetFlowTable(table))
released = release(it)
assert (released.released_by_origin, released.released_by_destination) == (True, True)
links = runs.ListLinksRequest(run_id=run.run_id)
refused("OUTPUT_NOT_ALLOWED", "PERMISSION_DENIED", lambda: tn.runs.ListLinks(links))

# The result, by both ways of reading rows, and its digest.

answer = it.flows.GetFlowTable(table)
streamed = [row for part in it.flows.StreamFlowRows(flows.StreamFlowRowsRequest(run_id=run.run_id)) for row in part.rows]
rows, token = [], ""
while True:
    page = it.flows.ListFlowRows(flows.ListFlowRowsRequest(run_id=run.run_id, page_size=7, page_token=token))
    rows += page.rows
    token = page.next_page_token
    if not token:
        break
    assert len(page.rows) == 7
assert rows == streamed and len(rows) == answer.flow_table.row_count > 20
many = flows.ListFlowRowsRequest(run_id=run.run_id, page_size=1001)
assert refused("FIELD_VALUE", "INVALID_ARGUMENT", lambda: it.flows.ListFlowRows(many)) == ["page_size"]

LEFT_OUT = {"blocking", "fields", "strata", "lsh", "ambiguous_links", "greedy_components", "link_count_low", "link_count_high"}
LEFT_OUT |= {"distinct_pairs", "largest_block_origin", "largest_block_destination"}


def fields(message, only=None):
    """A message as an object: its fields in the order of their numbers, null where absent."""
    out = {}
    for field in sorted(message.DESCRIPTOR.fields, key=lambda field: field.number):
        value = getattr(message, field.name)
        is_message = field.type == field.TYPE_MESSAGE
        if field.is_repeated:
            value = [fields(item) if is_message else item for item in value]
            if not value and field.name in LEFT_OUT and message.DESCRIPTOR.name == "LinkageReport":
                continue
        elif field.has_presence and not message.HasField(field.name):
            of_stratum = (message.DESCRIPTOR.name, field.name) == ("StratumReport", "link_count_precision")
            if field.name in LEFT_OUT or of_stratum:
                continue
            value = None
        elif is_message:
            value = fields(value)
        out[field.name] = value
    return out


def corridor_first(message):
    out = fields(message)
    return {"corridor": {"origin": out.pop("origin"), "destination": out.pop("destination")}} | out


def corrected(message):
    flat = fields(message)
    interval = lambda name: {"low": flat[f"{name}_low"], "high": flat[f"{name}_high"]}
    figures = {"quality_of": flat["quality_of"]}
    figures["quality"] = {"precision": interval("precision"), "recall": interval("recall")}
    figures |= {name: flat[name] for name in ("matched", "naive", "estimate", "standard_error")}
    figures["interval"] = {"low": flat["low"], "high": flat["high"]}
    figures |= {name: flat[name] for name in ("coverage_origin", "coverage_destination", "classes")}
    later = ("precision", "recall", "if_odds_ratio_two_thirds", "if_odds_ratio_three_halves")
    return figures | {name: flat[name] for name in later if flat[name] is not None}


def row_json(row):
    out = corridor_first(row)
    out["group"] = {label.variable: label.label for label in row.group}
    out["corrected"] = corrected(row.corrected) if row.HasField("corrected") else None
    if out["not_corrected"] is None:
        del out["not_corrected"]
    return out


def stay_json(stay):
    return {"side" if name == "list" else name: value for name, value in corridor_first(stay).items()}


released_table = {
    "terms": Json(answer.flow_table.terms),
    "rows": [row_json(row) for row in rows],
    "lags": [corridor_first(lag) for lag in answer.flow_table.lags],
    "stays": [stay_json(stay) for stay in answer.flow_table.stays],
    "lengths_of_stay": [corridor_first(length) for length in answer.flow_table.lengths_of_stay],
}
if answer.flow_table.left_out:
    released_table["left_out"] = [stay_json(row) for row in answer.flow_table.left_out]
if answer.flow_table.held_against:
    released_table["held_against"] = [held.hex() for held in answer.flow_table.held_against]
parts = [canonical(part).encode() for part in (released_table, fields(answer.linkage_report))]
worked_out = digest_of_parts(b"corridor/v1|result", *parts)
assert answer.result_digest == run.result_digest == worked_out, "the digest both signed is of what was given"

# What a row says adds up.
for row in rows:
    counts = fields(row.counts)
    if None not in counts.values():
        assert counts["emigrations"] == counts["matched"] + counts["only_origin"]
        assert counts["immigrations"] == counts["matched"] + counts["only_destination"]
        gap = sum(counts[f"{why}_destination"] - counts[f"{why}_origin"] for why in ("timing", "definition", "partner", "unmatched"))
        assert counts["immigrations"] - counts["emigrations_own"] == gap

# An agreement without datasets has no run; a cancelled run has no result.
second = propose(tn, terms | {"retention_days": 91})
for office in (tn, it):
    second = sign(office, second.digest)
for office in (tn, it):
    again = encode(office, second, "second")
    seal(office, upload(office, declaration(second.digest, again), again))
second_run = tn.runs.CreateRun(runs.CreateRunRequest(agreement_digest=second.digest)).run
try:
    stopped = it.runs.CancelRun(runs.CancelRunRequest(run_id=second_run.run_id)).run
    assert stopped.state == runs.RUN_STATE_CANCELLED
    unmade = flows.GetFlowTableRequest(run_id=second_run.run_id)
    refused("NO_RESULT", "FAILED_PRECONDITION", lambda: tn.flows.GetFlowTable(unmade))
except grpc.RpcError as error:
    # The run was faster.
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
    tried.add("NO_RESULT")

# Every reason that is documented was met, but those that take a broken or a full service, or another agreement.
page = (proto_folder / "README.md").read_text()
documented = {reason for line in page.splitlines() if line.startswith("| `") for reason in re.findall(r"`([A-Z_]+)`", line.split("|")[1])}
elsewhere = {
    *("CALLER_UNKNOWN", "CALLS_LIMIT", "CALL_TIMEOUT", "CLIENT_STALLED", "DATABASE_UNREACHABLE", "DATASET_PURGED", "DISK_FULL", "DRAINING"),
    *("GATE_FAILED", "INTERNAL", "NOT_DISCLOSABLE", "NOT_LINKABLE", "NOT_READABLE", "NO_SUCH_CALL", "ORIGIN_NOT_ALLOWED", "PROOF", "RATE_LIMIT"),
    *("RELEASED_MEANWHILE", "ROLE", "RUN_REFUSED", "RUN_STATE", "SEALED_MEANWHILE", "STORED_ALTERED", "STREAMS_LIMIT", "TOO_MANY_FRAMES"),
    *("UPLOADS_LIMIT",),
}
assert tried <= documented, tried - documented
print(f"{len(rows)} rows, result {worked_out.hex()}")
print("not met:", *sorted(documented - tried - elsewhere))
