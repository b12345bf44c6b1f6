//! `objects.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::{ClassId, Keypoint, Object, TrackId};

use super::columns::{Columns, Reading, list_of, optional, present, required, same_times, schema};
use super::trajectory::POSE;
use super::{Row, Table};
use crate::pose_record::PoseRecord;

const SIZE: [&str; 3] = ["length_m", "width_m", "height_m"];
const VELOCITY: [&str; 3] = ["velocity_x_m_s", "velocity_y_m_s", "velocity_z_m_s"];

/// The objects of one frame: a row each, or one row of nulls where there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectsRow {
    /// When.
    pub timestamp: Timestamp,
    /// Everything there.
    pub objects: Vec<Object>,
}

impl Row for ObjectsRow {
    const TABLE: Table = Table::Objects;
    const LARGE: bool = false;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        let mut fields = vec![
            required("timestamp_ns", DataType::Int64),
            optional("class", DataType::UInt8),
            optional("track", DataType::UInt64),
        ];
        for name in POSE.iter().chain(&SIZE).chain(&VELOCITY) {
            fields.push(optional(name, DataType::Float64));
        }
        fields.push(optional("confidence", DataType::Float32));
        fields.push(optional("lidar_points", DataType::UInt32));
        fields.push(optional("keypoints_xyz_m_confidence", list_of(DataType::Float32)));
        schema(fields)
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        for (index, object) in self.objects.iter().enumerate() {
            check(object)
                .map_err(|what| format!("object {index} at {} s: {what}", self.timestamp))?;
        }
        let mut rows: Vec<Option<&Object>> = self.objects.iter().map(Some).collect();
        if rows.is_empty() {
            rows.push(None);
        }
        let poses: Vec<Option<PoseRecord>> =
            rows.iter().map(|o| o.map(|o| PoseRecord::new(&o.ego_from_object))).collect();
        let flat = |k: &Keypoint| {
            let [x, y, z] = k.p_in_ego_m;
            [x, y, z, k.confidence]
        };
        let keypoints: Vec<Option<Vec<f32>>> =
            rows.iter().map(|o| o.map(|o| o.keypoints.iter().flat_map(flat).collect())).collect();
        let mut columns = Columns::new();
        columns.values::<Int64Type>(rows.iter().map(|_| self.timestamp.0));
        columns.options::<UInt8Type>(rows.iter().map(|o| o.map(|o| o.class.0)));
        columns.options::<UInt64Type>(rows.iter().map(|o| o.and_then(|o| o.track).map(|t| t.0)));
        for k in 0..POSE.len() {
            columns.options::<Float64Type>(poses.iter().map(|pose| pose.map(|pose| pose.0[k])));
        }
        for k in 0..3 {
            columns.options::<Float64Type>(rows.iter().map(|o| o.map(|o| o.size_m[k])));
        }
        for k in 0..3 {
            let along = |o: &Object| o.velocity_m_s.map(|velocity| velocity[k]);
            columns.options::<Float64Type>(rows.iter().map(|o| o.and_then(along)));
        }
        columns.options::<Float32Type>(rows.iter().map(|o| o.map(|o| o.confidence)));
        columns.options::<UInt32Type>(rows.iter().map(|o| o.and_then(|o| o.lidar_points)));
        columns.lists::<Float32Type>(keypoints.iter().map(Option::as_deref));
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let rows = Reading(batch);
        let table = ObjectColumns::new(&rows)?;
        let times = rows.values::<Int64Type>("timestamp_ns")?;
        let mut frames = Vec::new();
        for range in same_times(times) {
            let timestamp = Timestamp(times[range.start]);
            let empty = range.len() == 1 && table.classes[range.start].is_none();
            let objects = if empty {
                Vec::new()
            } else {
                range.map(|row| table.object(row)).collect::<Result<_, _>>()?
            };
            frames.push(Self { timestamp, objects });
        }
        Ok(frames)
    }
}

/// The columns of a batch, looked up once.
struct ObjectColumns<'a> {
    rows: &'a Reading<'a>,
    classes: Vec<Option<u8>>,
    tracks: Vec<Option<u64>>,
    poses: Vec<Vec<Option<f64>>>,
    sizes: Vec<Vec<Option<f64>>>,
    velocities: Vec<Vec<Option<f64>>>,
    confidences: Vec<Option<f32>>,
    lidar_points: Vec<Option<u32>>,
}

impl<'a> ObjectColumns<'a> {
    fn new(rows: &'a Reading<'a>) -> Result<Self, String> {
        let numbers = |names: &[&str]| -> Result<Vec<_>, String> {
            names.iter().map(|name| rows.options::<Float64Type>(name)).collect()
        };
        Ok(Self {
            rows,
            classes: rows.options::<UInt8Type>("class")?,
            tracks: rows.options::<UInt64Type>("track")?,
            poses: numbers(&POSE)?,
            sizes: numbers(&SIZE)?,
            velocities: numbers(&VELOCITY)?,
            confidences: rows.options::<Float32Type>("confidence")?,
            lidar_points: rows.options::<UInt32Type>("lidar_points")?,
        })
    }

    fn object(&self, row: usize) -> Result<Object, String> {
        let pose = PoseRecord(all(&self.poses, row).ok_or("an object has no whole pose")?);
        let known = self.velocities.iter().filter(|column| column[row].is_some()).count();
        let velocity_m_s = all(&self.velocities, row);
        if known != 0 && velocity_m_s.is_none() {
            return Err("an object has part of a velocity".to_owned());
        }
        const KEYPOINTS: &str = "keypoints_xyz_m_confidence";
        let flat = present(self.rows.list::<Float32Type>(KEYPOINTS, row)?, KEYPOINTS)?;
        if !flat.len().is_multiple_of(4) {
            return Err(format!("column {KEYPOINTS} holds no whole keypoints"));
        }
        let keypoint = |k: &[f32]| Keypoint { p_in_ego_m: [k[0], k[1], k[2]], confidence: k[3] };
        let object = Object {
            track: self.tracks[row].map(TrackId),
            class: ClassId(present(self.classes[row], "class")?),
            ego_from_object: pose.pose("an object")?,
            size_m: all(&self.sizes, row).ok_or("an object has no whole size")?,
            velocity_m_s,
            keypoints: flat.chunks_exact(4).map(keypoint).collect(),
            confidence: present(self.confidences[row], "confidence")?,
            lidar_points: self.lidar_points[row],
        };
        check(&object)?;
        Ok(object)
    }
}

/// A row of several columns, if all of it is there.
fn all<const N: usize>(columns: &[Vec<Option<f64>>], row: usize) -> Option<[f64; N]> {
    let values: Option<Vec<f64>> = columns.iter().map(|column| column[row]).collect();
    values?.try_into().ok()
}

fn check(object: &Object) -> Result<(), String> {
    PoseRecord::new(&object.ego_from_object).pose::<(), ()>("an object")?;
    let sizes = object.size_m.iter().all(|size| size.is_finite() && *size >= 0.0);
    let velocity = object.velocity_m_s.iter().flatten().all(|value| value.is_finite());
    let keypoints = object.keypoints.iter().all(|k| {
        k.p_in_ego_m.iter().all(|value| value.is_finite()) && (0.0..=1.0).contains(&k.confidence)
    });
    if !(sizes && velocity && keypoints && (0.0..=1.0).contains(&object.confidence)) {
        return Err("a size, velocity, keypoint or confidence is out of its range".to_owned());
    }
    Ok(())
}
