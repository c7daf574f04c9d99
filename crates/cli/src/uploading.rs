//! Uploads over lines that are cut, stall or crawl.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use corridor_core::{DatasetDeclaration, DatasetState, DatasetStatus, Digest, Entropy};
use corridor_wire::v1;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::client::{Client, ClientError, ClientResult, to_bytes};
use crate::patience::{LineTerms, Patience};

/// What an upload tells while it goes on.
#[derive(Debug)]
pub enum UploadEvent<'a> {
    /// So many bytes are safely stored.
    Acknowledged(u64),
    /// The line was cut, or the service asks to come back later: it is tried again.
    Interrupted {
        /// What happened.
        error: &'a ClientError,
        /// Bytes that are safely stored: the upload goes on from there.
        acknowledged: u64,
        /// When.
        wait: Duration,
    },
}

/// Bytes of data in the largest frame, which is what the service takes.
const LARGEST_FRAME: usize = 1 << 20;

/// Bytes in the smallest: a line that is always cut before so many carries nothing.
const SMALLEST_FRAME: usize = 1 << 16;

/// Acknowledgements in one try after which the line is good enough for larger frames.
const GOOD_LINE: u64 = 16;

/// Frames of the size of a try that are sent ahead of their acknowledgement: as much as the service writes at once, twice, so that it
/// never waits on a good line.
const FRAMES_AHEAD: usize = 16;

impl Client {
    /// Uploads a dataset and seals it, in one try. Goes on from what the service acknowledged of an earlier one. `progress` is told
    /// the bytes acknowledged.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn upload(
        &self,
        declaration: &DatasetDeclaration,
        bytes: &Bytes,
        progress: &(dyn Fn(u64) + Sync),
    ) -> ClientResult<DatasetStatus> {
        let once = Try {
            declaration,
            bytes,
            frame_bytes: LARGEST_FRAME,
            stalled_after: LineTerms::default().stalled_after,
            flow: &Flow::default(),
            is_sealing: &AtomicBool::new(false),
        };
        once.run(self, &mut |acknowledged| progress(acknowledged)).await
    }

    /// The same over a poor line: what was cut is tried again from the acknowledged byte, over a connection of its own, until
    /// `line` says to give up. What the service refuses is not tried again, unless it says when to come back.
    ///
    /// Frames get smaller while the line is cut before it carried one, and larger again when it does well. Waits are drawn from
    /// `entropy`.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`]; the last cut when it was given up.
    pub async fn upload_patiently(
        &self,
        (declaration, bytes): (&DatasetDeclaration, &Bytes),
        line: LineTerms,
        entropy: &mut dyn Entropy,
        tell: &mut (dyn FnMut(UploadEvent<'_>) + Send),
    ) -> ClientResult<DatasetStatus> {
        let begun = Instant::now();
        let mut patience = Patience::new(line.give_up_after, entropy);
        let mut frame_bytes = LARGEST_FRAME;
        let mut acknowledged = 0;
        let is_sealing = AtomicBool::new(false);
        let mut connected = Ok(self.clone());
        loop {
            let mut answers = 0;
            let flow = Flow::default();
            let outcome = match connected {
                Ok(client) => {
                    let once = Try {
                        declaration,
                        bytes,
                        frame_bytes,
                        stalled_after: line.stalled_after,
                        flow: &flow,
                        is_sealing: &is_sealing,
                    };
                    let note = &mut |bytes| {
                        acknowledged = bytes;
                        answers += 1;
                        patience.note(begun.elapsed(), bytes);
                        tell(UploadEvent::Acknowledged(bytes));
                    };
                    once.run(&client, note).await
                }
                Err(error) => Err(error),
            };
            let error = match outcome {
                Ok(status) => return Ok(status),
                Err(error) => error,
            };
            let wait = retry_after(&error).and_then(|asked| patience.wait(begun.elapsed(), asked));
            let Some(wait) = wait else {
                return Err(error);
            };
            frame_bytes = next_frame_bytes(frame_bytes, answers, flow.is_mostly_lost());
            tell(UploadEvent::Interrupted {
                error: &error,
                acknowledged,
                wait,
            });
            tokio::time::sleep(wait).await;
            connected = in_time(line.stalled_after, self.reconnect(line.stalled_after))
                .await
                .and_then(|connected| connected);
        }
    }

    /// Sends frames and waits for the acknowledgement of each.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn send_frames(
        &self,
        frames: Vec<v1::UploadDatasetRequest>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> ClientResult<()> {
        let line = Sending {
            stalled_after: LineTerms::default().stalled_after,
            ahead_bytes: FRAMES_AHEAD * LARGEST_FRAME,
            flow: &Flow::default(),
        };
        let note = &mut |acknowledged| progress(acknowledged);
        send(self, frames.into_iter(), line, note).await
    }
}

/// One try of an upload.
struct Try<'a> {
    declaration: &'a DatasetDeclaration,
    bytes: &'a Bytes,
    frame_bytes: usize,
    stalled_after: Duration,
    flow: &'a Flow,
    /// Whether an earlier try got as far as the seal.
    is_sealing: &'a AtomicBool,
}

