//! Published tables as Parquet bytes, in memory.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use corridor_core::{Corridor, Destination, DurationRule, Origin, RuleFlag, Side, Variable};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::carried::{CarriedError, NotCorrected};
use crate::classes::Measure;
use crate::published::{FlowCounts, FlowRow, Group, LagRow, PublishedTable, StayRow};
use crate::terms::FlowTerms;

/// Bytes that are no published table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a published table: {0}")]
pub struct CodecError(String);

/// Key of the file's metadata under which the terms stand, as JSON.
const TERMS: &str = "corridor.flow_terms";

/// Key of the metadata under which the digests of earlier results stand, as JSON; not there when there are none.
const HELD_AGAINST: &str = "corridor.held_against";

/// Key of the metadata under which the lengths of stay stand, as JSON; not there when there are none.
const LENGTHS_OF_STAY: &str = "corridor.lengths_of_stay";

/// Key of the metadata under which the moves in no table stand, as JSON; not there when nothing is told of them.
const LEFT_OUT: &str = "corridor.left_out";

/// Texts of a line; `part` says of which list it is: `rows`, `lags` or `stays`.
const TEXTS: [&str; 9] = [
    "part",
    "origin",
    "destination",
    "days",
    "list",
    "rule",
    "counts",
    "quality_of",
    "not_corrected",
];

/// Columns that came later than others, and are not in files of before.
const ADDED: [&str; 5] = [
    "not_corrected",
    "precision_taken",
    "recall_taken",
    "corrected_odds_ratio_0_67",
    "corrected_odds_ratio_1_5",
];

/// Moves of a line of lags or stays.
const MOVES: &str = "moves";

/// A line of the file; what it has no value for is null.
#[derive(Default)]
struct Line {
    texts: [Option<String>; TEXTS.len()],
    group: Group,
    counts: [Option<u64>; Measure::ALL.len()],
    moves: Option<u64>,
    estimate: [Option<f64>; FlowRow::FIGURES.len()],
    corrected: [Option<f64>; CarriedError::FIGURES.len()],
}

impl PublishedTable {
    /// The table as a Parquet file, with its terms as JSON in the metadata `corridor.flow_terms`. The same table gives the same
    /// bytes; a suppressed value is null.
    pub fn to_parquet(&self) -> Vec<u8> {
        self.to_parquet_with(&[])
    }

