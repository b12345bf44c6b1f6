//! What others see in a clip: the `mcap` reader, and Foxglove's schemas.

use prost::Message;
use prost_types::FileDescriptorSet;

use super::*;

#[test]
fn any_mcap_reader_finds_messages_of_foxgloves_schemas() {
    let (header, _) = testing::drive(0);
    let frames: Vec<FrameData> = (5..8).map(testing::frame).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.mcap");
    testing::write_clip(&path, &header, &frames).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let statistics = mcap::Summary::read(&bytes).unwrap().unwrap().stats.unwrap();
    let span = (statistics.message_start_time, statistics.message_end_time);
    assert_eq!(span, (499_999_000, 700_000_000));
    let mut counts = std::collections::BTreeMap::new();
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        let schema = message.channel.schema.clone().unwrap();
        let encodings = (schema.encoding.as_str(), message.channel.message_encoding.as_str());
        if message.channel.topic == "/motion" {
            assert_eq!(encodings, ("jsonschema", "json"));
            serde_json::from_slice::<serde_json::Value>(&schema.data).unwrap();
        } else {
            assert_eq!(encodings, ("protobuf", "protobuf"));
            let set = FileDescriptorSet::decode(&schema.data[..]).unwrap();
            resolves(&set, &schema.name);
        }
        *counts.entry((message.channel.topic.clone(), schema.name.clone())).or_insert(0) += 1;
    }
    let found: Vec<(&str, &str, i32)> = counts
        .iter()
        .map(|((topic, schema), &count)| (topic.as_str(), schema.as_str(), count))
        .collect();
    assert_eq!(
        found,
        [
            ("/camera/left/calibration", "foxglove.CameraCalibration", 1),
            ("/camera/left/image", "foxglove.CompressedImage", 3),
            ("/camera/right/calibration", "foxglove.CameraCalibration", 1),
            ("/camera/right/image", "foxglove.CompressedImage", 2),
            ("/lidar/top/points", "foxglove.PointCloud", 1),
            ("/motion", "ommatidia.Motion", 3),
            ("/tf", "foxglove.FrameTransforms", 3),
        ]
    );
}

/// The message, and every type that a field names, is declared, by files that come before those that use them.
fn resolves(set: &FileDescriptorSet, schema: &str) {
    let mut files: Vec<&str> = Vec::new();
    let mut types: Vec<String> = Vec::new();
    for file in &set.file {
        assert!(
            file.dependency.iter().all(|import| files.contains(&import.as_str())),
            "{}",
            file.name()
        );
        files.push(file.name());
        for message in &file.message_type {
            let name = format!(".{}.{}", file.package(), message.name());
            types.extend(message.enum_type.iter().map(|kind| format!("{name}.{}", kind.name())));
            let named = message.field.iter().filter(|field| field.type_name.is_some());
            named.for_each(|field| {
                assert!(types.contains(&field.type_name().to_owned()), "{}", field.type_name())
            });
            types.push(name);
        }
    }
    assert!(types.contains(&format!(".{schema}")), "{schema}");
}

#[test]
fn viewers_get_pixel_centres_at_integers() {
    let camera = &testing::header().rig.cameras[0];
    let message = convert::calibration(camera, Timestamp(1_500_000_000));
    assert_eq!(message.k, [30.1, 0.0, 16.0, 0.0, 29.9, 11.75, 0.0, 0.0, 1.0]);
    assert_eq!(message.p, [30.1, 0.0, 16.0, 0.0, 0.0, 29.9, 11.75, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let time = message.timestamp.unwrap();
    assert_eq!((time.seconds, time.nanos), (1, 500_000_000));
}

#[test]
fn distortion_goes_by_the_names_of_ros() {
    use ommatidia_geometry::Intrinsics;
    use ommatidia_geometry::camera::{
        BrownConrady, DoubleSphere, KannalaBrandt, Mei, Pinhole, Rational,
    };
    let pinhole = Pinhole { fx: 9.0, fy: 9.0, cx: 5.0, cy: 5.0 };
    let k = [0.1, 0.01, 0.002, 0.003, 0.004, 0.0, 0.0, 0.0];
    let five = [k[0], k[1], k[2], k[3], k[4]];
    for (intrinsics, name, coefficients) in [
        (Intrinsics::Pinhole(pinhole), "plumb_bob", vec![0.0; 5]),
        (Intrinsics::BrownConrady(BrownConrady::new(pinhole, five)), "plumb_bob", five.to_vec()),
        (Intrinsics::Rational(Rational::new(pinhole, k)), "rational_polynomial", k.to_vec()),
        (
            Intrinsics::KannalaBrandt(KannalaBrandt::new(pinhole, [0.1, 0.0, 0.0, 0.0])),
            "kannala_brandt",
            vec![0.1, 0.0, 0.0, 0.0],
        ),
        (
            Intrinsics::Mei(Mei::new(pinhole, [1.0, 0.1, 0.0, 0.0, 0.0])),
            "custom",
            vec![1.0, 0.1, 0.0, 0.0, 0.0],
        ),
        (
            Intrinsics::DoubleSphere(DoubleSphere::new(pinhole, [0.1, 0.5])),
            "custom",
            vec![0.1, 0.5],
        ),
    ] {
        let camera = ommatidia_scene::CameraSensor {
            intrinsics,
            ..testing::header().rig.cameras[0].clone()
        };
        let message = convert::calibration(&camera, Timestamp(0));
        assert_eq!((message.distortion_model.as_str(), message.d), (name, coefficients));
    }
}
