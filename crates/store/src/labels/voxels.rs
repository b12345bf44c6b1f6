//! `voxels.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt8Type, UInt32Type};
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::{ClassId, GridSpec, Occupancy, VoxelFlow};

use super::columns::{Columns, Reading, list_of, optional, present, required, schema};
use super::{Row, Table, bits};

const CORNER: [&str; 3] = ["min_x_m", "min_y_m", "min_z_m"];
const SIZE: [&str; 3] = ["size_x", "size_y", "size_z"];
const FLOW: [&str; 3] = ["flow_x_m_s", "flow_y_m_s", "flow_z_m_s"];

/// The occupancy of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct VoxelsRow {
    /// When.
    pub timestamp: Timestamp,
    /// What is where.
    pub occupancy: Occupancy,
}

impl Row for VoxelsRow {
    const TABLE: Table = Table::Voxels;
    const LARGE: bool = true;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        let mut fields = vec![required("timestamp_ns", DataType::Int64)];
        fields.extend(CORNER.map(|name| required(name, DataType::Float64)));
        fields.push(required("voxel_m", DataType::Float64));
        fields.extend(SIZE.map(|name| required(name, DataType::UInt32)));
        fields.push(required("observed", DataType::Binary));
        fields.push(required("occupied", DataType::Binary));
        fields.push(required("class", list_of(DataType::UInt8)));
        fields.push(optional("flow_rank", list_of(DataType::UInt32)));
        fields.extend(FLOW.map(|name| optional(name, list_of(DataType::Float32))));
        schema(fields)
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let occupancy = &self.occupancy;
        check(occupancy).map_err(|what| format!("occupancy at {} s: {what}", self.timestamp))?;
        let grid = &occupancy.grid;
        let flow = occupancy.flow.as_deref();
        let classes: Vec<u8> = occupancy.classes.iter().map(|class| class.0).collect();
        let ranks: Option<Vec<u32>> = flow.map(|flow| flow.iter().map(|f| f.rank).collect());
        let mut columns = Columns::new();
        columns.values::<Int64Type>([self.timestamp.0]);
        grid.min_corner_m.iter().for_each(|&value| columns.values::<Float64Type>([value]));
        columns.values::<Float64Type>([grid.voxel_m]);
        grid.size.iter().for_each(|&value| columns.values::<UInt32Type>([value]));
        columns.binary([Some(bits::to_layers(&occupancy.observed, grid).as_slice())]);
        columns.binary([Some(bits::to_layers(&occupancy.occupied, grid).as_slice())]);
        columns.lists::<UInt8Type>([Some(classes.as_slice())]);
        columns.lists::<UInt32Type>([ranks.as_deref()]);
        for axis in 0..3 {
            let along = |flow: &[VoxelFlow]| flow.iter().map(|f| f.velocity_m_s[axis]).collect();
            let values: Option<Vec<f32>> = flow.map(along);
            columns.lists::<Float32Type>([values.as_deref()]);
        }
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let rows = Reading(batch);
        let times = rows.values::<Int64Type>("timestamp_ns")?;
        let one = |row| {
            let timestamp = Timestamp(times[row]);
            Ok(Self { timestamp, occupancy: occupancy(&rows, row)? })
        };
        (0..times.len()).map(one).collect()
    }
}

fn occupancy(rows: &Reading<'_>, row: usize) -> Result<Occupancy, String> {
    let voxel_m = rows.values::<Float64Type>("voxel_m")?[row];
    let mut grid = GridSpec { voxel_m, ..Default::default() };
    for axis in 0..3 {
        grid.min_corner_m[axis] = rows.values::<Float64Type>(CORNER[axis])?[row];
        grid.size[axis] = rows.values::<UInt32Type>(SIZE[axis])?[row];
    }
    let mask = |name: &str| {
        let bytes = present(rows.binary(name, row)?, name)?;
        bits::from_layers(bytes, &grid)
            .ok_or_else(|| format!("column {name} does not fit the grid"))
    };
    let (observed, occupied) = (mask("observed")?, mask("occupied")?);
    let classes = present(rows.list::<UInt8Type>("class", row)?, "class")?;
    let classes = classes.into_iter().map(ClassId).collect();
    let flow = rows.list::<UInt32Type>("flow_rank", row)?.map(|ranks| flow(rows, row, &ranks));
    let occupancy = Occupancy { grid, observed, occupied, classes, flow: flow.transpose()? };
    check(&occupancy)?;
    Ok(occupancy)
}

fn flow(rows: &Reading<'_>, row: usize, ranks: &[u32]) -> Result<Vec<VoxelFlow>, String> {
    let mut flow: Vec<VoxelFlow> =
        ranks.iter().map(|&rank| VoxelFlow { rank, velocity_m_s: [0.0; 3] }).collect();
    for (axis, name) in FLOW.into_iter().enumerate() {
        let values = present(rows.list::<Float32Type>(name, row)?, name)?;
        if values.len() != ranks.len() {
            return Err(format!("column {name} does not have a value for each rank"));
        }
        flow.iter_mut().zip(values).for_each(|(f, value)| f.velocity_m_s[axis] = value);
    }
    Ok(flow)
}

fn check(occupancy: &Occupancy) -> Result<(), &'static str> {
    let grid = &occupancy.grid;
    let numbers = [grid.voxel_m].into_iter().chain(grid.min_corner_m);
    if grid.voxel_m <= 0.0 || numbers.into_iter().any(|value| !value.is_finite()) {
        return Err("the grid's corner or voxel size is not a usable number");
    }
    let flow = occupancy.flow.iter().flatten();
    if flow.flat_map(|f| f.velocity_m_s).any(|value| !value.is_finite()) {
        return Err("a velocity is not finite");
    }
    occupancy.check()
}
