//! The Foxglove messages that a clip holds, and their schemas.
//!
//! Field names and numbers: <https://github.com/foxglove/foxglove-sdk/tree/main/schemas/proto/foxglove>.

use bytes::Bytes;
use ommatidia_geometry::{Pose as RigidPose, Timestamp as Nanoseconds};
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, Timestamp,
};

/// `foxglove.Vector3`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Vector3 {
    #[prost(double, tag = "1")]
    pub(super) x: f64,
    #[prost(double, tag = "2")]
    pub(super) y: f64,
    #[prost(double, tag = "3")]
    pub(super) z: f64,
}

/// `foxglove.Quaternion`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Quaternion {
    #[prost(double, tag = "1")]
    pub(super) x: f64,
    #[prost(double, tag = "2")]
    pub(super) y: f64,
    #[prost(double, tag = "3")]
    pub(super) z: f64,
    #[prost(double, tag = "4")]
    pub(super) w: f64,
}

/// `foxglove.Pose`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pose {
    #[prost(message, optional, tag = "1")]
    pub(super) position: Option<Vector3>,
    #[prost(message, optional, tag = "2")]
    pub(super) orientation: Option<Quaternion>,
}

/// `foxglove.CompressedImage`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CompressedImage {
    #[prost(message, optional, tag = "1")]
    pub(super) timestamp: Option<Timestamp>,
    #[prost(string, tag = "4")]
    pub(super) frame_id: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) data: Bytes,
    #[prost(string, tag = "3")]
    pub(super) format: String,
}

/// `foxglove.CameraCalibration`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CameraCalibration {
    #[prost(message, optional, tag = "1")]
    pub(super) timestamp: Option<Timestamp>,
    #[prost(string, tag = "9")]
    pub(super) frame_id: String,
    #[prost(fixed32, tag = "2")]
    pub(super) width: u32,
    #[prost(fixed32, tag = "3")]
    pub(super) height: u32,
    #[prost(string, tag = "4")]
    pub(super) distortion_model: String,
    #[prost(double, repeated, tag = "5")]
    pub(super) d: Vec<f64>,
    #[prost(double, repeated, tag = "6")]
    pub(super) k: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    pub(super) r: Vec<f64>,
    #[prost(double, repeated, tag = "8")]
    pub(super) p: Vec<f64>,
}

/// `foxglove.PackedElementField.NumericType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum NumericType {
    /// Not said.
    Unknown = 0,
    /// u8.
    Uint8 = 1,
    /// i8.
    Int8 = 2,
    /// u16.
    Uint16 = 3,
    /// i16.
    Int16 = 4,
    /// u32.
    Uint32 = 5,
    /// i32.
    Int32 = 6,
    /// f32.
    Float32 = 7,
    /// f64.
    Float64 = 8,
}

const NUMERIC_TYPES: [NumericType; 9] = [
    NumericType::Unknown,
    NumericType::Uint8,
    NumericType::Int8,
    NumericType::Uint16,
    NumericType::Int16,
    NumericType::Uint32,
    NumericType::Int32,
    NumericType::Float32,
    NumericType::Float64,
];

/// `foxglove.PackedElementField`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PackedElementField {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(fixed32, tag = "2")]
    pub(super) offset: u32,
    #[prost(enumeration = "NumericType", tag = "3")]
    pub(super) r#type: i32,
}

/// `foxglove.PointCloud`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PointCloud {
    #[prost(message, optional, tag = "1")]
    pub(super) timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    pub(super) frame_id: String,
    #[prost(message, optional, tag = "3")]
    pub(super) pose: Option<Pose>,
    #[prost(fixed32, tag = "4")]
    pub(super) point_stride: u32,
    #[prost(message, repeated, tag = "5")]
    pub(super) fields: Vec<PackedElementField>,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) data: Bytes,
}

