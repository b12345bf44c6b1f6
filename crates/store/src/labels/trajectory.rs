//! `trajectory.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::PoseSample;

use super::columns::{Columns, Reading, required, schema};
use super::{Row, Table};
use crate::pose_record::PoseRecord;

/// A pose's columns, in the order of [`PoseRecord`].
pub(super) const POSE: [&str; 7] = ["qw", "qx", "qy", "qz", "x_m", "y_m", "z_m"];

impl Row for PoseSample {
    const TABLE: Table = Table::Trajectory;
    const LARGE: bool = false;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        let mut fields = vec![required("timestamp_ns", DataType::Int64)];
        fields.extend(POSE.map(|name| required(name, DataType::Float64)));
        schema(fields)
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let record = PoseRecord::new(&self.world_from_ego);
        record.pose::<(), ()>(&format!("the vehicle at {} s", self.timestamp))?;
        let mut columns = Columns::new();
        columns.values::<Int64Type>([self.timestamp.0]);
        record.0.iter().for_each(|&value| columns.values::<Float64Type>([value]));
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let rows = Reading(batch);
        let times = rows.values::<Int64Type>("timestamp_ns")?;
        let mut poses = Vec::with_capacity(times.len());
        for (row, &time) in times.iter().enumerate() {
            let mut record = PoseRecord([0.0; 7]);
            for (value, name) in record.0.iter_mut().zip(POSE) {
                *value = rows.values::<Float64Type>(name)?[row];
            }
            let timestamp = Timestamp(time);
            poses.push(Self { timestamp, world_from_ego: record.pose("a row")? });
        }
        Ok(poses)
    }
}