impl Try<'_> {
    /// `note` is told the bytes acknowledged, first what is there already.
    async fn run(&self, client: &Client, note: &mut (dyn FnMut(u64) + Send)) -> ClientResult<DatasetStatus> {
        // Whose line was cut before it read the answer asks for it again: a dataset that was refused would be declared anew otherwise,
        // and sent as a whole.
        if self.is_sealing.load(Relaxed) {
            match client.seal_dataset(self.declaration.to_id()).await {
                Err(error) if matches!(error.reason(), Some("NOT_FOUND" | "DATASET_INCOMPLETE")) => {}
                outcome => return outcome,
            }
        }
        let status = in_time(self.stalled_after, client.declare_dataset(self.declaration)).await??;
        note(status.acknowledged_bytes);
        if status.state == DatasetState::Sealed {
            return Ok(status);
        }
        if status.acknowledged_bytes < self.declaration.total_bytes {
            let frames = frames_of(&status, self.bytes, self.frame_bytes);
            let line = Sending {
                stalled_after: self.stalled_after,
                ahead_bytes: FRAMES_AHEAD * self.frame_bytes,
                flow: self.flow,
            };
            send(client, frames, line, note).await?;
        }
        self.is_sealing.store(true, Relaxed);
        // Checking a large dataset takes its time, in which nothing comes. A dead line is noticed by the pings of HTTP/2.
        client.seal_dataset(status.id).await
    }
}

/// How far one try got in the file: what was sent and what was acknowledged. What lies between when the line is cut is sent again, so
/// that not much of it may be under way.
#[derive(Debug, Default)]
struct Flow {
    start: AtomicU64,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    moved: Notify,
}

impl Flow {
    fn begin(&self, at: u64) {
        for place in [&self.start, &self.sent, &self.acknowledged] {
            place.store(at, Relaxed);
        }
    }

    /// Waits until what is sent up to `end` may be under way.
    async fn send_to(&self, end: u64, ahead_bytes: u64) {
        loop {
            let moved = self.moved.notified();
            let acknowledged = self.acknowledged.load(Relaxed);
            if self.sent.load(Relaxed) <= acknowledged || end.saturating_sub(acknowledged) <= ahead_bytes {
                self.sent.fetch_max(end, Relaxed);
                return;
            }
            moved.await;
        }
    }

    fn acknowledge(&self, bytes: u64) {
        self.acknowledged.fetch_max(bytes, Relaxed);
        self.moved.notify_one();
    }

    /// Whether most of what was sent is to be sent again.
    fn is_mostly_lost(&self) -> bool {
        let since = |place: &AtomicU64| place.load(Relaxed).saturating_sub(self.start.load(Relaxed));
        since(&self.acknowledged) < since(&self.sent) / 2
    }
}

/// How frames are sent.
struct Sending<'a> {
    stalled_after: Duration,
    /// Bytes sent ahead of their acknowledgement.
    ahead_bytes: usize,
    flow: &'a Flow,
}

