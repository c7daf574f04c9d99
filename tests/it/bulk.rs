//! What every bulk store does alike: a folder, and a bucket of a real service that speaks S3. `tests/run` installs one in
//! `target/python`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use corridor_core::audit::AuditStamp;
use corridor_core::{Digest, OsEntropy, PurgeReason, Timestamp};
use corridor_engine::{BulkOptions, Orphan, S3Options, Store, StoreError};
use corridor_store::{RunObject, StoreOptions};
use corridor_tests::sample::{Sample, SampleTerms};
use corridor_tests::workspace_root;

use crate::at_rest::{agree, caller, canaries, declare, frames, holds, linkable, run, to_engine, upload};

/// A service that speaks S3, with a bucket. Ends with the test.
struct Bucket {
    process: Child,
    address: String,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // It has ended already where a test asked for it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Bucket {
    fn start() -> Self {
        let server = workspace_root().join("target/python/bin/moto_server");
        assert!(
            server.exists(),
            "run tests/run, which installs moto in target/python"
        );
        let mut process = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().to_owned();
            }
        };
        // Reading on keeps the pipe from filling.
        std::thread::spawn(move || drop(std::io::copy(&mut log, &mut std::io::sink())));
        let bucket = Self { process, address };
        assert!(bucket.request("PUT", "/corridor", "").starts_with("HTTP/1.1 200"));
        bucket
    }

    /// A plain request, as anybody may make to it.
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn options(&self) -> BulkOptions {
        BulkOptions::S3(S3Options {
            endpoint: format!("http://{}", self.address),
            bucket: "corridor".to_owned(),
            region: "us-east-1".to_owned(),
            prefix: "linkage/one".to_owned(),
            access_key_id: "key".into(),
            secret_access_key: "secret".into(),
        })
    }

    /// Names of all objects.
    fn list(&self) -> Vec<String> {
        let answer = self.request("GET", "/corridor?list-type=2&max-keys=1000", "");
        let names = answer.split("<Key>").skip(1);
        names
            .map(|rest| rest.split_once("</Key>").unwrap().0.to_owned())
            .collect()
    }
}

fn options(folder: &Path, bulk: &BulkOptions) -> StoreOptions {
    StoreOptions {
        bulk: bulk.clone(),
        ..StoreOptions::in_folder(folder)
    }
}

async fn open(folder: &Path, bulk: &BulkOptions) -> Store {
    Store::open_with(&options(folder, bulk)).await.unwrap()
}

/// The contract: what is put is read again, under its own name only; the same again changes nothing; what is removed is gone; what
/// nothing answers for is found; and it is all there after a restart.
async fn conforms(bulk: &BulkOptions) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), bulk).await;
    let engine = to_engine(&store);
    let sample = linkable(1);
    agree(&engine, &sample).await;
    // A dataset longer than a part of an upload.
    let large = Sample::of(&SampleTerms {
        records: 40_000,
        seed: 5,
        ..SampleTerms::default()
    });
    assert!(large.datasets[0].1.len() > 9 << 20);
    agree(&engine, &large).await;
    let [large_id, _] = upload(&engine, &large).await;
    assert_eq!(store.read_dataset(large_id).await.unwrap(), large.datasets[0].1);
    let [id, other] = upload(&engine, &sample).await;
    let run = run(&engine, &sample).await;
    assert_eq!(store.read_dataset(id).await.unwrap(), sample.datasets[0].1);
    assert_eq!(store.read_dataset(other).await.unwrap(), sample.datasets[1].1);

    let result = store.run(run).await.unwrap().unwrap().result.unwrap();
    for object in [
        RunObject::Tile(0),
        RunObject::Links,
        RunObject::FlowTable(result),
        RunObject::Report(result),
    ] {
        let before = store.read_run_object(run, object).await.unwrap();
        store.put_run_object(run, object, before.to_vec()).await.unwrap();
        assert_eq!(store.read_run_object(run, object).await.unwrap(), before);
        store.put_run_object(run, object, vec![7; 9 << 20]).await.unwrap();
        assert_eq!(
            store.read_run_object(run, object).await.unwrap(),
            vec![7; 9 << 20]
        );
        store.put_run_object(run, object, Vec::new()).await.unwrap();
        assert!(store.read_run_object(run, object).await.unwrap().is_empty());
        assert!(store.has_run_object(run, object).await.unwrap());
        store.put_run_object(run, object, before.to_vec()).await.unwrap();
    }
    assert!(!store.has_run_object(run, RunObject::Tile(99_999)).await.unwrap());
    let missing = store.read_run_object(run, RunObject::Tile(99_999)).await;
    assert!(matches!(missing, Err(StoreError::Bulk(_))));
    assert_eq!(store.orphans().await.unwrap(), []);
    // What a worker that was taken for dead made of the run takes the place of nothing, and goes.
    let of_another = RunObject::FlowTable(Digest::of(b"another result"));
    let table = store
        .read_run_object(run, RunObject::FlowTable(result))
        .await
        .unwrap();
    store.put_run_object(run, of_another, vec![7; 100]).await.unwrap();
    assert_eq!(
        store
            .read_run_object(run, RunObject::FlowTable(result))
            .await
            .unwrap(),
        table
    );
    let [orphan] = &store.orphans().await.unwrap()[..] else {
        panic!("one table nothing answers for");
    };
    store.remove_orphan(orphan).await.unwrap();
    assert!(!store.has_run_object(run, of_another).await.unwrap());
    assert_eq!(store.orphans().await.unwrap(), []);

    // A dataset whose row is gone leaves an object nothing answers for; it goes at the next start.
    store.close().await;
    let store = open(folder.path(), bulk).await;
    assert_eq!(store.read_dataset(large_id).await.unwrap(), large.datasets[0].1);
    let now: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    let stamp = AuditStamp::new(None, now, &mut OsEntropy::default());
    store
        .certify_purge(id, PurgeReason::Request, &stamp)
        .await
        .unwrap();
    store.remove_purged(id).await.unwrap();
    assert!(store.read_dataset(id).await.is_err());
    assert_eq!(store.read_dataset(other).await.unwrap(), sample.datasets[1].1);
    assert!(!store.has_run_object(run, RunObject::Links).await.unwrap());
    assert!(
        !store
            .has_run_object(run, RunObject::FlowTable(result))
            .await
            .unwrap()
    );
    assert_eq!(store.orphans().await.unwrap(), []);
    store.close().await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    conforms(&BulkOptions::Folder).await;
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let bucket = Bucket::start();
    conforms(&bucket.options()).await;
    assert!(bucket.list().iter().all(|name| name.starts_with("linkage/one/")));
}

