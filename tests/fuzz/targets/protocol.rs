//! A message of the protocol is decoded and understood, or refused; one that is understood says the same when it is sent on. The
//! first byte says which message the rest is.
#![no_main]

use std::fmt::Debug;

use corridor_core::audit::Disclosure;
use corridor_core::{DatasetStatus, GateReport, RunStatus, SignedAgreement, SignedCertificate};
use corridor_wire::v1;
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 9 {
        0 => sent_on::<v1::Agreement, SignedAgreement>(bytes),
        1 => sent_on::<v1::Dataset, DatasetStatus>(bytes),
        2 => sent_on::<v1::DeletionCertificate, SignedCertificate>(bytes),
        3 => sent_on::<v1::Run, RunStatus>(bytes),
        4 => sent_on::<v1::Disclosure, Disclosure>(bytes),
        5 => sent_on::<v1::GateReport, GateReport>(bytes),
        6 => {
            if let Some(message) = decoded::<v1::CreateAgreementRequest>(bytes)
                && let Ok(agreement) = message.to_agreement()
            {
                assert!(
                    agreement.to_canonical_bytes() == message.canonical,
                    "another digest"
                );
            }
        }
        7 => {
            if let Some(message) = decoded::<v1::CreateDatasetRequest>(bytes)
                && let Ok(declaration) = message.to_declaration("OFFICE".parse().expect("an office"))
            {
                let again = v1::DatasetDeclaration::from(&declaration);
                assert!(Some(again) == message.declaration, "another declaration");
            }
        }
        _ => drop(decoded::<v1::UploadDatasetRequest>(bytes)),
    }
});

/// The message, which is the same when it is encoded and decoded again.
fn decoded<M: Message + Default + PartialEq>(bytes: &[u8]) -> Option<M> {
    let message = M::decode(bytes).ok()?;
    let again = M::decode(message.encode_to_vec().as_slice()).expect("its own encoding");
    // What is no number is not equal to itself.
    assert!(again == message || again.encode_to_vec() == message.encode_to_vec());
    Some(message)
}

fn sent_on<M, T>(bytes: &[u8])
where
    M: Message + Default + PartialEq + for<'a> From<&'a T>,
    T: TryFrom<M, Error: Debug> + PartialEq,
{
    let Some(Ok(understood)) = decoded::<M>(bytes).map(T::try_from) else {
        return;
    };
    let again = T::try_from(M::from(&understood)).expect("what was understood can be sent on");
    assert!(again == understood, "it says something else");
}
