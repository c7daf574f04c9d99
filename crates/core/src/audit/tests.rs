use std::sync::LazyLock;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::{Caller, Digest, PublicKey, Role, SeededEntropy, Signature};

/// The leaves of the known answers that the implementations of Certificate Transparency share.
const KNOWN_LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Their roots, after 0 to 8 leaves; worked out again by `tests/python/audit_log.py`, which shares no code with this.
const KNOWN_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_are_those_of_other_implementations() {
    let mut tree = LogTree::default();
    assert_eq!(tree.root().to_string(), KNOWN_ROOTS[0]);
    for (leaf, root) in KNOWN_LEAVES.iter().zip(&KNOWN_ROOTS[1..]) {
        tree.push(leaf_hash(&HEXLOWER.decode(leaf.as_bytes()).unwrap()));
        assert_eq!(tree.root().to_string(), *root);
    }
    for (size, root) in KNOWN_ROOTS.iter().enumerate() {
        let size = u64::try_from(size).unwrap();
        assert_eq!(tree.root_at(size).unwrap().to_string(), *root);
    }
}

fn to_hashes(bytes: &[u8]) -> Vec<Digest> {
    bytes
        .chunks(32)
        .map(|hash| Digest::try_from(hash).unwrap())
        .collect()
}

#[test]
fn every_proof_is_that_of_another_implementation_and_leads_to_the_root() {
    const MOST: u64 = 35;
    let leaves: Vec<Vec<u8>> = (0..MOST).map(|leaf| leaf.to_be_bytes().to_vec()).collect();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut ours = LogTree::default();
    let mut roots = vec![ours.root()];
    for (size, leaf) in (1..).zip(&leaves) {
        theirs.push(leaf.clone());
        ours.push(leaf_hash(leaf));
        let root = ours.root();
        roots.push(root);
        assert_eq!(theirs.root().as_bytes().as_slice(), root.as_bytes());
        for index in 0..size {
            let place = usize::try_from(index).unwrap();
            let proof = ours.prove_inclusion(index, size).unwrap();
            assert_eq!(to_hashes(theirs.prove_inclusion(place).as_bytes()), proof);
            let leaf = leaf_hash(&leaves[place]);
            verify_inclusion(&leaf, (index, size), &proof, &root).unwrap();
            let bytes: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let proof = InclusionProof::<Sha256>::try_from_bytes(bytes).unwrap();
            theirs
                .root()
                .verify_inclusion(&leaves[place], index, &proof)
                .unwrap();
        }
        for earlier in 1..size {
            let proof = ours.prove_consistency(earlier, size).unwrap();
            let added = usize::try_from(size - earlier).unwrap();
            assert_eq!(to_hashes(theirs.prove_consistency(added).as_bytes()), proof);
            let earlier_root = roots[usize::try_from(earlier).unwrap()];
            verify_consistency((earlier, &earlier_root), (size, &root), &proof).unwrap();
            let bytes: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
            ConsistencyProof::<Sha256>::try_from_bytes(bytes).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn a_proof_of_anything_else_leads_nowhere(
        size in 1_u64..200, place in any::<u64>(), other in any::<u64>(), flip in any::<(usize, usize)>(),
    ) {
        let tree: LogTree = (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
        let (place, other) = (place % size, other % size);
        let (leaf, root) = (leaf_hash(&place.to_be_bytes()), tree.root());
        let mut proof = tree.prove_inclusion(place, size).unwrap();
        prop_assert_eq!(verify_inclusion(&leaf, (place, size), &proof, &root), Ok(()));
        if other != place {
            prop_assert!(verify_inclusion(&leaf, (other, size), &proof, &root).is_err());
        }
        if !proof.is_empty() {
            let step = flip.0 % proof.len();
            let mut bytes = *proof[step].as_bytes();
            bytes[flip.1 % 32] ^= 1;
            proof[step] = Digest::from_bytes(bytes);
            prop_assert!(verify_inclusion(&leaf, (place, size), &proof, &root).is_err());
            proof.pop();
            prop_assert!(verify_inclusion(&leaf, (place, size), &proof, &root).is_err());
        }
    }

    #[test]
    fn no_proof_joins_a_log_to_another_history(size in 2_u64..200, earlier in any::<u64>(), place in any::<u64>()) {
        let earlier = 1 + earlier % (size - 1);
        let place = place % earlier;
        let tree: LogTree = (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
        let fork: LogTree = (0..size)
            .map(|leaf| leaf_hash(&if leaf == place { u64::MAX } else { leaf }.to_be_bytes()))
            .collect();
        let before = tree.root_at(earlier).unwrap();
        for (tree, holds) in [(&tree, true), (&fork, false)] {
            let proof = tree.prove_consistency(earlier, size).unwrap();
            let verified = verify_consistency((earlier, &before), (size, &tree.root()), &proof);
            prop_assert_eq!(verified.is_ok(), holds);
        }
    }
}

struct Log {
    signing: SigningKey,
    key: LogKey,
    entries: Vec<AuditEntry>,
}

fn time(second: usize) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap()).unwrap()
}

impl Log {
    /// Nine entries and their export, made once.
    fn nine() -> &'static (Self, String) {
        static NINE: LazyLock<(Log, String)> = LazyLock::new(|| {
            let log = Log::new(9);
            let text = log.export().to_string();
            (log, text)
        });
        &NINE
    }

    /// Twenty entries, their export, and a checkpoint at each size.
    fn twenty() -> &'static (Self, AuditExport, Vec<EarlierLog>) {
        static TWENTY: LazyLock<(Log, AuditExport, Vec<EarlierLog>)> = LazyLock::new(|| {
            let log = Log::new(20);
            let kept = (0..=20).map(|size| earlier(log.checkpoint_at(size))).collect();
            let export = log.export();
            (log, export, kept)
        });
        &TWENTY
    }

    /// Every third entry is about another agreement.
    fn new(len: usize) -> Self {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = LogKey {
            origin: "linkage.example/audit".parse().unwrap(),
            key: PublicKey::try_from(signing.verifying_key().as_bytes().as_slice()).unwrap(),
        };
        let mut entropy = SeededEntropy::new(1, "audit");
        let caller = Caller {
            party: "INS-TN".parse().unwrap(),
            role: Role::Office,
        };
        let entries = (0..len)
            .map(|place| {
                let stamp = AuditStamp::new(Some(&caller), time(place), &mut entropy);
                let mut entry = stamp
                    .entry(
                        AuditAction::RunQueued,
                        Some(Digest::of(&[u8::try_from(place % 3).unwrap()])),
                    )
                    .with_digest("run", Digest::of(&place.to_be_bytes()))
                    .with_count("records", 12)
                    .with_word("side", "origin");
                entry.sequence = u64::try_from(place).unwrap();
                entry
            })
            .collect();
        Self {
            signing,
            key,
            entries,
        }
    }

    fn sign(&self, leaves: &[Digest]) -> SignedCheckpoint {
        let tree: LogTree = leaves.iter().copied().collect();
        let checkpoint = Checkpoint {
            origin: self.key.origin.clone(),
            size: tree.len(),
            root: tree.root(),
            time: time(leaves.len()),
        };
        let signature = self.signing.sign(checkpoint.to_text().as_bytes());
        SignedCheckpoint::try_new(checkpoint, &self.key, Signature::from_bytes(signature.to_bytes())).unwrap()
    }

    fn leaves(&self) -> Vec<Digest> {
        self.entries.iter().map(AuditEntry::to_leaf).collect()
    }

    fn checkpoint_at(&self, size: usize) -> SignedCheckpoint {
        self.sign(&self.leaves()[..size])
    }

    /// As an office sees it that is no party of every third entry's agreement.
    fn export(&self) -> AuditExport {
        AuditExport {
            key: self.key.clone(),
            checkpoint: self.sign(&self.leaves()),
            leaves: self
                .entries
                .iter()
                .map(|entry| ExportedLeaf {
                    leaf: entry.to_leaf(),
                    entry: (entry.sequence % 3 != 2).then(|| entry.clone()),
                })
                .collect(),
        }
    }

    fn findings(&self, text: &str, earlier: &[EarlierLog]) -> Vec<AuditFinding> {
        match text.parse::<AuditExport>() {
            Ok(export) => verify_export(&export, &self.key, earlier, Texts::OfParty)
                .err()
                .unwrap_or_default(),
            Err(finding) => vec![finding],
        }
    }
}

