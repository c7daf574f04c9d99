//! Frames of an upload, taken as they come.

use std::collections::VecDeque;

use bytes::Bytes;
use corridor_core::{Caller, Digest};
use corridor_engine::{Acknowledgement, Engine, Frame};
use corridor_wire::v1;
use futures::{FutureExt as _, stream};
use tonic::{Status, Streaming};

use crate::doorkeeper::Patience;
use crate::services::{ResponseStream, digest};
use crate::status::{frame_too_large, from_engine};

/// Bytes of data in the largest frame taken. Clients send about 1 MiB.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Bytes taken together at most. With what the connection holds behind them, this is what one upload has in memory.
const GROUP_BYTES: usize = 8 << 20;

/// Frames taken together at most.
const GROUP_FRAMES: usize = 256;

/// An upload under way.
struct Upload {
    engine: Engine,
    caller: Caller,
    frames: Streaming<v1::UploadDatasetRequest>,
    patience: Patience,
    /// Came, and is of the next group.
    ahead: Option<Received>,
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
        ahead: None,
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
            if let Some(refused) = self.refused.take() {
                self.is_over = true;
                return Err(refused);
            }
            let Some((dataset, group)) = self.next_group().await else {
                match self.refused.take() {
                    Some(refused) => return Err(refused),
                    None => return Ok(None),
                }
            };
            let received = self
                .engine
                .receive_frames(&self.caller, dataset, group)
                .await
                .map_err(from_engine)?;
            self.patience.renew();
            self.answers.extend(received.acknowledged);
            if let Some(error) = received.refused {
                self.refused = Some(from_engine(error));
            }
        }
    }

    /// Waits for a frame, and takes those of the same dataset that are there already with it.
    async fn next_group(&mut self) -> Option<(Digest, Vec<(Frame, Bytes)>)> {
        let first = match self.ahead.take() {
            Some(first) => first,
            None => self.next_frame().await?,
        };
        let dataset = first.dataset;
        let mut byte_count = first.data.len();
        let mut group = vec![(first.frame, first.data)];
        while byte_count < GROUP_BYTES && group.len() < GROUP_FRAMES {
            let Some(Some(next)) = self.next_frame().now_or_never() else {
                break;
            };
            if next.dataset != dataset {
                self.ahead = Some(next);
                break;
            }
            byte_count += next.data.len();
            group.push((next.frame, next.data));
        }
        Some((dataset, group))
    }

    /// The next frame; `None` at the end, and at one that cannot be, which is noted.
    async fn next_frame(&mut self) -> Option<Received> {
        if self.is_over {
            return None;
        }
        let message = match self.frames.message().await {
            Ok(Some(message)) => to_frame(message),
            Ok(None) => {
                self.is_over = true;
                return None;
            }
            Err(status) => Err(status),
        };
        match message {
            Ok(frame) => Some(frame),
            Err(status) => {
                self.refused = Some(status);
                self.is_over = true;
                None
            }
        }
    }
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
