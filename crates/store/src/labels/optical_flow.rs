//! `optical_flow.parquet`.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;

use super::columns::{camera_columns, camera_rows, camera_schema, present, required};
use super::{Row, Table};

/// Steps per pixel: KITTI's devkit stores flow so.
const STEPS_PER_PX: f32 = 64.0;
/// Stored where there is no flow.
const NONE: i16 = i16::MIN;

/// Optical flow of one frame in one camera, row-major; see [`ommatidia_scene::CameraView::flow`].
/// Multiples of 1/64 px up to 511 px; longer ones are stored as none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpticalFlowRow {
    /// When: the frame's time.
    pub timestamp: Timestamp,
    /// The camera's name.
    pub camera: String,
    /// Right and down, 1/64 px; [`i16::MIN`] in both where there is none.
    steps: Vec<[i16; 2]>,
}

impl OpticalFlowRow {
    /// Rounds flow in pixels, NaN for none, to steps.
    pub fn new(timestamp: Timestamp, camera: String, flow_px: &[[f32; 2]]) -> Self {
        let steps = |flow: &[f32; 2]| {
            let steps = flow.map(|px| (px * STEPS_PER_PX).round());
            // NaN fails the comparison.
            let fits = steps.iter().all(|step| step.abs() <= f32::from(i16::MAX));
            if fits { steps.map(|step| step as i16) } else { [NONE; 2] }
        };
        Self { timestamp, camera, steps: flow_px.iter().map(steps).collect() }
    }

    /// Flow in pixels, NaN for none.
    pub fn flow_px(&self) -> Vec<[f32; 2]> {
        let px = |step: i16| if step == NONE { f32::NAN } else { f32::from(step) / STEPS_PER_PX };
        self.steps.iter().map(|step| step.map(px)).collect()
    }
}

impl Row for OpticalFlowRow {
    const TABLE: Table = Table::OpticalFlow;
    const LARGE: bool = true;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        camera_schema([required("flow_64th_px", DataType::Binary)])
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let plane = |axis: usize| self.steps.iter().flat_map(move |step| step[axis].to_le_bytes());
        let bytes: Vec<u8> = (0..2).flat_map(plane).collect();
        let mut columns = camera_columns(self.timestamp, &self.camera);
        columns.binary([Some(&bytes[..])]);
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        camera_rows(batch, |rows, row, (timestamp, camera)| {
            let bytes = present(rows.binary("flow_64th_px", row)?, "flow_64th_px")?;
            if bytes.len() % 4 != 0 {
                return Err(format!("{} bytes of flow; four per pixel", bytes.len()));
            }
            let pixels = bytes.len() / 4;
            let step = |i: usize| i16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]);
            let steps = (0..pixels).map(|i| [step(i), step(pixels + i)]).collect();
            Ok(Self { timestamp, camera, steps })
        })
    }
}
