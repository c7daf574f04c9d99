//! Frames of an upload: which of those that come is the next one, and what is noted of each.

use corridor_core::{DatasetStatus, Digest};
use sqlx::AnyConnection;

use crate::StoreError;
use crate::database::{InTransaction as _, TxResult, placeholders, to_sql};

/// Frames of one upload at most: enough for 1 TiB in frames of 1 MiB. Where each begins is held in memory while it is sealed.
const MAX_FRAMES: u64 = 1 << 20;

/// A frame without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// From 0, without gaps.
    pub sequence: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// Its bytes.
    pub byte_count: u64,
    /// SHA-256 of its bytes.
    pub checksum: Digest,
}

/// `false`: it is the frame that was stored before under its number.
pub(crate) fn check_repeated(frame: &Frame, stored: Option<&[u8]>) -> Result<bool, StoreError> {
    if stored == Some(frame.checksum.as_bytes().as_slice()) {
        Ok(false)
    } else {
        Err(StoreError::FrameChanged {
            sequence: frame.sequence,
        })
    }
}

/// Frames of one statement at most: a database takes so many values of one.
pub(crate) const FRAMES_AT_ONCE: usize = 64;

pub(crate) async fn insert_frames(
    tx: &mut AnyConnection,
    id: Digest,
    frames: &[Frame],
    name: &'static str,
) -> TxResult<()> {
    let statement = format!(
        "INSERT INTO frames (dataset, sequence, byte_count, checksum) VALUES {}",
        placeholders(frames.len(), 4)
    );
    let mut insert = sqlx::query(sqlx::AssertSqlSafe(statement));
    for frame in frames {
        insert = insert
            .bind(id.as_bytes().as_slice())
            .bind(to_sql(frame.sequence))
            .bind(to_sql(frame.byte_count))
            .bind(frame.checksum.as_bytes().as_slice());
    }
    insert.execute(tx).await.in_tx(name).map(drop)
}

pub(crate) const fn out_of_order(expected: u64, expected_offset: u64, got: u64) -> StoreError {
    StoreError::FrameOutOfOrder {
        expected,
        expected_offset,
        got,
    }
}

/// Where an upload will be when the frames seen so far are stored.
pub(crate) struct Ahead {
    first_sequence: u64,
    checksums: Vec<Digest>,
    offset: u64,
    declared: u64,
}

impl Ahead {
    pub(crate) const fn new(status: &DatasetStatus) -> Self {
        Self {
            first_sequence: status.next_sequence,
            checksums: Vec::new(),
            offset: status.acknowledged_bytes,
            declared: status.declaration.total_bytes,
        }
    }

    /// Whether it is the next one; `false` where it stood among those seen already.
    pub(crate) fn check(&mut self, frame: &Frame) -> Result<bool, StoreError> {
        let seen = u64::try_from(self.checksums.len()).unwrap_or(u64::MAX);
        let next_sequence = self.first_sequence + seen;
        if frame.sequence < next_sequence {
            let at = usize::try_from(frame.sequence - self.first_sequence).unwrap_or(usize::MAX);
            return if self.checksums.get(at) == Some(&frame.checksum) {
                Ok(false)
            } else {
                Err(StoreError::FrameChanged {
                    sequence: frame.sequence,
                })
            };
        }
        if frame.sequence != next_sequence || frame.offset != self.offset {
            return Err(out_of_order(next_sequence, self.offset, frame.sequence));
        }
        if frame.byte_count == 0 || frame.byte_count > self.declared - self.offset {
            return Err(StoreError::FramesBeyondDeclared {
                declared: self.declared,
            });
        }
        if frame.sequence >= MAX_FRAMES {
            return Err(StoreError::TooManyFrames { limit: MAX_FRAMES });
        }
        self.checksums.push(frame.checksum);
        self.offset += frame.byte_count;
        Ok(true)
    }
}