    /// The same with further metadata.
    pub fn to_parquet_with(&self, metadata: &[(&str, String)]) -> Vec<u8> {
        let lines = self.to_lines();
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut add = |name: &str, kind: DataType, column: ArrayRef| {
            fields.push(Field::new(name, kind, true));
            columns.push(column);
        };
        let text = |value: &dyn Fn(&Line) -> Option<String>| -> ArrayRef {
            let mut builder = StringBuilder::new();
            lines.iter().for_each(|line| builder.append_option(value(line)));
            Arc::new(builder.finish())
        };
        let number = |value: &dyn Fn(&Line) -> Option<u64>| -> ArrayRef {
            let mut builder = UInt64Builder::new();
            lines.iter().for_each(|line| builder.append_option(value(line)));
            Arc::new(builder.finish())
        };
        let figure = |value: &dyn Fn(&Line) -> Option<f64>| -> ArrayRef {
            let mut builder = Float64Builder::new();
            lines.iter().for_each(|line| builder.append_option(value(line)));
            Arc::new(builder.finish())
        };
        for (position, name) in TEXTS.into_iter().enumerate() {
            add(name, DataType::Utf8, text(&|line| line.texts[position].clone()));
        }
        for variable in Variable::ALL {
            let label = text(&|line| line.group.get(variable).map(str::to_owned));
            add(variable.as_str(), DataType::Utf8, label);
        }
        for (position, measure) in Measure::ALL.into_iter().enumerate() {
            let counts = number(&|line| line.counts[position]);
            add(measure.as_str(), DataType::UInt64, counts);
        }
        add(MOVES, DataType::UInt64, number(&|line| line.moves));
        for (position, name) in FlowRow::FIGURES.into_iter().enumerate() {
            add(name, DataType::Float64, figure(&|line| line.estimate[position]));
        }
        for (position, name) in CarriedError::FIGURES.into_iter().enumerate() {
            add(name, DataType::Float64, figure(&|line| line.corrected[position]));
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns).expect("columns of one length");
        let terms = serde_json::to_string(&self.terms).expect("terms have a JSON form");
        let mut entries = vec![KeyValue::new(TERMS.to_owned(), terms)];
        if !self.lengths_of_stay.is_empty() {
            let lengths = serde_json::to_string(&self.lengths_of_stay).expect("they have a JSON form");
            entries.push(KeyValue::new(LENGTHS_OF_STAY.to_owned(), lengths));
        }
        if !self.left_out.is_empty() {
            let rows = serde_json::to_string(&self.left_out).expect("they have a JSON form");
            entries.push(KeyValue::new(LEFT_OUT.to_owned(), rows));
        }
        if !self.held_against.is_empty() {
            let digests = serde_json::to_string(&self.held_against).expect("digests have a JSON form");
            entries.push(KeyValue::new(HELD_AGAINST.to_owned(), digests));
        }
        entries.extend(
            metadata
                .iter()
                .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())),
        );
        let properties = WriterProperties::builder()
            .set_created_by("corridor".to_owned())
            .set_key_value_metadata(Some(entries))
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

    fn to_lines(&self) -> Vec<Line> {
        let place = |part: &str, corridor: &Corridor| {
            [
                Some(part.to_owned()),
                Some(corridor.origin().0.to_string()),
                Some(corridor.destination().0.to_string()),
                None,
                None,
                None,
                None,
                None,
                None,
            ]
        };
        let rows = self.rows.iter().map(|row| {
            let mut texts = place("rows", &row.corridor);
            let corrected = row.corrected.as_ref();
            texts[7] = corrected.map(|corrected| corrected.quality_of.clone());
            texts[8] = row.not_corrected.map(|reason| reason.as_str().to_owned());
            Line {
                texts,
                group: row.group.clone(),
                counts: *row.counts.as_array(),
                moves: None,
                estimate: row.figure_values(),
                corrected: corrected.map(CarriedError::figure_values).unwrap_or_default(),
            }
        });
        let lags = self.lags.iter().map(|row| {
            let mut texts = place("lags", &row.corridor);
            texts[3] = Some(row.days.clone());
            Line {
                texts,
                moves: row.moves,
                ..Line::default()
            }
        });
        let stays = self.stays.iter().map(|row| {
            let mut texts = place("stays", &row.corridor);
            texts[4] = Some(row.side.as_str().to_owned());
            texts[5] = Some(row.rule.as_str().to_owned());
            texts[6] = Some(row.counts.as_str().to_owned());
            let mut group = Group::default();
            group.0.insert(Variable::Period, row.period.clone());
            Line {
                texts,
                group,
                moves: row.moves,
                ..Line::default()
            }
        });
        rows.chain(lags).chain(stays).collect()
    }

    /// Reads what [`PublishedTable::to_parquet`] wrote.
    ///
    /// # Errors
    /// When the bytes are no such file.
    pub fn from_parquet(bytes: Vec<u8>) -> Result<Self, CodecError> {
        let fail = |error: parquet::errors::ParquetError| CodecError(error.to_string());
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).map_err(fail)?;
        let metadata = builder.metadata().file_metadata().key_value_metadata();
        let entry = |key: &str| {
            metadata
                .and_then(|entries| entries.iter().find(|entry| entry.key == key))
                .and_then(|entry| entry.value.as_deref())
        };
        let terms = entry(TERMS).ok_or_else(|| CodecError("no terms".to_owned()))?;
        let terms: FlowTerms =
            serde_json::from_str(terms).map_err(|error| CodecError(format!("its terms: {error}")))?;
        let lengths_of_stay = match entry(LENGTHS_OF_STAY) {
            None => Vec::new(),
            Some(lengths) => serde_json::from_str(lengths)
                .map_err(|error| CodecError(format!("its lengths of stay: {error}")))?,
        };
        let left_out = match entry(LEFT_OUT) {
            None => Vec::new(),
            Some(rows) => serde_json::from_str(rows)
                .map_err(|error| CodecError(format!("its moves in no table: {error}")))?,
        };
        let held_against = match entry(HELD_AGAINST) {
            None => Vec::new(),
            Some(digests) => serde_json::from_str(digests)
                .map_err(|error| CodecError(format!("its earlier results: {error}")))?,
        };
        let mut table = Self {
            terms,
            rows: Vec::new(),
            lags: Vec::new(),
            stays: Vec::new(),
            lengths_of_stay,
            left_out,
            held_against,
        };
        for batch in builder.build().map_err(fail)? {
            let batch = batch.map_err(|error| CodecError(error.to_string()))?;
            for line in 0..batch.num_rows() {
                table.add(read_line(&batch, line)?)?;
            }
        }
        Ok(table)
    }

    fn add(&mut self, line: Line) -> Result<(), CodecError> {
        let [
            part,
            origin,
            destination,
            days,
            list,
            rule,
            counts,
            quality_of,
            not_corrected,
        ] = line.texts;
        let fail = |what: &str| CodecError(what.to_owned());
        let country = |code: Option<String>| code.and_then(|code| code.parse().ok());
        let corridor = match (country(origin), country(destination)) {
            (Some(origin), Some(destination)) => {
                Corridor::try_new(Origin(origin), Destination(destination)).ok()
            }
            _ => None,
        }
        .ok_or_else(|| fail("a corridor is none"))?;
        match part.as_deref() {
            Some("rows") => self.rows.push(FlowRow {
                corridor,
                group: line.group,
                counts: FlowCounts::from_array(line.counts),
                estimate: FlowRow::estimate_from_values(line.estimate),
                corrected: quality_of.and_then(|name| CarriedError::from_values(name, line.corrected)),
                not_corrected: not_corrected
                    .map(|word| NotCorrected::from_word(&word).ok_or_else(|| fail("a reason is none")))
                    .transpose()?,
            }),
            Some("lags") => self.lags.push(LagRow {
                corridor,
                days: days.ok_or_else(|| fail("days are missing"))?,
                moves: line.moves,
            }),
            Some("stays") => {
                let word = |text: Option<String>| text.ok_or_else(|| fail("a word is missing"));
                let side = match word(list)?.as_str() {
                    "origin" => Side::Origin,
                    "destination" => Side::Destination,
                    _ => return Err(fail("a list is none")),
                };
                self.stays.push(StayRow {
                    corridor,
                    period: line
                        .group
                        .get(Variable::Period)
                        .map(str::to_owned)
                        .ok_or_else(|| fail("a period is missing"))?,
                    side,
                    rule: DurationRule::from_word(&word(rule)?).ok_or_else(|| fail("a rule is none"))?,
                    counts: RuleFlag::from_word(&word(counts)?).ok_or_else(|| fail("a flag is none"))?,
                    moves: line.moves,
                });
            }
            _ => return Err(fail("unknown part")),
        }
        Ok(())
    }
}

