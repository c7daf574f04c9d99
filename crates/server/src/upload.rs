//! Frames of an upload, taken as they come.

use std::collections::VecDeque;

use bytes::Bytes;
use corridor_core::{Caller, Digest};
use corridor_engine::{Acknowledgement, Engine, EngineError, Frame, FrameDoor, ReceivedFrames, SealedFrame};
use corridor_wire::v1;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt as _, StreamExt as _, stream};
use tonic::{Status, Streaming};

use crate::doorkeeper::Patience;
use crate::services::{ResponseStream, digest};
use crate::status::{frame_too_large, from_engine};

/// Bytes of data in the largest frame taken. Clients send about 1 MiB.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Bytes that are sealed or stored at the same time, but for the last frame. With what the connection holds behind them, and the few
/// that are held plain and sealed while they are sealed, this is what one upload has in memory.
const MOST_BYTES: usize = 8 << 20;

/// Frames that are sealed, or wait to be stored, at the same time.
const MOST_FRAMES: usize = 256;

/// An upload under way: while frames are stored, those behind them are sealed, and others come in.
struct Upload {
    engine: Engine,
    caller: Caller,
    frames: Streaming<v1::UploadDatasetRequest>,
    patience: Patience,
    /// The dataset of the frames that are under way, and what they go through.
    open: Option<(Digest, FrameDoor)>,
    /// Came behind those, and is of another dataset.
    ahead: Option<Received>,
    /// Are being sealed, in the order they came.
    sealing: FuturesOrdered<BoxFuture<'static, Result<SealedFrame, EngineError>>>,
    /// Are to be stored next.
    sealed: Vec<SealedFrame>,
    /// Are being stored.
    storing: Option<BoxFuture<'static, Result<ReceivedFrames, EngineError>>>,
    storing_bytes: usize,
    /// Bytes of all these.
    gathered_bytes: usize,
    /// To be sent.
    answers: VecDeque<Acknowledgement>,
    /// Ends the upload when the answers before are sent.
    refused: Option<Status>,
    is_over: bool,
}

struct Received {
    dataset: Digest,
    frame: Frame,
    data: Bytes,
}

/// Answers every frame, in order. Frames that came while others were written are written together and wait for the disk once.
pub(crate) fn take_frames(
    engine: Engine,
    caller: Caller,
    (frames, patience): (Streaming<v1::UploadDatasetRequest>, Patience),
) -> ResponseStream<v1::UploadDatasetResponse> {
    let upload = Upload {
        engine,
        caller,
        frames,
        patience,
        open: None,
        ahead: None,
        sealing: FuturesOrdered::new(),
        sealed: Vec::new(),
        storing: None,
        storing_bytes: 0,
        gathered_bytes: 0,
        answers: VecDeque::new(),
        refused: None,
        is_over: false,
    };
    Box::pin(stream::try_unfold(upload, |mut upload| async {
        let answer = upload.next_answer().await?;
        Ok(answer.map(|answer| {
            let message = v1::UploadDatasetResponse {
                acknowledged_bytes: answer.acknowledged_bytes,
                next_sequence: answer.next_sequence,
            };
            (message, upload)
        }))
    }))
}

