//! `normals.parquet`.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;

use super::columns::{camera_columns, camera_rows, camera_schema, present, required};
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
        camera_schema([required("normal", DataType::Binary)])
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        // Component by component, which compresses better.
        let plane = |axis: usize| self.normals.iter().map(move |normal| normal[axis] as u8);
        let bytes: Vec<u8> = (0..3).flat_map(plane).collect();
        let mut columns = camera_columns(self.timestamp, &self.camera);
        columns.binary([Some(&bytes[..])]);
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        camera_rows(batch, |rows, row, (timestamp, camera)| {
            let bytes = present(rows.binary("normal", row)?, "normal")?;
            if bytes.len() % 3 != 0 {
                return Err(format!("{} bytes of normals; three per pixel", bytes.len()));
            }
            let pixels = bytes.len() / 3;
            let at = |i: usize| [0, 1, 2].map(|axis| bytes[axis * pixels + i] as i8);
            Ok(Self { timestamp, camera, normals: (0..pixels).map(at).collect() })
        })
    }
}
