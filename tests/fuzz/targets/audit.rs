//! An export of an audit log of any bytes is read or refused, and what is read is what was written: the same bytes come out. Whatever
//! verifies under the key of the seeds is one of the logs that were signed.
#![no_main]

use corridor_core::audit::{AuditExport, EarlierLog, LogKey, Texts, verify_export};
use libfuzzer_sys::fuzz_target;

/// The key of the log of the seeds, which signed two checkpoints and was thrown away.
const KEY: &str = "seed.example/audit+9ca20914+AbZpyjiSgkzkEfTXK/HrpGOOC09IM1lpJE2ydxXBGLT0";

/// The only texts its exports can have, beside other bare hashes in place of entries.
const ROOTS: [&str; 2] = [
    "4f6f4d53ee9598a521ec175cc17c148f518318bd872bdd8286eb5f2b82a7bd69",
    "3418a21c08aee1cb9b644e1961e0e6e2475542315375c9f242ab8e01bbc125b9",
];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(earlier) = EarlierLog::read("fuzz", text) {
        drop(earlier);
    }
    let Ok(export) = text.parse::<AuditExport>() else {
        return;
    };
    assert_eq!(export.to_string(), text);
    let key: LogKey = KEY.parse().expect("a key");
    if let Ok(verified) = verify_export(&export, &key, &[], Texts::OfParty) {
        assert!(ROOTS.contains(&verified.root.to_string().as_str()));
        assert!(verified.readable <= verified.size);
    }
});
