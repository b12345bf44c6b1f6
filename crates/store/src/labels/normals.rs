//! `normals.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::Int64Type;
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;

use super::columns::{Columns, Reading, present, required, schema};
use super::{Row, Table};

/// Surface normals of one frame in one camera, row-major; see [`ommatidia_scene::CameraView::normals`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalsRow {
    /// When: the frame's time.
    pub timestamp: Timestamp,
    /// The camera's name.
    pub camera: String,
    /// Unit normals times 127; zeros where there is none.
    pub normals: Vec<[i8; 3]>,
}

impl Row for NormalsRow {
    const TABLE: Table = Table::Normals;
    const LARGE: bool = true;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        schema(vec![
            required("timestamp_ns", DataType::Int64),
            required("camera", DataType::Utf8),
            required("normal", DataType::Binary),
        ])
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        // Component by component, which compresses better.
        let plane = |axis: usize| self.normals.iter().map(move |normal| normal[axis] as u8);
        let bytes: Vec<u8> = (0..3).flat_map(plane).collect();
        let mut columns = Columns::new();
        columns.values::<Int64Type>([self.timestamp.0]);
        columns.texts([Some(self.camera.as_str())]);
        columns.binary([Some(&bytes[..])]);
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let rows = Reading(batch);
        let times = rows.values::<Int64Type>("timestamp_ns")?;
        let one = |row: usize| {
            let bytes = present(rows.binary("normal", row)?, "normal")?;
            if bytes.len() % 3 != 0 {
                return Err(format!("{} bytes of normals; three per pixel", bytes.len()));
            }
            let pixels = bytes.len() / 3;
            let at = |i: usize| [0, 1, 2].map(|axis| bytes[axis * pixels + i] as i8);
            Ok(Self {
                timestamp: Timestamp(times[row]),
                camera: present(rows.text("camera", row)?, "camera")?.to_owned(),
                normals: (0..pixels).map(at).collect(),
            })
        };
        (0..times.len()).map(one).collect()
    }
}
