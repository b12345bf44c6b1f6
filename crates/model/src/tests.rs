//! The whole network, small.

use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::Device,
};
use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Camera, Ego, Intrinsics, Pose, Timestamp, camera::Pinhole};
use ommatidia_scene::{
    CameraSensor, CameraView, ClassId, GridSpec, RgbImage, Rig, Shutter, VectorSpace,
};

use crate::{
    Moment, Network, NetworkConfig, PRESETS, Sample, Stream,
    lift::{LiftConfig, Table, Weighting},
    memory::{Fusion, MemoryConfig, Warp},
    tasks::{HeadSettings, all_settings},
};

const SIZE: [usize; 2] = [64, 32];

const GRID: GridSpec = GridSpec { min_corner_m: [-4.0, -4.0, -1.0], voxel_m: 1.0, size: [8, 8, 2] };

/// A camera that looks along x of the ego frame, from 1 m above the ground.
fn camera(name: &str, yaw_rad: f64) -> CameraSensor {
    // Columns: the camera's x (right), y (down), z (forward) in the ego frame.
    let forward: Pose<Ego, Camera> = Pose::from_row_major(&[
        0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0,
    ])
    .unwrap();
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad);
    let turned: Pose<Ego, Ego> = Pose::new(turn, Vector3::zeros());
    let (cx, cy) = (SIZE[0] as f64 / 2.0, SIZE[1] as f64 / 2.0);
    CameraSensor {
        name: name.to_owned(),
        width: SIZE[0] as u32,
        height: SIZE[1] as u32,
        intrinsics: Intrinsics::Pinhole(Pinhole { fx: cx, fy: cx, cx, cy }),
        ego_from_camera: turned * forward,
        shutter: Shutter::Global,
    }
}

fn rig() -> Rig {
    let cameras = vec![camera("front", 0.0), camera("left", std::f64::consts::FRAC_PI_2)];
    Rig { cameras, ..Rig::default() }
}

/// Two moments; the vehicle moves 1 m along x between them. What is on the left of a picture is bright and
/// of another class.
fn sample() -> Sample {
    let [width, height] = SIZE;
    let pixel = |i: usize| if i / 3 % width < width / 2 { 200 } else { (i % 50) as u8 };
    let image = RgbImage::new(width, height, (0..3 * width * height).map(pixel).collect());
    let class = |i: usize| if i % width < width / 2 { ClassId(1) } else { ClassId(2) };
    let view = |camera: &CameraSensor| CameraView {
        camera: camera.name.clone(),
        semantics: Some((0..width * height).map(class).collect()),
        ..CameraView::default()
    };
    let moment = |index: i64| Moment {
        timestamp: Timestamp::from_secs_f64(index as f64),
        rig: rig(),
        images: vec![image.clone(), image.clone()],
        world_from_ego: Some(Pose::new(
            UnitQuaternion::identity(),
            Vector3::new(index as f64, 0.0, 0.0),
        )),
        truth: VectorSpace {
            cameras: rig().cameras.iter().map(view).collect(),
            ..VectorSpace::default()
        },
    };
    Sample { name: "test".to_owned(), moments: vec![moment(0), moment(1)] }
}

fn config(space: &str) -> NetworkConfig {
    let text = format!(
        r#"
        image = {{ height = 32, width = 64 }}
        backbone = {{ kind = "regnet", stem = 8, widths = [8, 16], depths = [1, 1], group_width = 8 }}
        neck = {{ channels = 8, repeats = 1 }}
        heads = [{{ task = "semantics", classes = [1, 2], width = 8 }}]
        balance = "uncertainty"
        {space}
        "#
    );
    toml::from_str(&text).unwrap()
}

const SPACE: &str = r#"
    [space]
    grid = { min_corner_m = [-4.0, -4.0, -1.0], voxel_m = 1.0, size = [8, 8, 2] }
    channels = 6
    blocks = 1
    [space.memory]
    "#;

#[test]
fn presets_are_networks() {
    for (name, _) in PRESETS {
        let config = NetworkConfig::preset(name).unwrap();
        config.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        let again: NetworkConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }
    let error = NetworkConfig::preset("tiny").unwrap_err().to_string();
    assert!(error.contains("nano, small"), "{error}");
}

