//! Frames of an upload, taken as they come.

use std::collections::VecDeque;

use bytes::Bytes;
use corridor_core::{Caller, Digest};
use corridor_engine::{Acknowledgement, Engine, EngineError, Frame, ReceivedFrames};
use corridor_wire::v1;
use futures::future::BoxFuture;
use futures::{FutureExt as _, stream};
use tonic::{Status, Streaming};

use crate::doorkeeper::Patience;
use crate::services::{ResponseStream, digest};
use crate::status::{frame_too_large, from_engine};

/// Bytes of data in the largest frame taken. Clients send about 1 MiB.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Bytes taken together at most. With what the connection holds behind them, this is what one upload has in memory.
const GROUP_BYTES: usize = 4 << 20;

/// Frames taken together at most.
const GROUP_FRAMES: usize = 256;

/// An upload under way: while frames are stored, those behind them come in.
struct Upload {
    engine: Engine,
    caller: Caller,
    frames: Streaming<v1::UploadDatasetRequest>,
    patience: Patience,
    /// Came, and is to be stored next.
    gathered: Group,
    /// Came behind those, and is of another dataset.
    ahead: Option<Received>,
    /// Is being stored.
    storing: Option<BoxFuture<'static, Result<ReceivedFrames, EngineError>>>,
    /// To be sent.
    answers: VecDeque<Acknowledgement>,
    /// Ends the upload when the answers before are sent.
    refused: Option<Status>,
    is_over: bool,
}

/// Frames of one dataset, in the order they came.
#[derive(Default)]
struct Group {
    dataset: Option<Digest>,
    frames: Vec<(Frame, Bytes)>,
    byte_count: usize,
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
        gathered: Group::default(),
        ahead: None,
        storing: None,
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
            self.store_gathered();
            let is_gathering = self.has_room();
            let received = match &mut self.storing {
                None if is_gathering => {
                    let next = next_frame(&mut self.frames).await;
                    self.gather(next);
                    continue;
                }
                None => return self.refused.take().map_or(Ok(None), Err),
                Some(storing) => tokio::select! {
                    biased;
                    received = storing => received,
                    next = next_frame(&mut self.frames), if is_gathering => {
                        self.gather(next);
                        continue;
                    }
                },
            };
            self.storing = None;
            let received = received.map_err(from_engine)?;
            self.patience.renew();
            self.answers.extend(received.acknowledged);
            if let Some(error) = received.refused {
                // What came behind it is not looked at.
                self.refused = Some(from_engine(error));
                self.is_over = true;
                self.ahead = None;
                self.gathered = Group::default();
            }
        }
    }

    const fn has_room(&self) -> bool {
        !self.is_over
            && self.ahead.is_none()
            && self.gathered.byte_count < GROUP_BYTES
            && self.gathered.frames.len() < GROUP_FRAMES
    }

    /// Begins to store what is there when nothing is being stored.
    fn store_gathered(&mut self) {
        if self.storing.is_some() {
            return;
        }
        while self.has_room() {
            let Some(next) = next_frame(&mut self.frames).now_or_never() else {
                break;
            };
            self.gather(next);
        }
        let group = std::mem::take(&mut self.gathered);
        if let Some(ahead) = self.ahead.take() {
            self.gather(Ok(Some(ahead)));
        }
        let Some(dataset) = group.dataset else { return };
        let (engine, caller) = (self.engine.clone(), self.caller.clone());
        self.storing = Some(Box::pin(async move {
            engine.receive_frames(&caller, dataset, group.frames).await
        }));
    }

    fn gather(&mut self, next: Result<Option<Received>, Status>) {
        match next {
            Ok(Some(next)) if *self.gathered.dataset.get_or_insert(next.dataset) == next.dataset => {
                self.gathered.byte_count += next.data.len();
                self.gathered.frames.push((next.frame, next.data));
            }
            Ok(Some(next)) => self.ahead = Some(next),
            Ok(None) => self.is_over = true,
            Err(status) => {
                self.refused = Some(status);
                self.is_over = true;
            }
        }
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
