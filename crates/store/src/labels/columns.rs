//! Short names for Arrow columns.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, ListBuilder, PrimitiveBuilder, StringBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ommatidia_geometry::Timestamp;

/// The name that Parquet gives to what a list holds.
const ELEMENT: &str = "element";

/// A column without nulls.
pub(super) fn required(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

/// A column with nulls.
pub(super) fn optional(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

/// Lists without nulls in them.
pub(super) fn list_of(kind: DataType) -> DataType {
    DataType::List(Arc::new(required(ELEMENT, kind)))
}

/// Lists with nulls in them.
pub(super) fn list_of_optional(kind: DataType) -> DataType {
    DataType::List(Arc::new(optional(ELEMENT, kind)))
}

pub(super) fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// Columns in the order of a schema.
pub(super) struct Columns {
    arrays: Vec<ArrayRef>,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self { arrays: Vec::new() }
    }

    pub(super) fn values<T: ArrowPrimitiveType>(
        &mut self,
        values: impl IntoIterator<Item = T::Native>,
    ) {
        let mut builder = PrimitiveBuilder::<T>::new();
        values.into_iter().for_each(|value| builder.append_value(value));
        self.push(builder.finish());
    }

    pub(super) fn options<T: ArrowPrimitiveType>(
        &mut self,
        values: impl IntoIterator<Item = Option<T::Native>>,
    ) {
        let mut builder = PrimitiveBuilder::<T>::new();
        values.into_iter().for_each(|value| builder.append_option(value));
        self.push(builder.finish());
    }

    /// Lists without nulls in them; `None` for a null list.
    pub(super) fn lists<'a, T: ArrowPrimitiveType>(
        &mut self,
        lists: impl IntoIterator<Item = Option<&'a [T::Native]>>,
    ) where
        T::Native: 'a,
    {
        let field = required(ELEMENT, T::DATA_TYPE);
        let mut builder = ListBuilder::new(PrimitiveBuilder::<T>::new()).with_field(field);
        for list in lists {
            builder.values().append_slice(list.unwrap_or_default());
            builder.append(list.is_some());
        }
        self.push(builder.finish());
    }

    /// A list with nulls in it.
    pub(super) fn list_with_nulls<T: ArrowPrimitiveType>(
        &mut self,
        list: impl IntoIterator<Item = Option<T::Native>>,
    ) {
        let field = optional(ELEMENT, T::DATA_TYPE);
        let mut builder = ListBuilder::new(PrimitiveBuilder::<T>::new()).with_field(field);
        list.into_iter().for_each(|value| builder.values().append_option(value));
        builder.append(true);
        self.push(builder.finish());
    }

    pub(super) fn texts<'a>(&mut self, texts: impl IntoIterator<Item = Option<&'a str>>) {
        let mut builder = StringBuilder::new();
        texts.into_iter().for_each(|text| builder.append_option(text));
        self.push(builder.finish());
    }

    pub(super) fn booleans(&mut self, values: impl IntoIterator<Item = Option<bool>>) {
        let mut builder = BooleanBuilder::new();
        values.into_iter().for_each(|value| builder.append_option(value));
        self.push(builder.finish());
    }

    pub(super) fn binary<'a>(&mut self, values: impl IntoIterator<Item = Option<&'a [u8]>>) {
        let mut builder = BinaryBuilder::new();
        values.into_iter().for_each(|value| builder.append_option(value));
        self.push(builder.finish());
    }

    pub(super) fn push(&mut self, array: impl Array + 'static) {
        self.arrays.push(Arc::new(array));
    }

    pub(super) fn batch(self, schema: SchemaRef) -> Result<RecordBatch, String> {
        RecordBatch::try_new(schema, self.arrays).map_err(|cause| cause.to_string())
    }
}

/// Columns of a batch by name.
pub(super) struct Reading<'a>(pub(super) &'a RecordBatch);