#[tokio::test]
async fn what_is_in_a_bucket_is_sealed_and_what_nothing_answers_for_goes() {
    let (bucket, folder, sample) = (Bucket::start(), tempfile::tempdir().unwrap(), linkable(1));
    let store = open(folder.path(), &bucket.options()).await;
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let [id, _] = upload(&engine, &sample).await;
    let path = format!("/corridor/linkage/one/datasets/{id}.parquet");
    let stored = bucket.request("GET", &path, "");
    assert!(stored.contains("CORRENC1"));
    let pieces = canaries(&sample.datasets[0].1);
    assert!(!holds(stored.as_bytes(), &pieces));
    store.close().await;

    let orphan = format!("datasets/{}.parquet", Digest::of(b"nobody's"));
    assert!(
        bucket
            .request("PUT", &format!("/corridor/linkage/one/{orphan}"), "left behind")
            .starts_with("HTTP/1.1 200")
    );
    let store = Store::open_as_is(&options(folder.path(), &bucket.options()))
        .await
        .unwrap();
    assert_eq!(store.orphans().await.unwrap(), [Orphan::Object(orphan)]);
    store.close().await;
    let store = open(folder.path(), &bucket.options()).await;
    assert_eq!(store.orphans().await.unwrap(), []);
    assert_eq!(store.read_dataset(id).await.unwrap(), sample.datasets[0].1);

    // Others' bytes under the name.
    assert!(
        bucket
            .request("PUT", &path, "CORRENC1 but not so")
            .starts_with("HTTP/1.1 200")
    );
    assert!(matches!(
        store.read_dataset(id).await,
        Err(StoreError::Altered { .. })
    ));
    store.close().await;
}

#[tokio::test]
async fn a_bucket_that_is_gone_in_the_middle_costs_nothing_that_was_acknowledged() {
    let (mut bucket, folder, sample) = (Bucket::start(), tempfile::tempdir().unwrap(), linkable(1));
    let store = open(folder.path(), &bucket.options()).await;
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let office = caller(declaration.office.as_str());
    let id = declare(&engine, declaration).await.id;
    engine.receive_frames(&office, id, frames(bytes)).await.unwrap();
    bucket.process.kill().unwrap();
    bucket.process.wait().unwrap();
    let error = engine.seal_dataset(&office, id).await.unwrap_err();
    assert!(error.to_string().contains("bulk store"), "{error}");
    store.close().await;
    // Another bucket, where the operator has moved: the upload is whole, and is sealed there.
    let bucket = Bucket::start();
    let store = open(folder.path(), &bucket.options()).await;
    let engine = to_engine(&store);
    let status = engine.dataset(&office, id).await.unwrap();
    assert_eq!(status.acknowledged_bytes, declaration.total_bytes);
    engine.seal_dataset(&office, id).await.unwrap();
    assert_eq!(store.read_dataset(id).await.unwrap(), *bytes);
    store.close().await;
}