async fn send(
    client: &Client,
    frames: impl Iterator<Item = v1::UploadDatasetRequest>,
    Sending {
        stalled_after,
        ahead_bytes,
        flow,
    }: Sending<'_>,
    note: &mut (dyn FnMut(u64) + Send),
) -> ClientResult<()> {
    let to_count = |len: usize| u64::try_from(len).expect("a length fits");
    let mut frames = frames.peekable();
    flow.begin(frames.peek().map_or(0, |frame| frame.offset));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let sending = async move {
        for frame in frames {
            let end = frame.offset + to_count(frame.data.len());
            flow.send_to(end, to_count(ahead_bytes)).await;
            // The service has ended the call; its answer says why.
            if sender.send(frame).await.is_err() {
                break;
            }
        }
        drop(sender);
        std::future::pending::<Infallible>().await
    };
    let receiving = async {
        let mut datasets = client.datasets();
        let called = datasets.upload_dataset(ReceiverStream::new(receiver));
        let mut answers = in_time(stalled_after, called).await??.into_inner();
        while let Some(answer) = in_time(stalled_after, answers.next()).await? {
            let answer = answer?;
            flow.acknowledge(answer.acknowledged_bytes);
            note(answer.acknowledged_bytes);
        }
        Ok(())
    };
    // A line that stalls holds back what is being sent as well: that ends with the answers.
    tokio::select! {
        received = receiving => received,
        never = sending => match never {},
    }
}

/// What comes in time, or a line that stalled.
async fn in_time<T>(stalled_after: Duration, future: impl Future<Output = T>) -> ClientResult<T> {
    timeout(stalled_after, future)
        .await
        .map_err(|_| ClientError::Stalled(stalled_after))
}

/// How long to wait at least before an upload is tried again after `error`; `None` where trying again is of no use.
fn retry_after(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Connect(_) | ClientError::Cut(_) | ClientError::Stalled(_) => Some(Duration::ZERO),
        ClientError::Refused {
            retry_after, reason, ..
        } => match reason.as_deref() {
            // The content is the one declared, so these mean that frames got further than this client knew: those of a call that
            // was cut, or of another upload of the same file. Declaring it again tells how far.
            Some("FRAME_CHANGED" | "FRAME_OUT_OF_ORDER") => Some(Duration::ZERO),
            // A line so slow that the service gave up waiting, or a service so busy: smaller frames, or another try, may get through.
            Some("CALL_TIMEOUT" | "CLIENT_STALLED") => Some(Duration::ZERO),
            _ => *retry_after,
        },
        ClientError::Answer(_) => None,
    }
}

/// Bytes of a frame in the next try, after one with so many answers, of which the first came before any frame, and of which most
/// bytes were or were not in vain.
fn next_frame_bytes(frame_bytes: usize, answers: u64, is_mostly_lost: bool) -> usize {
    match answers {
        1.. if is_mostly_lost => (frame_bytes / 2).max(SMALLEST_FRAME),
        1 => (frame_bytes / 2).max(SMALLEST_FRAME),
        0..=GOOD_LINE => frame_bytes,
        _ => (frame_bytes * 2).min(LARGEST_FRAME),
    }
}

/// What is left to send of a dataset, as frames of the usual size.
pub fn to_frames(status: &DatasetStatus, bytes: &Bytes) -> Vec<v1::UploadDatasetRequest> {
    frames_of(status, bytes, LARGEST_FRAME).collect()
}