fn earlier(checkpoint: SignedCheckpoint) -> EarlierLog {
    EarlierLog::Checkpoint("kept.checkpoint".to_owned(), checkpoint)
}

/// The entry lines of an export, apart from what stands before them.
fn parts(text: &str) -> (String, Vec<String>) {
    let (head, entries) = text.split_once("entries\n").unwrap();
    (
        format!("{head}entries\n"),
        entries.lines().map(|line| format!("{line}\n")).collect(),
    )
}

#[test]
fn a_sound_export_reads_back_and_verifies_with_what_was_kept() {
    let log = Log::new(11);
    for len in [0, 1, 2, 11] {
        let log = Log::new(len);
        let text = log.export().to_string();
        assert_eq!(text.parse::<AuditExport>().unwrap(), log.export());
        assert_eq!(log.findings(&text, &[]), []);
    }
    let kept = [earlier(log.checkpoint_at(4)), earlier(log.checkpoint_at(11))];
    let verified = verify_export(&log.export(), &log.key, &kept, Texts::OfParty).unwrap();
    assert_eq!((verified.size, verified.readable, verified.earlier), (11, 8, 2));
    // Nothing that tells of the entry stands beside a bare hash.
    let (_, lines) = parts(&log.export().to_string());
    assert_eq!(lines[2].trim_end(), format!("2 {}", log.entries[2].to_leaf()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_byte_that_is_altered_put_in_or_left_out_is_found(place in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f, how in 0..3) {
        let (log, text) = Log::nine();
        let mut bytes = text.clone().into_bytes();
        let place = place.index(bytes.len());
        match how {
            0 if bytes[place] == byte => return Ok(()),
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => drop(bytes.remove(place)),
        }
        // Bytes that are no text any more cannot be read as an export at all.
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert_ne!(log.findings(&text, &[]), vec![]);
        }
    }

    #[test]
    fn any_line_removed_repeated_or_moved_is_found_and_named(first in 0_usize..9, second in 0_usize..9, how in 0..4) {
        let (log, text) = Log::nine();
        let (head, mut lines) = parts(text);
        let number = |place: usize| u64::try_from(place).unwrap();
        let expected = match how {
            0 => {
                lines.remove(first);
                if first == 8 {
                    AuditFinding::Truncated { signed: 9, found: 8 }
                } else {
                    AuditFinding::Missing { first: number(first), last: number(first), found: number(first) + 1 }
                }
            }
            1 => {
                lines.insert(first, lines[first].clone());
                AuditFinding::Misplaced { expected: number(first) + 1, found: number(first) }
            }
            2 => {
                lines.truncate(first);
                AuditFinding::Truncated { signed: 9, found: number(first) }
            }
            _ => {
                if first == second {
                    return Ok(());
                }
                lines.swap(first, second);
                let (low, high) = (first.min(second), first.max(second));
                AuditFinding::Misplaced { expected: number(low), found: number(high) }
            }
        };
        prop_assert_eq!(log.findings(&(head + &lines.concat()), &[]), vec![expected]);
    }

    #[test]
    fn an_entry_rewritten_with_its_hash_is_narrowed_down_by_what_was_kept(place in 0_usize..20, kept in prop::collection::btree_set(1_usize..20, 0..3)) {
        let (log, export, checkpoints) = Log::twenty();
        let mut forged = export.clone();
        let mut entry = log.entries[place].clone();
        entry.party = Some("ISTAT".parse().unwrap());
        forged.leaves[place] = ExportedLeaf { leaf: entry.to_leaf(), entry: Some(entry) };
        let earlier: Vec<_> = kept.iter().map(|&size| checkpoints[size].clone()).collect();
        let findings = log.findings(&forged.to_string(), &earlier);
        prop_assert!(!findings.is_empty());
        let place = u64::try_from(place).unwrap();
        let mut spans = findings.iter().map(|finding| {
            if let AuditFinding::AlteredBetween { first, last } | AuditFinding::Forked { first, last, .. } = finding {
                (*first, *last)
            } else {
                panic!("{finding}")
            }
        });
        prop_assert!(spans.all(|(first, last)| (first..=last).contains(&place)));
    }
}

#[test]
fn a_text_that_is_taken_out_is_found_by_who_kept_an_export_or_is_to_have_all() {
    let log = Log::new(5);
    let whole = EarlierLog::read("kept.export", &log.export().to_string()).unwrap();
    let (head, lines) = parts(&log.export().to_string());
    for place in [0, 1, 3, 4] {
        let mut lines = lines.clone();
        let bare = lines[place].splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
        lines[place] = format!("{bare}\n");
        let text = head.clone() + &lines.concat();
        assert_eq!(
            log.findings(&text, &[]),
            [],
            "a hash is as good a part of the log"
        );
        let missing = |place: usize, name: Option<&str>| AuditFinding::Withheld {
            sequence: u64::try_from(place).unwrap(),
            name: name.map(str::to_owned),
        };
        let found = log.findings(&text, std::slice::from_ref(&whole));
        assert_eq!(found, [missing(place, Some("kept.export"))]);
        // An auditor has every text; in this office's export the one of entry 2 is missing in any case.
        let mut both = vec![missing(2, None), missing(place, None)];
        both.sort_by_key(|finding| finding.to_string());
        let export: AuditExport = text.parse().unwrap();
        assert_eq!(verify_export(&export, &log.key, &[], Texts::All), Err(both));
    }
}

#[test]
fn a_history_rewritten_and_signed_anew_is_found_by_who_kept_a_checkpoint_or_an_export() {
    let log = Log::new(12);
    let kept = log.checkpoint_at(7);
    let mut forked = Log::new(12);
    forked.entries[5].action = AuditAction::RunCancelled;
    // The service signs whatever it likes: by itself the file is sound.
    let text = forked.export().to_string();
    assert_eq!(forked.findings(&text, &[]), []);
    let findings = forked.findings(&text, &[earlier(log.checkpoint_at(3)), earlier(kept.clone())]);
    let expected = AuditFinding::Forked {
        name: "kept.checkpoint".to_owned(),
        size: 7,
        time: time(7),
        first: 3,
        last: 6,
    };
    assert_eq!(findings, [expected]);
    let whole = EarlierLog::read("kept.export", &log.export().to_string()).unwrap();
    let expected = AuditFinding::EntryForked {
        sequence: 5,
        name: "kept.export".to_owned(),
    };
    assert_eq!(forked.findings(&text, &[whole]), [expected]);

    // The last entries taken back, and signed again.
    let shorter = Log::new(6).export().to_string();
    let expected = AuditFinding::RolledBack {
        name: "kept.checkpoint".to_owned(),
        earlier: 7,
        size: 6,
        time: time(7),
    };
    assert_eq!(log.findings(&shorter, &[earlier(kept)]), [expected]);
}

#[test]
fn a_log_under_another_key_or_name_is_refused() {
    let log = Log::new(3);
    let mut other = Log::new(3);
    other.signing = SigningKey::from_bytes(&[8; 32]);
    other.key.key = PublicKey::try_from(other.signing.verifying_key().as_bytes().as_slice()).unwrap();
    let text = other.export().to_string();
    assert_eq!(other.findings(&text, &[]), []);
    let refused = AuditFinding::Signature(NoteError::OtherKey);
    assert_eq!(log.findings(&text, &[]), [refused.clone(), refused.clone()]);
    // The right name and key before a signature of another.
    let mut forged = log.export();
    forged.checkpoint = other.export().checkpoint;
    assert_eq!(log.findings(&forged.to_string(), &[]), [refused]);
    let altered = text.replace("\n3\n", "\n2\n");
    let findings = other.findings(&altered, &[]);
    assert_eq!(findings, [AuditFinding::Signature(NoteError::Signature)]);
}

#[test]
fn a_checkpoint_is_a_signed_note_as_c2sp_has_it() {
    let log = Log::new(3);
    // By tests/python/audit_log.py, which reads the format's description and not this code.
    assert_eq!(log.key.to_string(), KNOWN_KEY);
    assert_eq!(log.key.to_string().parse(), Ok(log.key.clone()));
    let checkpoint = Checkpoint {
        origin: log.key.origin.clone(),
        size: 8,
        root: KNOWN_ROOTS[8].parse().unwrap(),
        time: "2026-11-28T03:00:00Z".parse().unwrap(),
    };
    let signature = log.signing.sign(checkpoint.to_text().as_bytes());
    let signature = Signature::from_bytes(signature.to_bytes());
    let signed = SignedCheckpoint::try_new(checkpoint, &log.key, signature).unwrap();
    assert_eq!(signed.to_string(), KNOWN_NOTE);
    assert_eq!(KNOWN_NOTE.parse::<SignedCheckpoint>(), Ok(signed));
}

#[test]
fn an_entry_holds_words_and_never_a_text() {
    let entry = Log::new(1).entries[0]
        .clone()
        .with_word("reason", "Léa Martin <lea@x>");
    let bytes = String::from_utf8(entry.to_canonical_bytes()).unwrap();
    assert!(bytes.contains("\"L-a-Martin--lea-x-\""), "{bytes}");
    assert_eq!(
        AuditEntry::from_canonical_bytes(bytes.as_bytes()),
        Ok(entry.clone())
    );
    for (from, to) in [
        ("\"L-a-Martin", "\"L a Martin"),
        ("\"version\":1", "\"version\":2"),
        ("{\"version\"", "{ \"version\""),
        ("run_queued", "run_walked"),
    ] {
        let altered = bytes.replace(from, to);
        assert_ne!(altered, bytes);
        assert!(
            AuditEntry::from_canonical_bytes(altered.as_bytes()).is_err(),
            "{altered}"
        );
    }
    assert_eq!(format!("{:?}", entry.blinding), "Blinding");
    for &action in AuditAction::ALL {
        assert_eq!(AuditAction::from_word(action.as_str()), Some(action));
    }
}

const KNOWN_KEY: &str = "linkage.example/audit+b3155ef5+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
const KNOWN_NOTE: &str = concat!(
    "linkage.example/audit\n",
    "8\n",
    "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
    "time 2026-11-28T03:00:00Z\n",
    "\n",
    "— linkage.example/audit sxVe9TV79hA89WxJUZlbhrYvke9XuM6+0fsg4j1ecMPYhtd9Bt0Q0NQICKhLyPgN/uVV6Nc2XqGeE6fJwJeYb8fcMQ4=\n",
);