fn read_line(batch: &RecordBatch, line: usize) -> Result<Line, CodecError> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| CodecError(format!("no column {name}")))
    };
    // Results of before these were told have no such column.
    let has = |name: &str| !ADDED.contains(&name) || batch.column_by_name(name).is_some();
    let text = |name: &str| -> Result<Option<String>, CodecError> {
        let values = column(name)?
            .as_string_opt::<i32>()
            .ok_or_else(|| CodecError(format!("{name} is no text")))?;
        Ok(values.is_valid(line).then(|| values.value(line).to_owned()))
    };
    let number = |name: &str| -> Result<Option<u64>, CodecError> {
        let values = column(name)?
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| CodecError(format!("{name} is no count")))?;
        Ok(values.is_valid(line).then(|| values.value(line)))
    };
    let figure = |name: &str| -> Result<Option<f64>, CodecError> {
        let values = column(name)?
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| CodecError(format!("{name} is no number")))?;
        Ok(values.is_valid(line).then(|| values.value(line)))
    };
    let mut read = Line {
        moves: number(MOVES)?,
        ..Line::default()
    };
    for (value, name) in read.texts.iter_mut().zip(TEXTS).filter(|(_, name)| has(name)) {
        *value = text(name)?;
    }
    for variable in Variable::ALL {
        if let Some(label) = text(variable.as_str())? {
            read.group.0.insert(variable, label);
        }
    }
    for (value, measure) in read.counts.iter_mut().zip(Measure::ALL) {
        *value = number(measure.as_str())?;
    }
    for (value, name) in read.estimate.iter_mut().zip(FlowRow::FIGURES) {
        *value = figure(name)?;
    }
    let corrected = read.corrected.iter_mut().zip(CarriedError::FIGURES);
    for (value, name) in corrected.filter(|(_, name)| has(name)) {
        *value = figure(name)?;
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carried::{KnownQuality, LinkQuality};
    use crate::disclosure::protect;
    use crate::interval::Interval;
    use crate::perturb::PerturbationSecret;
    use crate::reconcile::tests::{any_lists, terms};
    use crate::table::{FlowInput, FlowTable};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn a_table_read_back_is_the_table_written((origin, destination, pairs) in any_lists()) {
            let pairs: Vec<_> = pairs.iter().map(|pair| (pair.emigration, pair.immigration)).collect();
            let terms = terms();
            let input = FlowInput {
                terms: &terms,
                origin: &origin,
                destination: &destination,
                pairs: &pairs,
                origin_record_keys: &[],
                destination_record_keys: &[],
            };
            let noise = PerturbationSecret::new([7; 32]);
            let mut table = protect(FlowTable::reconcile(&input).unwrap(), &noise, &[]).unwrap().into_published();
            table.lengths_of_stay.push(crate::length_of_stay::LengthOfStay {
                corridor: terms.corridor,
                stays: 120,
                ended: 40,
                per_year: 0.24,
                low: 0.177,
                high: 0.326,
                from_3_to_12_months: Some(0.84),
                from_6_to_12_months: None,
            });
            table.held_against.push(corridor_core::Digest::of(b"earlier"));
            table.carry_linkage_error(&|_| {
                let interval = Interval { low: 0.9, high: 0.95 };
                Some(KnownQuality {
                    quality_of: "all".to_owned(),
                    precision: 0.94,
                    recall: 0.93,
                    quality: LinkQuality { precision: interval, recall: interval },
                })
            });
            prop_assert_eq!(&PublishedTable::from_parquet(table.to_parquet()).unwrap(), &table);
            let json = serde_json::to_string(&table).unwrap();
            prop_assert_eq!(&serde_json::from_str::<PublishedTable>(&json).unwrap(), &table);
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(PublishedTable::from_parquet(b"PAR1".to_vec()).is_err());
    }
}