#[test]
fn pictures_alone_are_learned_by_heart() {
    let device = Device::flex().autodiff();
    device.seed(5);
    let samples = [sample()];
    let mut network = Network::new(&config(""), &device).unwrap();
    let inputs = network.inputs(&samples, &device).unwrap();
    assert_eq!(inputs.moments.len(), 1, "without memory the past is not looked at");
    let targets = network.targets(&samples, &device);
    let mut optimizer = AdamConfig::new().init();
    for _ in 0..40 {
        let losses = network.losses(&network.forward(&inputs), &targets);
        let gradients = GradientsParams::from_grads(losses.total.backward(), &network);
        network = optimizer.step(0.02, network, gradients);
    }
    let decoded = network.decode(&network.forward(&inputs), &samples);
    let truth = [samples[0].present().truth.clone()];
    let scores = network.scores(&decoded, &truth);
    assert!(scores[0].0.starts_with("semantics.") && scores[0].1 > 0.9, "{scores:?}");
}

/// Two cameras that see the same are told apart by their calibration alone.
#[test]
fn cells_are_told_where_they_look() {
    let device = Device::flex();
    for rays in [false, true] {
        device.seed(6);
        let mut config = config("");
        config.neck.rays = rays;
        let network = Network::new(&config, &device).unwrap();
        let inputs = network.inputs(&[sample()], &device).unwrap();
        assert_eq!(
            inputs.moments[0].rays.as_ref().map(|rays| rays.dims()),
            rays.then_some([2, 5, 8, 16])
        );
        let said = network.forward(&inputs).heads.remove(0).remove(0).1;
        let apart = said.clone().narrow(0, 0, 1) - said.narrow(0, 1, 1);
        let apart: f32 = apart.abs().max().into_scalar();
        assert_eq!(apart > 0.0, rays, "{apart}");
    }
}

#[test]
fn spaces_are_lifted_fused_and_have_gradients() {
    let device = Device::flex().autodiff();
    for fusion in [Fusion::Recurrent, Fusion::Attention] {
        for weighting in [
            Weighting::Depth { near_m: 0.5, far_m: 8.5, bins: 8 },
            Weighting::Attention,
            Weighting::Mean,
        ] {
            let mut config = config(SPACE);
            let space = config.space.as_mut().unwrap();
            space.lift.weighting = weighting;
            space.memory = Some(MemoryConfig { fusion, ..MemoryConfig::default() });
            let network = Network::new(&config, &device).unwrap();
            let inputs = network.inputs(&[sample(), sample()], &device).unwrap();
            assert_eq!(inputs.moments.len(), 2);
            let (space, _) = network.space_of(&inputs);
            assert_eq!(space.dims(), [2, 6, 8, 8]);
            let found: f32 = space.clone().abs().sum().into_scalar();
            assert!(found.is_finite() && found > 0.0);
            let gradients = space.powi_scalar(2).sum().backward();
            let gradients = GradientsParams::from_grads(gradients, &network);
            assert!(gradients.len() > 10, "{}", gradients.len());
        }
    }
}

/// A stream says about its second moment what a window of both says.
#[test]
fn streams_remember_as_windows_do() {
    let device = Device::flex();
    let network = Network::new(&config(SPACE), &device).unwrap();
    let sample = sample();
    let (window, _) =
        network.space_of(&network.inputs(std::slice::from_ref(&sample), &device).unwrap());
    let mut stream = Stream::default();
    for moment in &sample.moments {
        network.step(&mut stream, moment, &device).unwrap();
        assert_eq!(stream.len(), 1);
    }
    let alone = Sample { moments: sample.moments[1..].to_vec(), ..sample.clone() };
    let (alone, _) = network.space_of(&network.inputs(&[alone], &device).unwrap());
    let kept = network.finished(stream.last().unwrap());
    let off = |a: &burn::tensor::Tensor<4>| (a.clone() - window.clone()).abs().max();
    assert!(off(&kept).into_scalar::<f32>() < 1e-5);
    assert!(off(&alone).into_scalar::<f32>() > 1e-5, "the past should matter");
}