impl<'a> Reading<'a> {
    fn column(&self, name: &str) -> Result<&'a ArrayRef, String> {
        self.0.column_by_name(name).ok_or_else(|| format!("column {name} is missing"))
    }

    /// One value per row; an error if a value is null.
    pub(super) fn values<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Result<&'a [T::Native], String> {
        let column = self.column(name)?.as_primitive_opt::<T>();
        let column = column.filter(|column| column.null_count() == 0);
        Ok(column
            .ok_or_else(|| format!("column {name} is not {} without nulls", T::DATA_TYPE))?
            .values())
    }

    pub(super) fn options<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Result<Vec<Option<T::Native>>, String> {
        let column = self.column(name)?.as_primitive_opt::<T>();
        Ok(column.ok_or_else(|| format!("column {name} is not {}", T::DATA_TYPE))?.iter().collect())
    }

    /// The list of a row, `None` where it is null; an error if a value in it is null.
    pub(super) fn list<T: ArrowPrimitiveType>(
        &self,
        name: &str,
        row: usize,
    ) -> Result<Option<Vec<T::Native>>, String> {
        let Some(list) = self.list_at(name, row)? else { return Ok(None) };
        let values = list.as_primitive_opt::<T>().filter(|values| values.null_count() == 0);
        let values =
            values.ok_or_else(|| format!("column {name} holds no {} lists", T::DATA_TYPE))?;
        Ok(Some(values.values().to_vec()))
    }

    /// The list of a row with nulls in it.
    pub(super) fn list_with_nulls<T: ArrowPrimitiveType>(
        &self,
        name: &str,
        row: usize,
    ) -> Result<Vec<Option<T::Native>>, String> {
        let list = self.list_at(name, row)?.ok_or_else(|| format!("column {name} is null"))?;
        let values = list.as_primitive_opt::<T>();
        let values =
            values.ok_or_else(|| format!("column {name} holds no {} lists", T::DATA_TYPE))?;
        Ok(values.iter().collect())
    }

    /// What the list of a row holds, `None` where it is null.
    pub(super) fn list_at(&self, name: &str, row: usize) -> Result<Option<ArrayRef>, String> {
        let column = self.column(name)?.as_list_opt::<i32>();
        let column = column.ok_or_else(|| format!("column {name} holds no lists"))?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    pub(super) fn text(&self, name: &str, row: usize) -> Result<Option<&'a str>, String> {
        let column = self.column(name)?.as_string_opt::<i32>();
        let column = column.ok_or_else(|| format!("column {name} holds no text"))?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    pub(super) fn boolean(&self, name: &str, row: usize) -> Result<Option<bool>, String> {
        let column = self.column(name)?.as_any().downcast_ref::<BooleanArray>();
        let column = column.ok_or_else(|| format!("column {name} holds no booleans"))?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    pub(super) fn binary(&self, name: &str, row: usize) -> Result<Option<&'a [u8]>, String> {
        let column = self.column(name)?.as_binary_opt::<i32>();
        let column = column.ok_or_else(|| format!("column {name} holds no bytes"))?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }
}

/// An error about a null where there must be a value.
pub(super) fn present<T>(value: Option<T>, name: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("column {name} is null"))
}

/// Columns of a table with a row per time and camera, which `rest` follow.
pub(super) fn camera_schema(rest: impl IntoIterator<Item = Field>) -> SchemaRef {
    let own = [required("timestamp_ns", DataType::Int64), required("camera", DataType::Utf8)];
    schema(own.into_iter().chain(rest).collect())
}

/// The first columns of a row of such a table.
pub(super) fn camera_columns(timestamp: Timestamp, camera: &str) -> Columns {
    let mut columns = Columns::new();
    columns.values::<Int64Type>([timestamp.0]);
    columns.texts([Some(camera)]);
    columns
}

/// The rows of such a table; `rest` reads what follows time and camera.
pub(super) fn camera_rows<R>(
    batch: &RecordBatch,
    rest: impl Fn(&Reading<'_>, usize, (Timestamp, String)) -> Result<R, String>,
) -> Result<Vec<R>, String> {
    let rows = Reading(batch);
    let times = rows.values::<Int64Type>("timestamp_ns")?;
    let one = |row: usize| {
        let camera = present(rows.text("camera", row)?, "camera")?.to_owned();
        rest(&rows, row, (Timestamp(times[row]), camera))
    };
    (0..times.len()).map(one).collect()
}

/// Rows that follow each other and have the same time.
pub(super) fn same_times(times: &[i64]) -> Vec<std::ops::Range<usize>> {
    let mut end = 0;
    let chunk = |chunk: &[i64]| {
        let start = end;
        end += chunk.len();
        start..end
    };
    times.chunk_by(|a, b| a == b).map(chunk).collect()
}
