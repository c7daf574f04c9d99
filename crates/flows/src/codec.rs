//! Published tables as Parquet bytes, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use corridor_core::{Corridor, Destination, Origin, Sex};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;

use crate::published::{FlowRow, PublishedTable, YearRow};

/// Bytes that are no published table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a published table: {0}")]
pub struct CodecError(String);

/// Writes both parts of a table in one list: `part` says whether a line is a row (`rows`) or a year (`years`).
const TEXTS: [&str; 6] = ["part", "origin", "destination", "year", "sex", "age_band"];

impl PublishedTable {
    /// The table as a Parquet file. The same table gives the same bytes; a suppressed value is null.
    pub fn to_parquet(&self) -> Vec<u8> {
        let counts = count_columns();
        let mut texts: BTreeMap<&str, StringBuilder> =
            TEXTS.iter().map(|&name| (name, StringBuilder::new())).collect();
        let mut numbers: BTreeMap<&str, UInt64Builder> =
            counts.iter().map(|&name| (name, UInt64Builder::new())).collect();
        let mut figures: Vec<Float64Builder> =
            FlowRow::FIGURES.iter().map(|_| Float64Builder::new()).collect();
        let mut line = |corridor: &Corridor, values: [Option<String>; 4], known: Vec<(&str, Option<u64>)>| {
            let [part, year, sex, age_band] = values;
            let row = [
                ("part", part),
                ("origin", Some(corridor.origin().0.to_string())),
                ("destination", Some(corridor.destination().0.to_string())),
                ("year", year),
                ("sex", sex),
                ("age_band", age_band),
            ];
            for (name, value) in row {
                texts.get_mut(name).expect("a column").append_option(value);
            }
            for (name, builder) in &mut numbers {
                let value = known
                    .iter()
                    .find(|(known, _)| known == name)
                    .and_then(|(_, v)| *v);
                builder.append_option(value);
            }
        };
        for row in &self.rows {
            let values = [
                Some("rows".to_owned()),
                row.year.map(|year| year.to_string()),
                row.sex.map(|sex| sex.as_str().to_owned()),
                row.age_band.clone(),
            ];
            let known = FlowRow::COUNTS.into_iter().zip(row.count_values()).collect();
            line(&row.corridor, values, known);
        }
        for row in &self.years {
            let values = [Some("years".to_owned()), Some(row.year.to_string()), None, None];
            let known = YearRow::COLUMNS.into_iter().zip(row.counts()).collect();
            line(&row.corridor, values, known);
        }
        for row in &self.rows {
            for (builder, value) in figures.iter_mut().zip(row.figure_values()) {
                builder.append_option(value);
            }
        }
        for builder in &mut figures {
            builder.append_nulls(self.years.len());
        }
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for name in TEXTS {
            fields.push(Field::new(name, DataType::Utf8, true));
            columns.push(Arc::new(texts.get_mut(name).expect("a column").finish()));
        }
        for name in counts {
            fields.push(Field::new(name, DataType::UInt64, true));
            columns.push(Arc::new(numbers.get_mut(name).expect("a column").finish()));
        }
        for (name, mut builder) in FlowRow::FIGURES.into_iter().zip(figures) {
            fields.push(Field::new(name, DataType::Float64, true));
            columns.push(Arc::new(builder.finish()));
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns).expect("columns of one length");
        let properties = WriterProperties::builder()
            .set_created_by("corridor".to_owned())
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

    /// Reads what [`PublishedTable::to_parquet`] wrote.
    ///
    /// # Errors
    /// When the bytes are no such file.
    pub fn from_parquet(bytes: Vec<u8>) -> Result<Self, CodecError> {
        let fail = |error: parquet::errors::ParquetError| CodecError(error.to_string());
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(fail)?;
        let mut table = Self::default();
        for batch in reader {
            let batch = batch.map_err(|error| CodecError(error.to_string()))?;
            for line in 0..batch.num_rows() {
                read_line(&batch, line, &mut table)?;
            }
        }
        Ok(table)
    }
}

/// Every count of either part, once.
fn count_columns() -> Vec<&'static str> {
    let mut columns = FlowRow::COUNTS.to_vec();
    columns.extend(
        YearRow::COLUMNS
            .into_iter()
            .filter(|name| !FlowRow::COUNTS.contains(name)),
    );
    columns
}

fn read_line(batch: &RecordBatch, line: usize, table: &mut PublishedTable) -> Result<(), CodecError> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| CodecError(format!("no column {name}")))
    };
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
    let country = |name: &str| {
        text(name)?
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| CodecError(format!("{name} is no country code")))
    };
    let corridor = Corridor::try_new(Origin(country("origin")?), Destination(country("destination")?))
        .map_err(|error| CodecError(error.to_string()))?;
    let year = text("year")?
        .map(|year| year.parse::<i16>())
        .transpose()
        .map_err(|_| CodecError("year is no year".to_owned()))?;
    match text("part")?.as_deref() {
        Some("rows") => {
            let mut counts = [None; 5];
            for (value, name) in counts.iter_mut().zip(FlowRow::COUNTS) {
                *value = number(name)?;
            }
            let mut figures = [None; 8];
            for (value, name) in figures.iter_mut().zip(FlowRow::FIGURES) {
                *value = figure(name)?;
            }
            let sex = text("sex")?
                .map(|word| Sex::from_word(&word).ok_or_else(|| CodecError("unknown sex".to_owned())))
                .transpose()?;
            table.rows.push(FlowRow {
                corridor,
                year,
                sex,
                age_band: text("age_band")?,
                counts: FlowRow::counts_from_values(counts),
                estimate: FlowRow::estimate_from_values(figures),
            });
        }
        Some("years") => {
            let mut counts = [None; 9];
            for (value, name) in counts.iter_mut().zip(YearRow::COLUMNS) {
                *value = number(name)?;
            }
            let year = year.ok_or_else(|| CodecError("a year is missing".to_owned()))?;
            table.years.push(YearRow::from_counts(corridor, year, counts));
        }
        _ => return Err(CodecError("unknown part".to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::protect;
    use crate::reconcile::tests::{any_lists, terms};
    use crate::table::{FlowInput, FlowTable};
    use corridor_core::{AgeBands, DisclosureRule};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_table_read_back_is_the_table_written((origin, destination, pairs) in any_lists()) {
            let pairs: Vec<_> = pairs.iter().map(|pair| (pair.emigration, pair.immigration)).collect();
            let input = FlowInput {
                terms: terms(),
                origin: &origin,
                destination: &destination,
                pairs: &pairs,
            };
            let bands = AgeBands::try_from(vec![0, 15, 65]).unwrap();
            let rule = DisclosureRule { minimum_count: 3 };
            let table = protect(FlowTable::reconcile(&input).unwrap(), &rule, &bands).into_published();
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
