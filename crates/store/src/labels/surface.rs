//! `surface.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt8Type, UInt32Type};
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::{ClassId, Drivable, Surface, SurfaceSpec};

use super::columns::{Columns, Reading, list_of, list_of_optional, present, required, schema};
use super::{Row, Table};

const CORNER: [&str; 2] = ["min_x_m", "min_y_m"];
const SIZE: [&str; 2] = ["size_x", "size_y"];
const MILLIMETRES: f64 = 1000.0;
/// Highest and lowest height that is stored, metres.
const MAX_HEIGHT_M: f32 = 1.0e5;

/// The ground of one frame. Heights are stored in whole millimetres.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceRow {
    /// When.
    pub timestamp: Timestamp,
    /// The ground.
    pub surface: Surface,
}

impl Row for SurfaceRow {
    const TABLE: Table = Table::Surface;
    const LARGE: bool = true;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        let mut fields = vec![required("timestamp_ns", DataType::Int64)];
        fields.extend(CORNER.map(|name| required(name, DataType::Float64)));
        fields.push(required("cell_m", DataType::Float64));
        fields.extend(SIZE.map(|name| required(name, DataType::UInt32)));
        fields.push(required("height_mm", list_of_optional(DataType::Int32)));
        fields.push(required("drivable", list_of(DataType::UInt8)));
        fields.push(required("class", list_of(DataType::UInt8)));
        fields.push(required("confidence", list_of(DataType::UInt8)));
        schema(fields)
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let surface = &self.surface;
        check(surface).map_err(|what| format!("surface at {} s: {what}", self.timestamp))?;
        let drivable: Vec<u8> = surface.drivable.iter().map(|&d| d as u8).collect();
        let class: Vec<u8> = surface.class.iter().map(|class| class.0).collect();
        let height_mm =
            |&m: &f32| (!m.is_nan()).then(|| (f64::from(m) * MILLIMETRES).round() as i32);
        let mut columns = Columns::new();
        columns.values::<Int64Type>([self.timestamp.0]);
        surface.spec.min_corner_m.iter().for_each(|&value| columns.values::<Float64Type>([value]));
        columns.values::<Float64Type>([surface.spec.cell_m]);
        surface.spec.size.iter().for_each(|&value| columns.values::<UInt32Type>([value]));
        columns.list_with_nulls::<Int32Type>(surface.height_m.iter().map(height_mm));
        columns.lists::<UInt8Type>([Some(drivable.as_slice())]);
        columns.lists::<UInt8Type>([Some(class.as_slice())]);
        columns.lists::<UInt8Type>([Some(surface.confidence.as_slice())]);
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let rows = Reading(batch);
        let times = rows.values::<Int64Type>("timestamp_ns")?;
        let one = |row| {
            let timestamp = Timestamp(times[row]);
            Ok(Self { timestamp, surface: surface(&rows, row)? })
        };
        (0..times.len()).map(one).collect()
    }
}

fn surface(rows: &Reading<'_>, row: usize) -> Result<Surface, String> {
    let cell_m = rows.values::<Float64Type>("cell_m")?[row];
    let mut spec = SurfaceSpec { cell_m, ..Default::default() };
    for axis in 0..2 {
        spec.min_corner_m[axis] = rows.values::<Float64Type>(CORNER[axis])?[row];
        spec.size[axis] = rows.values::<UInt32Type>(SIZE[axis])?[row];
    }
    let bytes = |name: &str| present(rows.list::<UInt8Type>(name, row)?, name);
    let height_m = |mm: Option<i32>| mm.map_or(f32::NAN, |mm| (f64::from(mm) / MILLIMETRES) as f32);
    let drivable = |value: u8| match value {
        0 => Ok(Drivable::Unknown),
        1 => Ok(Drivable::No),
        2 => Ok(Drivable::Yes),
        other => Err(format!("column drivable holds {other}")),
    };
    let heights = rows.list_with_nulls::<Int32Type>("height_mm", row)?;
    let surface = Surface {
        spec,
        height_m: heights.into_iter().map(height_m).collect(),
        drivable: bytes("drivable")?.into_iter().map(drivable).collect::<Result<_, _>>()?,
        class: bytes("class")?.into_iter().map(ClassId).collect(),
        confidence: bytes("confidence")?,
    };
    check(&surface)?;
    Ok(surface)
}

fn check(surface: &Surface) -> Result<(), &'static str> {
    let spec = &surface.spec;
    let numbers = [spec.cell_m].into_iter().chain(spec.min_corner_m);
    if spec.cell_m <= 0.0 || numbers.into_iter().any(|value| !value.is_finite()) {
        return Err("the corner or the cell size is not a usable number");
    }
    let cells = u64::from(spec.size[0]) * u64::from(spec.size[1]);
    let lengths = [
        surface.height_m.len(),
        surface.drivable.len(),
        surface.class.len(),
        surface.confidence.len(),
    ];
    if lengths.iter().any(|&length| length as u64 != cells) {
        return Err("there is not one value per cell");
    }
    if surface.height_m.iter().any(|height| height.abs() > MAX_HEIGHT_M) {
        return Err("a height is infinite or beyond 100 km");
    }
    Ok(())
}
