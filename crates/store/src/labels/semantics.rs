//! `semantics.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::{UInt8Type, UInt32Type};
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::ClassId;

use super::columns::{camera_columns, camera_rows, camera_schema, list_of, optional};
use super::{Row, Table};

/// Classes and instances of one frame in one camera, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SemanticsRow {
    /// When: the frame's time.
    pub timestamp: Timestamp,
    /// The camera's name.
    pub camera: String,
    /// Class per pixel; `None` where not estimated.
    pub semantics: Option<Vec<ClassId>>,
    /// Instance per pixel, 0 is none; `None` where not estimated.
    pub instances: Option<Vec<u32>>,
}

impl Row for SemanticsRow {
    const TABLE: Table = Table::Semantics;
    const LARGE: bool = true;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        camera_schema([
            optional("class", list_of(DataType::UInt8)),
            optional("instance", list_of(DataType::UInt32)),
        ])
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let bytes = |classes: &Vec<ClassId>| classes.iter().map(|class| class.0).collect();
        let classes: Option<Vec<u8>> = self.semantics.as_ref().map(bytes);
        let mut columns = camera_columns(self.timestamp, &self.camera);
        columns.lists::<UInt8Type>([classes.as_deref()]);
        columns.lists::<UInt32Type>([self.instances.as_deref()]);
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        camera_rows(batch, |rows, row, (timestamp, camera)| {
            let classes = rows.list::<UInt8Type>("class", row)?;
            Ok(Self {
                timestamp,
                camera,
                semantics: classes.map(|classes| classes.into_iter().map(ClassId).collect()),
                instances: rows.list::<UInt32Type>("instance", row)?,
            })
        })
    }
}