impl Upload {
    async fn next_answer(&mut self) -> Result<Option<Acknowledgement>, Status> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Ok(Some(answer));
            }
            self.store_sealed();
            let is_idle = self.storing.is_none() && self.sealing.is_empty();
            if is_idle && let Some(ahead) = self.ahead.take() {
                self.open = None;
                self.take_in(ahead).await;
                continue;
            }
            if is_idle && self.is_over {
                return self.refused.take().map_or(Ok(None), Err);
            }
            if is_idle {
                // Its key may be destroyed while nothing comes: it is not kept here.
                self.open = None;
            }
            self.patience.set_busy(!is_idle);
            let has_room = self.has_room();
            tokio::select! {
                biased;
                received = when_some(&mut self.storing) => {
                    self.storing = None;
                    self.note_stored(received.map_err(from_engine)?);
                }
                Some(sealed) = self.sealing.next() => self.note_sealed(sealed),
                next = next_frame(&mut self.frames), if has_room => match next {
                    Ok(Some(next)) => self.take_in(next).await,
                    Ok(None) => self.is_over = true,
                    Err(status) => self.refuse(status),
                },
            }
        }
    }

    fn has_room(&self) -> bool {
        !self.is_over
            && self.ahead.is_none()
            && self.gathered_bytes < MOST_BYTES
            && self.sealing.len() + self.sealed.len() < MOST_FRAMES
    }

    /// Begins to seal a frame.
    async fn take_in(&mut self, next: Received) {
        let door = match &self.open {
            Some((dataset, door)) if *dataset == next.dataset => door.clone(),
            Some(_) => {
                self.ahead = Some(next);
                return;
            }
            None => match self.engine.open_upload(&self.caller, next.dataset).await {
                Ok(door) => {
                    self.open = Some((next.dataset, door.clone()));
                    door
                }
                Err(error) => return self.refuse(from_engine(error)),
            },
        };
        self.gathered_bytes += next.data.len();
        self.sealing.push_back(Box::pin(door.seal(next.frame, next.data)));
    }

    fn note_sealed(&mut self, sealed: Result<SealedFrame, EngineError>) {
        match sealed {
            Ok(frame) => self.sealed.push(frame),
            Err(error) => {
                // What came behind it is not looked at.
                self.sealing.clear();
                self.ahead = None;
                self.refuse(from_engine(error));
            }
        }
    }

    /// Begins to store what is sealed when nothing is being stored.
    fn store_sealed(&mut self) {
        if self.storing.is_some() {
            return;
        }
        while let Some(Some(sealed)) = self.sealing.next().now_or_never() {
            self.note_sealed(sealed);
        }
        let (Some((dataset, _)), false) = (&self.open, self.sealed.is_empty()) else {
            return;
        };
        let frames = std::mem::take(&mut self.sealed);
        self.storing_bytes = frames.iter().map(SealedFrame::data_len).sum();
        let (engine, caller, dataset) = (self.engine.clone(), self.caller.clone(), *dataset);
        self.storing = Some(Box::pin(async move {
            engine.receive_sealed_frames(&caller, dataset, frames).await
        }));
    }

    fn note_stored(&mut self, received: ReceivedFrames) {
        self.gathered_bytes = self.gathered_bytes.saturating_sub(self.storing_bytes);
        self.answers.extend(received.acknowledged);
        if let Some(error) = received.refused {
            // What came behind it is not looked at.
            self.sealing.clear();
            self.sealed.clear();
            self.ahead = None;
            self.refuse(from_engine(error));
        }
    }

    /// Ends the upload after what came before.
    fn refuse(&mut self, status: Status) {
        self.refused = Some(status);
        self.is_over = true;
    }
}

/// What becomes of a future, when there is one.
async fn when_some<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// The next frame; `None` at the end. Nothing is lost when it is not waited for.
async fn next_frame(frames: &mut Streaming<v1::UploadDatasetRequest>) -> Result<Option<Received>, Status> {
    frames.message().await?.map(to_frame).transpose()
}

fn to_frame(message: v1::UploadDatasetRequest) -> Result<Received, Status> {
    let dataset = digest(&message.dataset_id, "dataset_id")?;
    if message.data.len() > MAX_FRAME_BYTES {
        return Err(frame_too_large(MAX_FRAME_BYTES));
    }
    Ok(Received {
        dataset,
        frame: Frame {
            sequence: message.sequence,
            offset: message.offset,
            byte_count: u64::try_from(message.data.len()).expect("at most a frame"),
            checksum: digest(&message.checksum, "checksum")?,
        },
        data: message.data,
    })
}
