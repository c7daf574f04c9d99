//! Candidate pairs and links as Parquet bytes.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, Float64Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use corridor_core::{EncodedDataset, Pseudonym};
use corridor_link::{CandidatePair, Link, LinkSet};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;

use crate::EngineError;

/// A link as it may leave when both offices agreed to link lists.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkedPair {
    /// The origin's record.
    pub origin_record: Pseudonym,
    /// The destination's record.
    pub destination_record: Pseudonym,
    /// Similarity.
    pub similarity: f64,
    /// Probability that the link is true.
    pub probability: Option<f64>,
    /// Bits of evidence of each match field, in the agreement's order; empty where fields did not decide.
    pub evidence: Vec<f64>,
}

pub(crate) fn encode_candidates(pairs: &[CandidatePair]) -> Vec<u8> {
    let indices = |get: fn(&CandidatePair) -> u32| -> ArrayRef {
        Arc::new(pairs.iter().map(get).collect::<UInt32Array>())
    };
    let similarity: Float64Array = pairs.iter().map(|pair| Some(pair.similarity)).collect();
    write(vec![
        ("left", DataType::UInt32, indices(|pair| pair.left)),
        ("right", DataType::UInt32, indices(|pair| pair.right)),
        ("similarity", DataType::Float64, Arc::new(similarity)),
    ])
}

/// Some candidate pairs at a time, in their order.
pub(crate) fn decode_candidates(
    bytes: Bytes,
) -> Result<impl Iterator<Item = Result<Vec<CandidatePair>, EngineError>>, EngineError> {
    let decode = |batch: RecordBatch| {
        let index = |name| primitive::<UInt32Type>(&batch, name);
        let (left, right) = (index("left")?, index("right")?);
        let similarity = primitive::<Float64Type>(&batch, "similarity")?;
        let pairs = (0..batch.num_rows()).map(|row| CandidatePair {
            left: left.value(row),
            right: right.value(row),
            similarity: similarity.value(row),
        });
        Ok(pairs.collect())
    };
    let batches = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(PAIRS_AT_ONCE).build())
        .map_err(|_| EngineError::StoredResult)?;
    Ok(batches.map(move |batch| batch.map_err(|_| EngineError::StoredResult).and_then(decode)))
}

/// Candidate pairs decoded at a time: a megabyte.
const PAIRS_AT_ONCE: usize = 1 << 16;

pub(crate) fn encode_links(set: &LinkSet, origin: &EncodedDataset, destination: &EncodedDataset) -> Vec<u8> {
    let links = &set.links;
    let pseudonyms = |records: &[Pseudonym], get: fn(&Link) -> u32| -> ArrayRef {
        let values = links.iter().map(|link| {
            let row = usize::try_from(get(link)).expect("an index of a dataset");
            Some(*records[row].as_bytes())
        });
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 16).expect("all of 16 bytes"))
    };
    let similarity: Float64Array = links.iter().map(|link| Some(link.similarity)).collect();
    let probability: Float64Array = links.iter().map(|link| link.probability).collect();
    let evidence = set.fields.as_ref().map_or(&[][..], |fields| &fields.evidence);
    let mut lists = ListBuilder::new(Float64Builder::new()).with_field(evidence_item());
    for position in 0..links.len() {
        let bits = evidence.get(position).map_or(&[][..], Vec::as_slice);
        lists.append_value(bits.iter().map(|bits| Some(*bits)));
    }
    write(vec![
        (
            "origin_record",
            DataType::FixedSizeBinary(16),
            pseudonyms(&origin.records, |link| link.left),
        ),
        (
            "destination_record",
            DataType::FixedSizeBinary(16),
            pseudonyms(&destination.records, |link| link.right),
        ),
        ("similarity", DataType::Float64, Arc::new(similarity)),
        ("probability", DataType::Float64, Arc::new(probability)),
        (
            "evidence",
            DataType::List(evidence_item()),
            Arc::new(lists.finish()),
        ),
    ])
}

/// Links of one message.
const LINKS_AT_ONCE: usize = 4096;