#[test]
fn tables_point_to_where_voxels_are_seen() {
    let config = LiftConfig { bilinear: false, cameras: 1, ..LiftConfig::default() };
    let table = Table::new(&rig(), [8, 16], &GRID, &config);
    // Three metres ahead, half a metre left, half a metre below the camera.
    let voxel = GRID.index(GRID.cell_at(&Point3::new(3.5, 0.5, 0.5)).unwrap());
    let (x, y) = (32.0 - 32.0 * 0.5 / 3.5, 16.0 + 32.0 * 0.5 / 3.5);
    let expected = (y / 4.0) as i32 * 16 + (x / 4.0) as i32;
    assert_eq!((table.pixel[voxel], table.weight[voxel]), (expected, 1.0));
    assert_eq!(table.depth_m[voxel], 3.5);
    // To the left the second camera sees it.
    let voxel = GRID.index(GRID.cell_at(&Point3::new(0.5, 3.5, 0.5)).unwrap());
    assert!(table.pixel[voxel] >= 8 * 16);
    // Behind nobody does.
    let voxel = GRID.index(GRID.cell_at(&Point3::new(-3.5, -0.5, 0.5)).unwrap());
    assert_eq!(table.weight[voxel], 0.0);
    let smooth = Table::new(&rig(), [8, 16], &GRID, &LiftConfig::default());
    for weights in smooth.weight.chunks(8) {
        let sum: f32 = weights.iter().sum();
        assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-6, "{sum}");
    }
}

#[test]
fn warps_follow_the_vehicle() {
    let forward = Pose::new(UnitQuaternion::identity(), Vector3::new(1.0, 0.0, 0.0));
    let warp = Warp::new(&GRID, &forward);
    // What is at (x, y) now was one cell further ahead.
    let found = |x: usize, y: usize| {
        let taps = (x * 8 + y) * 4..(x * 8 + y + 1) * 4;
        let seen = taps.filter(|&tap| warp.weight[tap] > 0.0);
        seen.map(|tap| (warp.cell[tap], warp.weight[tap])).collect::<Vec<_>>()
    };
    assert_eq!(found(2, 3), [(3 * 8 + 3, 1.0)]);
    assert_eq!(found(7, 3), []);
}

#[test]
fn samples_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let network = Network::new(&config(SPACE), &device).unwrap();
    let refused = |samples: &[Sample], words: &str| {
        let error = network.inputs(samples, &device).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&[], "there is none");
    let mut short = sample();
    short.moments.remove(0);
    refused(&[sample(), short], "1 moments in a batch of 2");
    let mut blind = sample();
    blind.moments[1].images.pop();
    refused(&[blind], "1 pictures for 2 cameras");
    let mut large = sample();
    large.moments[0].images[1] = RgbImage::new(2, 1, vec![0; 6]);
    refused(&[large], "camera left gives 2 x 1 pixels; the network takes 64 x 32");
    let mut narrow = config("");
    narrow.neck.first = 2;
    let error = Network::new(&narrow, &device).unwrap_err().to_string();
    assert!(error.contains("neck.first is 2; it must be 0 to 1"), "{error}");
}

/// Memory as plain tensors says what a stream says, also while less is remembered than there is room for.
#[test]
fn plain_memory_answers_as_streams_do() {
    let device = Device::flex();
    for fusion in [Fusion::Recurrent, Fusion::Attention] {
        let mut config = config(SPACE);
        let space = config.space.as_mut().unwrap();
        space.memory = Some(MemoryConfig { fusion, moments: 2, ..MemoryConfig::default() });
        let occupancy = |settings: &HeadSettings| settings.name() == "occupancy";
        config.heads.extend(all_settings().into_iter().filter(occupancy));
        let network = Network::new(&config, &device).unwrap();
        let sample = sample();
        let mut stream = Stream::default();
        for count in 1..=sample.moments.len() {
            let outputs = network.step(&mut stream, &sample.moments[count - 1], &device).unwrap();
            let part = Sample { moments: sample.moments[..count].to_vec(), ..sample.clone() };
            let past = network.past(&part, &device).unwrap();
            let alone = Sample { moments: vec![part.present().clone()], ..sample.clone() };
            let inputs = network.inputs(&[alone], &device).unwrap();
            let (plain, kept) = network.step_with(&inputs.moments[0], past.as_ref());
            assert_eq!(past.unwrap().spaces.len(), network.remembered());
            for (a, b) in outputs.heads.iter().flatten().zip(plain.heads.iter().flatten()) {
                let off = (a.1.clone() - b.1.clone()).abs().max().into_scalar::<f32>();
                assert!(off < 1e-5, "{fusion:?}, moment {count}: {} is off by {off}", a.0);
            }
            let kept = (kept.unwrap() - stream.last().unwrap()).abs().max().into_scalar::<f32>();
            assert!(kept < 1e-5, "{fusion:?}, moment {count}: the memory is off by {kept}");
        }
    }
}