/// `foxglove.FrameTransform`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FrameTransform {
    #[prost(message, optional, tag = "1")]
    pub(super) timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    pub(super) parent_frame_id: String,
    #[prost(string, tag = "3")]
    pub(super) child_frame_id: String,
    #[prost(message, optional, tag = "4")]
    pub(super) translation: Option<Vector3>,
    #[prost(message, optional, tag = "5")]
    pub(super) rotation: Option<Quaternion>,
}

/// `foxglove.FrameTransforms`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FrameTransforms {
    #[prost(message, repeated, tag = "1")]
    pub(super) transforms: Vec<FrameTransform>,
}

/// Protobuf's split of a time: whole seconds, and nanoseconds that are never negative.
pub(super) fn timestamp(time: Nanoseconds) -> Option<Timestamp> {
    const NANOS: i64 = 1_000_000_000;
    Some(Timestamp { seconds: time.0.div_euclid(NANOS), nanos: time.0.rem_euclid(NANOS) as i32 })
}

/// `parent_from_child` as Foxglove's transform of that name: it maps child coordinates to the parent's.
pub(super) fn transform<A, B>(
    time: Nanoseconds,
    [parent, child]: [&str; 2],
    parent_from_child: &RigidPose<A, B>,
) -> FrameTransform {
    let t = &parent_from_child.translation;
    let q = &parent_from_child.rotation;
    FrameTransform {
        timestamp: timestamp(time),
        parent_frame_id: parent.to_owned(),
        child_frame_id: child.to_owned(),
        translation: Some(Vector3 { x: t.x, y: t.y, z: t.z }),
        rotation: Some(Quaternion { x: q.i, y: q.j, z: q.k, w: q.w }),
    }
}

/// The kinds of message in a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    CompressedImage,
    CameraCalibration,
    PointCloud,
    FrameTransforms,
}

impl Schema {
    /// The name under which viewers know it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CompressedImage => "foxglove.CompressedImage",
            Self::CameraCalibration => "foxglove.CameraCalibration",
            Self::PointCloud => "foxglove.PointCloud",
            Self::FrameTransforms => "foxglove.FrameTransforms",
        }
    }

    /// A `google.protobuf.FileDescriptorSet` with everything the message refers to, as MCAP's registry of
    /// schema encodings asks for.
    pub(super) fn descriptor(self) -> Vec<u8> {
        let file = match self {
            Self::CompressedImage => vec![timestamp_file(), compressed_image_file()],
            Self::CameraCalibration => vec![timestamp_file(), camera_calibration_file()],
            Self::PointCloud => vec![
                timestamp_file(),
                vector3_file(),
                quaternion_file(),
                pose_file(),
                packed_element_field_file(),
                point_cloud_file(),
            ],
            Self::FrameTransforms => vec![
                timestamp_file(),
                vector3_file(),
                quaternion_file(),
                frame_transform_file(),
                frame_transforms_file(),
            ],
        };
        FileDescriptorSet { file }.encode_to_vec()
    }
}

const TIMESTAMP: &str = ".google.protobuf.Timestamp";

/// One file that declares one message.
fn file(message: DescriptorProto, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(format!("foxglove/{}.proto", message.name())),
        package: Some("foxglove".to_owned()),
        dependency: imports.iter().map(|&import| import.to_owned()).collect(),
        message_type: vec![message],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..Default::default() }
}

fn field(number: i32, name: &str, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

fn of_type(number: i32, name: &str, kind: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(type_name.to_owned()), ..field(number, name, kind) }
}

fn repeated(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { label: Some(Label::Repeated.into()), ..field }
}

fn timestamp_file() -> FileDescriptorProto {
    let fields = vec![field(1, "seconds", Type::Int64), field(2, "nanos", Type::Int32)];
    FileDescriptorProto {
        name: Some("google/protobuf/timestamp.proto".to_owned()),
        package: Some("google.protobuf".to_owned()),
        ..file(message("Timestamp", fields), &[])
    }
}

fn vector3_file() -> FileDescriptorProto {
    let fields =
        vec![field(1, "x", Type::Double), field(2, "y", Type::Double), field(3, "z", Type::Double)];
    file(message("Vector3", fields), &[])
}

