//! `depth.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::UInt32Type;
use arrow_schema::{DataType, SchemaRef};
use bytes::Bytes;
use ommatidia_geometry::Timestamp;
use ommatidia_scene::DepthMap;

use super::columns::{
    Reading, camera_columns, camera_rows, camera_schema, optional, present, required,
};
use super::{Row, Table};
use crate::depth_png;

/// Largest image side that is read, pixels.
const MAX_SIDE_PX: usize = 32_768;

/// The depth of one frame in one camera, compressed. Multiples of 1/256 m, of exact depth 1/4096 m, up
/// to 255.99 m.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthRow {
    /// When: the frame's time.
    pub timestamp: Timestamp,
    /// The camera's name.
    pub camera: String,
    width: usize,
    height: usize,
    depth_png: Bytes,
    confidence_png: Bytes,
    remainder_png: Option<Bytes>,
}

impl DepthRow {
    /// Compresses a map.
    ///
    /// # Errors
    /// What cannot be stored, in words.
    pub fn new(timestamp: Timestamp, camera: String, map: &DepthMap) -> Result<Self, String> {
        let (width, height) = (map.width, map.height);
        let sides = 1..=MAX_SIDE_PX;
        let pixels = width.saturating_mul(height);
        let fits = sides.contains(&width) && sides.contains(&height);
        if !fits || map.depth_m.len() != pixels || map.confidence.len() != pixels {
            return Err(format!(
                "depth of {camera}: {} depths and {} confidences for {width} x {height} pixels",
                map.depth_m.len(),
                map.confidence.len()
            ));
        }
        if map.depth_m.iter().any(|depth| !(depth.is_finite() && *depth >= 0.0)) {
            return Err(format!("depth of {camera}: a value is negative or not finite"));
        }
        let depth_png = depth_png::encode_depth(map).into();
        let confidence_png = depth_png::encode_bytes(width, height, &map.confidence).into();
        let remainder_png = None;
        Ok(Self { timestamp, camera, width, height, depth_png, confidence_png, remainder_png })
    }

    /// Compresses a map that is exact, as a simulator's: keeps 1/4096 m.
    ///
    /// # Errors
    /// What cannot be stored, in words.
    pub fn exact(timestamp: Timestamp, camera: String, map: &DepthMap) -> Result<Self, String> {
        let row = Self::new(timestamp, camera, map)?;
        Ok(Self { remainder_png: Some(depth_png::encode_remainder(map).into()), ..row })
    }

    /// Decompresses the map.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn map(&self) -> Result<DepthMap, String> {
        let (width, height) = (self.width, self.height);
        let mut depth_m = depth_png::decode_depth(&self.depth_png, width, height)?;
        if let Some(remainder) = &self.remainder_png {
            depth_png::add_remainder(remainder, width, height, &mut depth_m)?;
        }
        let confidence = depth_png::decode_bytes(&self.confidence_png, width, height)?;
        Ok(DepthMap { width, height, depth_m, confidence })
    }
}

impl Row for DepthRow {
    const TABLE: Table = Table::Depth;
    const LARGE: bool = true;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        camera_schema([
            required("width_px", DataType::UInt32),
            required("height_px", DataType::UInt32),
            required("depth_png", DataType::Binary),
            required("confidence_png", DataType::Binary),
            optional("remainder_png", DataType::Binary),
        ])
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let mut columns = camera_columns(self.timestamp, &self.camera);
        columns.values::<UInt32Type>([self.width as u32]);
        columns.values::<UInt32Type>([self.height as u32]);
        columns.binary([Some(&self.depth_png[..])]);
        columns.binary([Some(&self.confidence_png[..])]);
        columns.binary([self.remainder_png.as_deref()]);
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let sides = Reading(batch);
        let widths = sides.values::<UInt32Type>("width_px")?;
        let heights = sides.values::<UInt32Type>("height_px")?;
        camera_rows(batch, |rows, row, (timestamp, camera)| {
            let bytes =
                |name: &str| present(rows.binary(name, row)?, name).map(Bytes::copy_from_slice);
            let (width, height) = (widths[row] as usize, heights[row] as usize);
            if !(1..=MAX_SIDE_PX).contains(&width) || !(1..=MAX_SIDE_PX).contains(&height) {
                return Err(format!("a depth map of {width} x {height} pixels"));
            }
            Ok(Self {
                timestamp,
                camera,
                width,
                height,
                depth_png: bytes("depth_png")?,
                confidence_png: bytes("confidence_png")?,
                remainder_png: rows.binary("remainder_png", row)?.map(Bytes::copy_from_slice),
            })
        })
    }
}
