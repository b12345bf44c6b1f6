//! Between scene types and Foxglove's messages.

use bytes::Bytes;
use ommatidia_geometry::{CameraModel, Intrinsics, Timestamp};
use ommatidia_scene::{CameraSensor, PointCloud};

use super::foxglove::{self, NumericType, PackedElementField};

/// A camera's calibration for viewers. What they cannot express is in the clip's header.
pub(super) fn calibration(camera: &CameraSensor, time: Timestamp) -> foxglove::CameraCalibration {
    let (fx, fy) = camera.intrinsics.focal_px();
    let (cx, cy) = camera.intrinsics.principal_point_px();
    // Ours has pixel centres at integer + 0.5, ROS and Foxglove at integers.
    let (cx, cy) = (cx - 0.5, cy - 0.5);
    let (distortion_model, d) = distortion(&camera.intrinsics);
    foxglove::CameraCalibration {
        timestamp: foxglove::timestamp(time),
        frame_id: camera.name.clone(),
        width: camera.width,
        height: camera.height,
        distortion_model: distortion_model.to_owned(),
        d,
        k: vec![fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: vec![fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    }
}

/// The model as ROS names it (`sensor_msgs/distortion_models.hpp`) and its coefficients in OpenCV's order.
fn distortion(intrinsics: &Intrinsics) -> (&'static str, Vec<f64>) {
    let beyond_pinhole = || intrinsics.parameters()[4..].to_vec();
    match intrinsics {
        // Brown-Conrady with nothing in it: viewers take an empty model name for a missing calibration.
        Intrinsics::Pinhole(_) => ("plumb_bob", vec![0.0; 5]),
        Intrinsics::BrownConrady(_) => ("plumb_bob", beyond_pinhole()),
        Intrinsics::Rational(_) => ("rational_polynomial", beyond_pinhole()),
        Intrinsics::KannalaBrandt(_) => ("kannala_brandt", beyond_pinhole()),
        // Known to no viewer; the coefficients are ours.
        _ => ("custom", beyond_pinhole()),
    }
}

/// Columns of a point, in the order in which they lie in memory.
const COLUMNS: [(&str, NumericType, usize); 8] = [
    ("x", NumericType::Float32, 4),
    ("y", NumericType::Float32, 4),
    ("z", NumericType::Float32, 4),
    ("intensity", NumericType::Float32, 4),
    ("offset_ns", NumericType::Int32, 4),
    ("ring", NumericType::Uint16, 2),
    ("instance", NumericType::Uint16, 2),
    ("class", NumericType::Uint8, 1),
];

/// Which of [`COLUMNS`] a cloud has.
fn present(cloud: &PointCloud) -> [bool; 8] {
    let (intensity, offset) = (!cloud.intensity.is_empty(), !cloud.offset_ns.is_empty());
    let (ring, instance) = (!cloud.ring.is_empty(), !cloud.instance.is_empty());
    [true, true, true, intensity, offset, ring, instance, !cloud.class.is_empty()]
}

/// A sweep in its sensor's frame, one record of little-endian numbers per point.
pub(super) fn cloud(cloud: &PointCloud, sensor: &str, time: Timestamp) -> foxglove::PointCloud {
    let (mut fields, mut stride) = (Vec::new(), 0);
    for ((name, kind, bytes), present) in COLUMNS.into_iter().zip(present(cloud)) {
        if present {
            let (name, r#type) = (name.to_owned(), kind.into());
            fields.push(PackedElementField { name, offset: stride as u32, r#type });
            stride += bytes;
        }
    }
    let mut data = Vec::with_capacity(stride * cloud.len());
    for (i, xyz_m) in cloud.xyz_m.iter().enumerate() {
        xyz_m.iter().for_each(|value| data.extend(value.to_le_bytes()));
        cloud.intensity.get(i).iter().for_each(|value| data.extend(value.to_le_bytes()));
        cloud.offset_ns.get(i).iter().for_each(|value| data.extend(value.to_le_bytes()));
        cloud.ring.get(i).iter().for_each(|value| data.extend(value.to_le_bytes()));
        cloud.instance.get(i).iter().for_each(|value| data.extend(value.to_le_bytes()));
        data.extend(cloud.class.get(i));
    }
    foxglove::PointCloud {
        timestamp: foxglove::timestamp(time),
        frame_id: sensor.to_owned(),
        pose: Some(foxglove::Pose {
            position: Some(foxglove::Vector3::default()),
            orientation: Some(foxglove::Quaternion { w: 1.0, ..Default::default() }),
        }),
        point_stride: stride as u32,
        fields,
        data: Bytes::from(data),
    }
}

/// The inverse of [`cloud`].
///
/// # Errors
/// What is wrong with the message, in words.
pub(super) fn from_foxglove(message: &foxglove::PointCloud) -> Result<PointCloud, String> {
    let stride = message.point_stride as usize;
    if stride == 0 || !message.data.len().is_multiple_of(stride) {
        return Err(format!("{} bytes are no whole points of {stride}", message.data.len()));
    }
    let column = |index: usize| -> Result<Option<usize>, String> {
        let (name, kind, bytes) = COLUMNS[index];
        let Some(field) = message.fields.iter().find(|field| field.name == name) else {
            return Ok(None);
        };
        if field.r#type != i32::from(kind) || field.offset as usize + bytes > stride {
            return Err(format!("column {name} is not {kind:?} within a point of {stride} bytes"));
        }
        Ok(Some(field.offset as usize))
    };
    let required =
        |index: usize| column(index)?.ok_or_else(|| "a coordinate is missing".to_owned());
    let (x, y, z) = (required(0)?, required(1)?, required(2)?);
    let points = || message.data.chunks_exact(stride);
    let f32s = |at: usize| {
        points().map(move |p| f32::from_le_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]]))
    };
    let u16s = |at: usize| points().map(move |p| u16::from_le_bytes([p[at], p[at + 1]])).collect();
    let xyz_m = f32s(x).zip(f32s(y)).zip(f32s(z)).map(|((x, y), z)| [x, y, z]).collect();
    Ok(PointCloud {
        xyz_m,
        intensity: column(3)?.map_or_else(Vec::new, |at| f32s(at).collect()),
        offset_ns: column(4)?
            .map_or_else(Vec::new, |at| f32s(at).map(|bits| bits.to_bits() as i32).collect()),
        ring: column(5)?.map_or_else(Vec::new, u16s),
        instance: column(6)?.map_or_else(Vec::new, u16s),
        class: column(7)?.map_or_else(Vec::new, |at| points().map(|p| p[at]).collect()),
    })
}
