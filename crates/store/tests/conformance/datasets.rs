use corridor_core::{DatasetState, Digest};
use corridor_store::{Frame, StoreError};

use crate::backend::Backend;
use crate::samples::{DESTINATION, ORIGIN, agreement, check_frame, declaration, frame, gate_record, stamp};

async fn frames_are_taken_in_order_and_once(backend: Backend) {
    let store = backend.open().await;
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let declared = declaration(&agreement, ORIGIN);
    let status = store.declare_dataset(&declared, &stamp()).await.unwrap().status;
    let id = status.id;
    assert_eq!(status.declaration, declared);
    assert_eq!(
        (status.state, status.acknowledged_bytes),
        (DatasetState::Receiving, 0)
    );

    assert!(check_frame(&store, id, frame(0)).await.unwrap());
    let status = store.acknowledge_frames(id, vec![frame(0)]).await.unwrap();
    assert_eq!((status.acknowledged_bytes, status.next_sequence), (10, 1));
    assert!(!check_frame(&store, id, frame(0)).await.unwrap());
    let other = Frame {
        checksum: Digest::of(b"other"),
        ..frame(0)
    };
    let error = check_frame(&store, id, other).await.unwrap_err();
    assert!(
        matches!(error, StoreError::FrameChanged { sequence: 0 }),
        "{error}"
    );
    for wrong in [
        frame(2),
        Frame {
            offset: 11,
            ..frame(1)
        },
    ] {
        let error = check_frame(&store, id, wrong).await.unwrap_err();
        let expected = (1, 10);
        assert!(
            matches!(error, StoreError::FrameOutOfOrder { expected: e, expected_offset: o, .. } if (e, o) == expected),
            "{error}"
        );
    }
    for wrong in [0, 21] {
        let wrong = Frame {
            byte_count: wrong,
            ..frame(1)
        };
        let error = check_frame(&store, id, wrong).await.unwrap_err();
        assert!(
            matches!(error, StoreError::FramesBeyondDeclared { declared: 30 }),
            "{error}"
        );
    }
    let error = store.acknowledge_frames(id, vec![frame(0)]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::FrameOutOfOrder { expected: 1, .. }),
        "{error}"
    );
    store.close().await;
    let store = backend.open().await;
    let status = store.dataset(id).await.unwrap().unwrap();
    assert_eq!((status.acknowledged_bytes, status.next_sequence), (10, 1));
}

async fn no_frame_goes_beyond_the_bytes_declared_even_unchecked(backend: Backend) {
    let store = backend.open().await;
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let id = declaration(&agreement, ORIGIN).to_id();
    store
        .declare_dataset(&declaration(&agreement, ORIGIN), &stamp())
        .await
        .unwrap();
    let large = Frame {
        byte_count: 31,
        ..frame(0)
    };
    // The database itself refuses it.
    let error = store.acknowledge_frames(id, vec![large]).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Database {
                transaction: "acknowledge_frames",
                ..
            }
        ),
        "{error}"
    );
    let status = store.dataset(id).await.unwrap().unwrap();
    assert_eq!(
        (status.acknowledged_bytes, status.next_sequence),
        (0, 0),
        "all or nothing"
    );
}

async fn an_unfinished_upload_gives_way_and_a_sealed_one_does_not(backend: Backend) {
    let store = backend.open().await;
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let first = declaration(&agreement, ORIGIN);
    let id = store.declare_dataset(&first, &stamp()).await.unwrap().status.id;
    store.acknowledge_frames(id, vec![frame(0)]).await.unwrap();
    let again = store.declare_dataset(&first, &stamp()).await.unwrap();
    assert_eq!((again.status.acknowledged_bytes, again.replaced), (10, None));

    let mut second = first.clone();
    second.content = Digest::of(b"another file");
    let replacing = store.declare_dataset(&second, &stamp()).await.unwrap();
    assert_eq!(
        (replacing.status.acknowledged_bytes, replacing.replaced),
        (0, Some(id))
    );
    assert!(store.dataset(id).await.unwrap().is_none());

    let id = replacing.status.id;
    // Frames of the one that gave way are gone: the same numbers are taken anew.
    for sequence in 0..3 {
        store.acknowledge_frames(id, vec![frame(sequence)]).await.unwrap();
    }
    assert_eq!(
        store
            .seal_dataset(id, &gate_record(), None, &stamp())
            .await
            .unwrap()
            .state,
        DatasetState::Sealed
    );
    let error = store.declare_dataset(&first, &stamp()).await.unwrap_err();
    assert!(matches!(error, StoreError::DatasetSealed), "{error}");
    store.delete_dataset(id, "refused", &stamp()).await.unwrap();
    assert!(store.dataset(id).await.unwrap().is_some(), "what is sealed stays");
    let error = store.acknowledge_frames(id, vec![frame(3)]).await.unwrap_err();
    assert!(matches!(error, StoreError::FrameOutOfOrder { .. }), "{error}");
}

async fn offices_with_different_keys_are_kept_apart(backend: Backend) {
    let store = backend.open().await;
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let ours = declaration(&agreement, ORIGIN);
    let mut theirs = declaration(&agreement, DESTINATION);
    theirs.key_check = Digest::of(b"another key");
    let [ours, theirs_id] = [
        store.declare_dataset(&ours, &stamp()).await.unwrap().status.id,
        store.declare_dataset(&theirs, &stamp()).await.unwrap().status.id,
    ];
    store
        .seal_dataset(ours, &gate_record(), None, &stamp())
        .await
        .unwrap();
    let sealing = store
        .seal_dataset(theirs_id, &gate_record(), Some(ours), &stamp())
        .await
        .unwrap_err();
    let declaring = store.declare_dataset(&theirs, &stamp()).await.unwrap_err();
    for error in [sealing, declaring] {
        assert!(matches!(error, StoreError::KeyCheckMismatch), "{error}");
    }
    store
        .delete_dataset(theirs_id, "refused", &stamp())
        .await
        .unwrap();
    let left = store.datasets_of(agreement.digest()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, ours);
}

async fn a_dataset_without_an_agreement_is_refused(backend: Backend) {
    let store = backend.open().await;
    let error = store
        .declare_dataset(&declaration(&agreement(1), ORIGIN), &stamp())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Database {
                transaction: "declare_dataset",
                ..
            }
        ),
        "{error}"
    );
    let error = store
        .seal_dataset(Digest::of(b"none"), &gate_record(), None, &stamp())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::NotFound { what: "dataset" }),
        "{error}"
    );
}

crate::on_both!(
    frames_are_taken_in_order_and_once,
    no_frame_goes_beyond_the_bytes_declared_even_unchecked,
    an_unfinished_upload_gives_way_and_a_sealed_one_does_not,
    offices_with_different_keys_are_kept_apart,
    a_dataset_without_an_agreement_is_refused,
);
