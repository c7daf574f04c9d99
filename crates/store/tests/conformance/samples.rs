use corridor_core::audit::AuditStamp;
use corridor_core::{
    AgeBands, Agreement, Assignment, Caller, Corridor, DatasetDeclaration, Destination, Digest,
    DisclosureMethod, DisclosureRule, EncodingTerms, GateTerms, LinkageTerms, Office, Origin, Output, Period,
    Profile, ReleaseStatus, RunState, RunStatus, SeededEntropy, Side, Signature, StatisticsTerms,
    ThresholdPolicy,
};
use corridor_store::{Frame, GateRecord, Lease, Release, ReleasedScope, Store, StoreError};
use jiff::Timestamp;

pub(crate) const ORIGIN: &str = "INS-TN";
pub(crate) const DESTINATION: &str = "ISTAT";

/// Public keys of RFC 8032, section 7.1.
const KEYS: [&str; 2] = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
];

pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// The origin's office acts now.
pub(crate) fn stamp() -> AuditStamp {
    let office = Caller::office(ORIGIN.parse().unwrap());
    AuditStamp::new(Some(&office), now(), &mut SeededEntropy::new(1, "stamp"))
}

/// What the gate found and keeps.
pub(crate) fn gate_record() -> GateRecord {
    GateRecord {
        report: b"{}".to_vec(),
        column_profile: vec![7],
    }
}

/// The office at a side lets a result leave that was held against nothing.
pub(crate) fn release(side: Side, signature: Signature) -> Release {
    Release {
        side,
        signature,
        rule: agreement(1).disclosure,
        scope: ReleasedScope::of(&agreement(1)),
        held_against: Vec::new(),
    }
}

/// An agreement; another one for each seed.
pub(crate) fn agreement(seed: u64) -> Agreement {
    let office = |id: &str, key: &str| Office {
        id: id.parse().unwrap(),
        signing_key: key.parse().unwrap(),
    };
    Agreement {
        version: 1,
        corridor: Corridor::try_new(Origin("TN".parse().unwrap()), Destination("IT".parse().unwrap()))
            .unwrap(),
        origin_office: office(ORIGIN, KEYS[0]),
        destination_office: office(DESTINATION, KEYS[1]),
        period: Period {
            first: "2022-01-01".parse().unwrap(),
            last: "2024-12-31".parse().unwrap(),
        },
        encoding: EncodingTerms {
            profile: Profile::Saul3x2048,
            schema: Digest::of(b"schema"),
            filter_bits: Profile::Saul3x2048.filter_len(1).unwrap(),
            match_fields: vec!["names".to_owned()],
            block_passes: Vec::new(),
        },
        linkage: LinkageTerms {
            threshold: ThresholdPolicy::Estimated,
            assignment: Assignment::Greedy,
            event_window_days: 365,
            seed,
            value_frequencies: Vec::new(),
            lsh_recall: None,
        },
        age_bands: AgeBands::try_from(vec![0, 15]).unwrap(),
        statistics: StatisticsTerms::default(),
        definitions: None,
        status: ReleaseStatus::Final,
        revises: None,
        readers: Vec::new(),
        gate: GateTerms::default(),
        outputs: vec![Output::FlowTable],
        disclosure: DisclosureRule {
            minimum_count: 10,
            method: DisclosureMethod::Suppression,
        },
        retention_days: 90,
    }
}

pub(crate) fn signature(byte: u8) -> Signature {
    Signature::from_bytes([byte; 64])
}

pub(crate) fn declaration(agreement: &Agreement, office: &str) -> DatasetDeclaration {
    DatasetDeclaration {
        agreement: agreement.digest(),
        office: office.parse().unwrap(),
        schema: Digest::of(b"schema"),
        key_check: Digest::of(b"the key both hold"),
        record_count: 7,
        total_bytes: 30,
        content: Digest::of(office.as_bytes()),
    }
}

/// The frame of 10 bytes of this number.
pub(crate) fn frame(sequence: u64) -> Frame {
    Frame {
        sequence,
        offset: sequence * 10,
        byte_count: 10,
        checksum: Digest::of(&sequence.to_le_bytes()),
    }
}

/// Both offices agreed and sealed; gives the run they may start.
pub(crate) async fn sealed(store: &Store, seed: u64) -> RunStatus {
    sealed_under(store, &agreement(seed)).await
}

/// The same under an agreement of any two offices.
pub(crate) async fn sealed_under(store: &Store, agreement: &Agreement) -> RunStatus {
    store.insert_agreement(agreement, &stamp()).await.unwrap();
    for (side, byte) in [(Side::Origin, 1), (Side::Destination, 2)] {
        store
            .add_signature(agreement.digest(), side, &signature(byte), &stamp())
            .await
            .unwrap();
    }
    let mut datasets = Vec::new();
    for office in [&agreement.origin_office, &agreement.destination_office] {
        let declared = store
            .declare_dataset(&declaration(agreement, office.id.as_str()), &stamp())
            .await
            .unwrap();
        let id = declared.status.id;
        for sequence in 0..3 {
            store.acknowledge_frames(id, vec![frame(sequence)]).await.unwrap();
        }
        let compared = datasets.last().copied();
        store
            .seal_dataset(id, &gate_record(), compared, &stamp())
            .await
            .unwrap();
        datasets.push(id);
    }
    RunStatus {
        id: Digest::of_parts(&[b"run", agreement.digest().as_bytes()]),
        agreement: agreement.digest(),
        origin_dataset: datasets[0],
        destination_dataset: datasets[1],
        state: RunState::Queued,
        tiles_done: 0,
        tiles_total: 0,
        restarts: 0,
        reason: String::new(),
        result: None,
        released_by: Vec::new(),
    }
}

/// A new worker takes the oldest run, which must be there and free.
pub(crate) async fn claim(store: &Store) -> (RunStatus, Lease) {
    let worker = store.register_worker().await.unwrap();
    let seen = store.open_runs().await.unwrap().0[0];
    store.claim_run(worker, seen, &stamp()).await.unwrap().unwrap()
}

/// Whether a frame alone is the next one (`true`), or was stored before.
pub(crate) async fn check_frame(store: &Store, id: Digest, frame: Frame) -> Result<bool, StoreError> {
    let checked = store.check_frames(id, &[frame]).await?;
    match checked.refused {
        Some(error) => Err(error),
        None => Ok(checked.is_next[0]),
    }
}
