use corridor_core::{Digest, Side};
use corridor_store::StoreError;

use crate::backend::Backend;
use crate::samples::{DESTINATION, ORIGIN, agreement, now, signature};

async fn an_agreement_is_kept_as_it_was_proposed_and_signed(backend: Backend) {
    let store = backend.open().await;
    let proposed = agreement(1);
    let digest = proposed.digest();
    assert!(store.agreement(digest).await.unwrap().is_none());
    for _ in 0..2 {
        let stored = store.insert_agreement(&proposed, now()).await.unwrap();
        assert_eq!(stored.agreement, proposed);
        assert!(!stored.is_in_force());
    }
    for (side, byte, in_force) in [(Side::Destination, 2, false), (Side::Origin, 1, true)] {
        for _ in 0..2 {
            let signed = store.add_signature(digest, side, &signature(byte)).await.unwrap();
            assert_eq!(signed.is_in_force(), in_force);
        }
    }
    // Proposed again it keeps its signatures, and another process finds it.
    let again = store.insert_agreement(&proposed, now()).await.unwrap();
    assert!(again.is_in_force());
    store.close().await;
    let found = backend.open().await.agreement(digest).await.unwrap().unwrap();
    assert_eq!(found.origin_signature, Some(signature(1)));
    assert_eq!(found.destination_signature, Some(signature(2)));
    assert_eq!(found.agreement, proposed);
}

async fn agreements_are_found_by_either_office(backend: Backend) {
    let store = backend.open().await;
    let mut digests = Vec::new();
    for seed in 1..=3 {
        store.insert_agreement(&agreement(seed), now()).await.unwrap();
        digests.push(agreement(seed).digest());
    }
    digests.sort();
    for (office, expected) in [(ORIGIN, &digests[..]), (DESTINATION, &digests), ("OTHER", &[])] {
        let found = store.agreements_of(&office.parse().unwrap()).await.unwrap();
        let found: Vec<_> = found.iter().map(|signed| signed.agreement.digest()).collect();
        assert_eq!(found, expected, "{office}");
    }
}

async fn what_is_not_there_cannot_be_signed(backend: Backend) {
    let store = backend.open().await;
    let error = store
        .add_signature(Digest::of(b"none"), Side::Origin, &signature(1))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::NotFound { what: "agreement" }),
        "{error}"
    );
}

crate::on_both!(
    an_agreement_is_kept_as_it_was_proposed_and_signed,
    agreements_are_found_by_either_office,
    what_is_not_there_cannot_be_signed,
);