/// The links of a file, so many at a time, read as they are asked for.
pub(crate) fn decode_links(bytes: Bytes) -> Result<StoredLinks, EngineError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(LINKS_AT_ONCE).build())
        .map_err(|_| EngineError::StoredResult)?;
    Ok(StoredLinks(reader))
}

/// The linked pairs of a run, by similarity descending, 4,096 at a time.
pub struct StoredLinks(ParquetRecordBatchReader);

impl std::fmt::Debug for StoredLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredLinks(..)")
    }
}

impl Iterator for StoredLinks {
    type Item = Result<Vec<LinkedPair>, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.0.next()?;
        Some(
            batch
                .map_err(|_| EngineError::StoredResult)
                .and_then(|batch| to_links(&batch)),
        )
    }
}

fn to_links(batch: &RecordBatch) -> Result<Vec<LinkedPair>, EngineError> {
    let mut links = Vec::with_capacity(batch.num_rows());
    let records = |name: &'static str| {
        batch
            .column_by_name(name)
            .and_then(|values| values.as_fixed_size_binary_opt())
            .ok_or(EngineError::StoredResult)
    };
    let pseudonym = |bytes: &[u8]| -> Result<Pseudonym, EngineError> {
        bytes
            .try_into()
            .map(Pseudonym::from_bytes)
            .map_err(|_| EngineError::StoredResult)
    };
    let (origin, destination) = (records("origin_record")?, records("destination_record")?);
    let similarity = primitive::<Float64Type>(batch, "similarity")?;
    let probability = primitive::<Float64Type>(batch, "probability")?;
    let evidence = batch
        .column_by_name("evidence")
        .and_then(|values| values.as_list_opt::<i32>())
        .filter(|lists| lists.values().data_type() == &DataType::Float64)
        .ok_or(EngineError::StoredResult)?;
    for row in 0..batch.num_rows() {
        links.push(LinkedPair {
            origin_record: pseudonym(origin.value(row))?,
            destination_record: pseudonym(destination.value(row))?,
            similarity: similarity.value(row),
            probability: probability.is_valid(row).then(|| probability.value(row)),
            evidence: evidence
                .value(row)
                .as_primitive::<Float64Type>()
                .values()
                .to_vec(),
        });
    }
    Ok(links)
}

/// An element of the lists of evidence.
fn evidence_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float64, false))
}

fn primitive<'a, T: arrow_array::ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a arrow_array::PrimitiveArray<T>, EngineError> {
    batch
        .column_by_name(name)
        .and_then(|values| values.as_primitive_opt::<T>())
        .ok_or(EngineError::StoredResult)
}

fn write(columns: Vec<(&str, DataType, ArrayRef)>) -> Vec<u8> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, data_type, _)| Field::new(*name, data_type.clone(), *name == "probability"))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).expect("columns of one length");
    let properties = WriterProperties::builder()
        .set_created_by("corridor".to_owned())
        .set_dictionary_enabled(false)
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut bytes, schema, options).expect("writing to memory");
    writer.write(&batch).expect("writing to memory");
    writer.close().expect("writing to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_pairs_round_trip() {
        let pairs = vec![
            CandidatePair {
                left: 0,
                right: 7,
                similarity: 0.1 + 0.2,
            },
            CandidatePair {
                left: u32::MAX,
                right: 0,
                similarity: 1.0,
            },
        ];
        let decode = |pairs: &[CandidatePair]| -> Vec<CandidatePair> {
            let decoded = decode_candidates(encode_candidates(pairs).into()).unwrap();
            decoded.flat_map(Result::unwrap).collect()
        };
        assert_eq!(decode(&pairs), pairs);
        assert_eq!(decode(&[]), []);
        let many: Vec<CandidatePair> = pairs
            .iter()
            .copied()
            .cycle()
            .take(2 * PAIRS_AT_ONCE + 1)
            .collect();
        assert_eq!(decode(&many), many);
        assert!(decode_candidates(Bytes::from_static(b"PAR1")).is_err());
    }
}
