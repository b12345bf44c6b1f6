//! Numbers of a run over its steps, as a Parquet table.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use ommatidia_store::{Error as StoreError, atomic};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::Error;

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// Steps that were done.
    pub step: u64,
    /// `train`, `val` or `baseline`.
    pub split: String,
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
}

fn schema() -> Arc<Schema> {
    let field = |name: &str, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        field("step", DataType::UInt64),
        field("split", DataType::Utf8),
        field("name", DataType::Utf8),
        field("value", DataType::Float64),
    ]))
}

/// Writes all rows in place of the file's.
///
/// # Errors
/// [`Error::Store`].
pub fn write(path: &Path, rows: &[MetricRow]) -> Result<(), Error> {
    let text = |of: fn(&MetricRow) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.step))),
        text(|row| &row.split),
        text(|row| &row.name),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value))),
    ];
    let level = ZstdLevel::try_new(3).expect("3 is a level");
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let batch = RecordBatch::try_new(schema(), columns).expect("columns of one length");
    // Into memory, where nothing but a bug can fail.
    let mut writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties))
        .expect("the schema can be written");
    writer.write(&batch).expect("the batch is of the schema");
    let bytes = writer.into_inner().expect("memory takes what is written");
    Ok(atomic::write_bytes(path, &bytes)?)
}

/// Reads all rows; none where there is no file.
///
/// # Errors
/// [`Error::Store`]; [`Error::Data`] if it is no such table.
pub fn read(path: &Path) -> Result<Vec<MetricRow>, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.map_err(|cause| StoreError::read(path, cause))?,
    };
    let fail = |what: String| Error::Data {
        path: path.to_owned(),
        what: format!("is no table of metrics ({what}); remove it"),
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.build())
        .map_err(|cause| fail(cause.to_string()))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|cause| fail(cause.to_string()))?;
        if batch.schema().fields() != schema().fields() {
            return Err(fail("other columns".to_owned()));
        }
        let (steps, values) = (
            batch.column(0).as_primitive::<UInt64Type>(),
            batch.column(3).as_primitive::<Float64Type>(),
        );
        let (splits, names) =
            (batch.column(1).as_string::<i32>(), batch.column(2).as_string::<i32>());
        rows.extend((0..batch.num_rows()).map(|i| MetricRow {
            step: steps.value(i),
            split: splits.value(i).to_owned(),
            name: names.value(i).to_owned(),
            value: values.value(i),
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_the_file_and_foreign_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.parquet");
        assert_eq!(read(&path).unwrap(), []);
        let row = |step, name: &str, value| MetricRow {
            step,
            split: "train".to_owned(),
            name: name.to_owned(),
            value,
        };
        let rows = [row(1, "loss", 0.5), row(2, "loss", f64::NAN), row(2, "rate", 1e-3)];
        write(&path, &rows).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(format!("{back:?}"), format!("{rows:?}"));
        std::fs::write(&path, b"PAR1 nothing PAR1").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("metrics.parquet"));
    }
}