/// Each frame is made when it is asked for: hashing gigabytes beforehand would take longer than a poor line lives.
fn frames_of(
    status: &DatasetStatus,
    bytes: &Bytes,
    frame_bytes: usize,
) -> impl Iterator<Item = v1::UploadDatasetRequest> {
    let (bytes, id) = (bytes.clone(), status.id);
    let start = usize::try_from(status.acknowledged_bytes).map_or(bytes.len(), |len| len.min(bytes.len()));
    (start..bytes.len())
        .step_by(frame_bytes)
        .zip(status.next_sequence..)
        .map(move |(offset, sequence)| {
            let data = bytes.slice(offset..(offset + frame_bytes).min(bytes.len()));
            v1::UploadDatasetRequest {
                dataset_id: to_bytes(id),
                sequence,
                offset: u64::try_from(offset).expect("an offset fits"),
                checksum: to_bytes(Digest::of(&data)),
                data,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    fn refused(code: Code, reason: &str, retry: Option<u64>) -> ClientError {
        let mut details =
            ErrorDetails::with_error_info(reason, "corridor.v1", std::collections::HashMap::new());
        if let Some(seconds) = retry {
            details.set_retry_info(Some(Duration::from_secs(seconds)));
        }
        Status::with_error_details(code, "", details).into()
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let after = |error: ClientError| retry_after(&error).map(|wait| wait.as_secs());
        assert_eq!(after(Status::new(Code::Unavailable, "").into()), Some(0));
        assert_eq!(
            after(Status::new(Code::Unknown, "transport error").into()),
            Some(0)
        );
        assert_eq!(
            after(Status::new(Code::Internal, "h2 protocol error: reset").into()),
            Some(0)
        );
        assert_eq!(after(ClientError::Stalled(Duration::from_secs(1))), Some(0));
        assert_eq!(after(refused(Code::Unavailable, "DRAINING", None)), Some(0));
        assert_eq!(after(refused(Code::Unavailable, "DRAINING", Some(7))), Some(7));
        assert_eq!(after(refused(Code::ResourceExhausted, "RATE", Some(9))), Some(9));
        assert_eq!(
            after(refused(Code::DeadlineExceeded, "CLIENT_STALLED", None)),
            Some(0)
        );
        assert_eq!(after(refused(Code::Aborted, "FRAME_OUT_OF_ORDER", None)), Some(0));
        assert_eq!(
            after(refused(Code::InvalidArgument, "FRAME_CHANGED", None)),
            Some(0)
        );
        // A full disk is not emptied by asking again, and what is wrong stays wrong, whatever it comes with.
        assert_eq!(after(refused(Code::ResourceExhausted, "DISK_FULL", None)), None);
        assert_eq!(
            after(refused(Code::FailedPrecondition, "KEY_CHECK_MISMATCH", Some(1))),
            None
        );
        assert_eq!(
            after(refused(Code::Unauthenticated, "CALLER_UNKNOWN", None)),
            None
        );
        assert_eq!(after(refused(Code::Internal, "INTERNAL", None)), None);
        assert_eq!(after(refused(Code::DataLoss, "CONTENT_MISMATCH", None)), None);
        assert_eq!(after(Status::new(Code::Internal, "no reason given").into()), None);
    }

    #[test]
    fn frames_shrink_on_a_line_that_carries_none_and_grow_on_a_good_one() {
        let mut size = LARGEST_FRAME;
        for _ in 0..10 {
            size = next_frame_bytes(size, 1, false);
        }
        assert_eq!(size, SMALLEST_FRAME);
        assert_eq!(
            next_frame_bytes(size, 0, false),
            size,
            "nobody was reached: it is not the frames"
        );
        assert_eq!(next_frame_bytes(size, 2, false), size);
        for _ in 0..10 {
            size = next_frame_bytes(size, GOOD_LINE + 1, false);
        }
        assert_eq!(size, LARGEST_FRAME);
        assert!(
            next_frame_bytes(size, GOOD_LINE + 1, true) < size,
            "the line is cut before most of it comes back"
        );
    }

    #[test]
    fn frames_of_any_size_are_the_rest_of_the_file_without_a_gap() {
        let bytes = Bytes::from(
            (0..200_001_u32)
                .map(|place| (place % 251) as u8)
                .collect::<Vec<_>>(),
        );
        let status = |acknowledged_bytes, next_sequence| DatasetStatus {
            id: Digest::of(b"dataset"),
            declaration: DatasetDeclaration {
                agreement: Digest::of(b"agreement"),
                office: "AAA".parse().unwrap(),
                schema: Digest::of(b"schema"),
                key_check: Digest::of(b"key"),
                record_count: 1,
                total_bytes: 200_001,
                content: Digest::of(&bytes),
            },
            state: DatasetState::Receiving,
            acknowledged_bytes,
            next_sequence,
            purge_at: None,
        };
        for frame_bytes in [SMALLEST_FRAME, LARGEST_FRAME, 70_001] {
            for (start, first) in [(0, 0), (70_001, 3), (200_000, 9), (200_001, 10)] {
                let mut sent = Vec::new();
                for (frame, sequence) in frames_of(&status(start, first), &bytes, frame_bytes).zip(first..) {
                    assert_eq!(frame.sequence, sequence);
                    assert_eq!(frame.offset, start + u64::try_from(sent.len()).unwrap());
                    assert_eq!(frame.checksum, Digest::of(&frame.data).as_bytes());
                    assert!(!frame.data.is_empty() && frame.data.len() <= frame_bytes);
                    sent.extend_from_slice(&frame.data);
                }
                assert!(
                    sent == bytes[usize::try_from(start).unwrap()..],
                    "{start}, {frame_bytes}"
                );
            }
        }
    }
}