fn quaternion_file() -> FileDescriptorProto {
    let fields = vec![
        field(1, "x", Type::Double),
        field(2, "y", Type::Double),
        field(3, "z", Type::Double),
        field(4, "w", Type::Double),
    ];
    file(message("Quaternion", fields), &[])
}

fn pose_file() -> FileDescriptorProto {
    let fields = vec![
        of_type(1, "position", Type::Message, ".foxglove.Vector3"),
        of_type(2, "orientation", Type::Message, ".foxglove.Quaternion"),
    ];
    file(message("Pose", fields), &["foxglove/Quaternion.proto", "foxglove/Vector3.proto"])
}

fn compressed_image_file() -> FileDescriptorProto {
    let fields = vec![
        of_type(1, "timestamp", Type::Message, TIMESTAMP),
        field(4, "frame_id", Type::String),
        field(2, "data", Type::Bytes),
        field(3, "format", Type::String),
    ];
    file(message("CompressedImage", fields), &["google/protobuf/timestamp.proto"])
}

fn camera_calibration_file() -> FileDescriptorProto {
    let fields = vec![
        of_type(1, "timestamp", Type::Message, TIMESTAMP),
        field(9, "frame_id", Type::String),
        field(2, "width", Type::Fixed32),
        field(3, "height", Type::Fixed32),
        field(4, "distortion_model", Type::String),
        repeated(field(5, "D", Type::Double)),
        repeated(field(6, "K", Type::Double)),
        repeated(field(7, "R", Type::Double)),
        repeated(field(8, "P", Type::Double)),
    ];
    file(message("CameraCalibration", fields), &["google/protobuf/timestamp.proto"])
}

fn packed_element_field_file() -> FileDescriptorProto {
    let value = |kind: NumericType| EnumValueDescriptorProto {
        name: Some(format!("{kind:?}").to_uppercase()),
        number: Some(kind.into()),
        options: None,
    };
    let numeric_type = EnumDescriptorProto {
        name: Some("NumericType".to_owned()),
        value: NUMERIC_TYPES.map(value).to_vec(),
        ..Default::default()
    };
    let fields = vec![
        field(1, "name", Type::String),
        field(2, "offset", Type::Fixed32),
        of_type(3, "type", Type::Enum, ".foxglove.PackedElementField.NumericType"),
    ];
    let message = message("PackedElementField", fields);
    file(DescriptorProto { enum_type: vec![numeric_type], ..message }, &[])
}

fn point_cloud_file() -> FileDescriptorProto {
    let fields = vec![
        of_type(1, "timestamp", Type::Message, TIMESTAMP),
        field(2, "frame_id", Type::String),
        of_type(3, "pose", Type::Message, ".foxglove.Pose"),
        field(4, "point_stride", Type::Fixed32),
        repeated(of_type(5, "fields", Type::Message, ".foxglove.PackedElementField")),
        field(6, "data", Type::Bytes),
    ];
    let imports = [
        "foxglove/PackedElementField.proto",
        "foxglove/Pose.proto",
        "google/protobuf/timestamp.proto",
    ];
    file(message("PointCloud", fields), &imports)
}

fn frame_transform_file() -> FileDescriptorProto {
    let fields = vec![
        of_type(1, "timestamp", Type::Message, TIMESTAMP),
        field(2, "parent_frame_id", Type::String),
        field(3, "child_frame_id", Type::String),
        of_type(4, "translation", Type::Message, ".foxglove.Vector3"),
        of_type(5, "rotation", Type::Message, ".foxglove.Quaternion"),
    ];
    let imports =
        ["foxglove/Quaternion.proto", "foxglove/Vector3.proto", "google/protobuf/timestamp.proto"];
    file(message("FrameTransform", fields), &imports)
}

fn frame_transforms_file() -> FileDescriptorProto {
    let transforms = of_type(1, "transforms", Type::Message, ".foxglove.FrameTransform");
    file(message("FrameTransforms", vec![repeated(transforms)]), &["foxglove/FrameTransform.proto"])
}
