//! Small networks of every kind, through files, in every engine of the build.

use burn::tensor::Device;
use ommatidia_model::{Network, NetworkConfig, tasks::all_settings};
use ommatidia_onnx::{Feed, check, decode, encode, engines, export, quantise::quantise, trial};

const REGNET: &str =
    r#"kind = "regnet", stem = 8, widths = [8, 16], depths = [1, 1], group_width = 8"#;
const RESNET: &str = r#"kind = "resnet", width = 8, depths = [1, 1]"#;
const TRANSFORMER: &str =
    r#"kind = "transformer", widths = [8, 16], depths = [1, 1], head_width = 8, pooled = 3"#;

const SPACE: &str = r#"
    [space]
    grid = { min_corner_m = [-4.0, -4.0, -1.0], voxel_m = 1.0, size = [8, 8, 2] }
    channels = 6
    blocks = 1
    "#;

fn config(backbone: &str, space: &str) -> NetworkConfig {
    let text = format!(
        r#"
        image = {{ height = 32, width = 64 }}
        backbone = {{ {backbone} }}
        neck = {{ channels = 8, repeats = 1 }}
        {space}
        "#
    );
    toml::from_str(&text).unwrap()
}

/// Every engine of the build computes what Burn does; returns the names of inputs and outputs.
fn check_export(config: &NetworkConfig, cameras: usize) -> [Vec<String>; 2] {
    let device = Device::flex();
    device.seed(1);
    let network = Network::new(config, &device).unwrap();
    let feed = Feed::of(&network, &trial::sample(config, cameras), &device).unwrap();
    let file = encode(&export(&network, &feed, &[]).unwrap());
    let (inputs, expected) = (feed.values(), check::expected(&network, &feed));
    for &name in engines::BUILT {
        if name == "onnxruntime" && std::env::var_os("ORT_DYLIB_PATH").is_none() {
            eprintln!("skipped: no ONNX Runtime");
            continue;
        }
        let mut engine = engines::load(name, &file, 1).unwrap();
        for difference in check::compare(&mut *engine, &inputs, &expected).unwrap() {
            let most = 1e-4 * difference.magnitude.max(1.0);
            assert!(difference.max_abs <= most, "{name}: {difference:?}");
            assert!(difference.magnitude > 0.0, "{name}: {difference:?} says nothing");
        }
    }
    let graph = decode(&file).unwrap().graph.unwrap();
    [graph.input, graph.output].map(|v| v.into_iter().map(|value| value.name).collect())
}

#[test]
fn every_task_is_exported() {
    for settings in all_settings() {
        let mut config = config(REGNET, SPACE);
        let name = settings.name();
        config.heads = vec![settings];
        let [inputs, outputs] = check_export(&config, 2);
        assert_eq!(inputs, ["images", "lift_pixel", "lift_weight", "lift_depth_m"]);
        assert!(outputs.iter().all(|output| output.starts_with(name)), "{name}: {outputs:?}");
    }
}

#[test]
fn every_backbone_is_exported() {
    for backbone in [REGNET, RESNET, TRANSFORMER] {
        let mut config = config(backbone, "");
        config.heads = all_settings().into_iter().filter(|h| h.name() == "semantics").collect();
        assert_eq!(
            check_export(&config, 1),
            [vec!["images".to_owned()], vec!["semantics".to_owned()]]
        );
    }
}

#[test]
fn every_lift_and_memory_is_exported() {
    let lifts = [
        r#"by = "depth", near_m = 1.0, far_m = 20.0, bins = 5"#,
        r#"by = "attention""#,
        r#"by = "mean""#,
    ];
    for lift in lifts {
        for memory in ["", r#"fusion = "recurrent""#, r#"fusion = "attention", moments = 2"#] {
            let mut space = format!("{SPACE}\nlift = {{ weighting = {{ {lift} }} }}\n");
            if !memory.is_empty() {
                space += &format!("memory = {{ {memory} }}\n");
            }
            let mut config = config(REGNET, &space);
            config.heads = all_settings()
                .into_iter()
                .filter(|head| ["occupancy", "depth"].contains(&head.name()))
                .collect();
            let remembers = !memory.is_empty();
            config.neck.rays = remembers;
            let [inputs, outputs] = check_export(&config, 2);
            assert_eq!(inputs.contains(&"rays".to_owned()), remembers);
            assert_eq!(inputs.contains(&"memory_known".to_owned()), remembers);
            assert_eq!(outputs.contains(&"memory_next".to_owned()), remembers);
        }
    }
}

/// The rig is an input: a file that was exported with one is right for another.
#[test]
fn one_file_serves_other_rigs() {
    let device = Device::flex();
    let mut config = config(REGNET, SPACE);
    config.heads = all_settings().into_iter().filter(|h| h.name() == "occupancy").collect();
    let network = Network::new(&config, &device).unwrap();
    let sample = trial::sample(&config, 2);
    let feed = Feed::of(&network, &sample, &device).unwrap();
    let file = encode(&export(&network, &feed, &[]).unwrap());
    let mut engine = engines::load("rten", &file, 1).unwrap();

    let mut other = sample;
    for moment in &mut other.moments {
        moment.rig.cameras.swap(0, 1);
        moment.rig.cameras[0].ego_from_camera.translation.z += 0.5;
    }
    let before = check::expected(&network, &feed);
    let feed = Feed::of(&network, &other, &device).unwrap();
    let expected = check::expected(&network, &feed);
    assert_ne!(before, expected, "the rig should matter");
    let differences = check::compare(&mut *engine, &feed.values(), &expected).unwrap();
    assert!(differences.iter().all(|d| d.max_abs < 1e-4), "{differences:?}");
}

/// Layers of an attentive memory share their weight; in 8 bits too, every value has one maker.
#[test]
fn shared_weights_are_put_into_8_bits_once() {
    let device = Device::flex();
    device.seed(3);
    let mut config =
        config(REGNET, &format!("{SPACE}\nmemory = {{ fusion = \"attention\", moments = 2 }}"));
    config.heads = all_settings().into_iter().filter(|h| h.name() == "occupancy").collect();
    let network = Network::new(&config, &device).unwrap();
    let feed = Feed::of(&network, &trial::sample(&config, 2), &device).unwrap();
    let model = export(&network, &feed, &[]).unwrap();
    let mut once = |index: usize| Ok((index == 0).then(|| feed.values()));
    let (small, summary) = quantise(&model, &mut once).unwrap();
    assert!(summary.layers > 0);
    let graph = small.graph.as_ref().unwrap();
    let mut made: Vec<&String> = graph.node.iter().flat_map(|node| &node.output).collect();
    made.extend(graph.initializer.iter().map(|tensor| &tensor.name));
    let values = made.len();
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), values, "a value is made twice");
    let mut engine = engines::load(engines::BUILT[0], &encode(&small), 1).unwrap();
    let expected = check::expected(&network, &feed);
    for difference in check::compare(&mut *engine, &feed.values(), &expected).unwrap() {
        assert!(difference.max_abs < 0.2 * difference.magnitude.max(1.0), "{difference:?}");
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let network = NetworkConfig::preset("nano").unwrap();
    assert!(network.heads.is_empty());
    assert!(decode(b"no such thing").is_err());
    for &engine in engines::BUILT {
        assert!(engines::load(engine, b"no such thing", 1).is_err(), "{engine}");
    }
    let error = engines::load("abacus", b"", 1).err().unwrap();
    assert!(error.to_string().contains("rten"), "{error}");
}
