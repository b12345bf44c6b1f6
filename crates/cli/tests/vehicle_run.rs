//! `omma vehicle run`: the same labels as `omma predict`, and a slot that is looked after.
#![cfg(feature = "export")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::{json, omma, refused, run, temporal, text};
use ommatidia_scene::{Object, VectorSpace};
use ommatidia_store::{ClipReader, Labels, hash};
use serde_json::Value;

/// Heads of cameras and of space.
const HEADS: &str = r#"
[[network.heads]]
task = "depth"

[[network.heads]]
task = "semantics"
classes = [1, 2, 3]

[[network.heads]]
task = "occupancy"

[[network.heads]]
task = "surface"

[[network.heads]]
task = "detection"
min_score = 0.001
"#;

/// A clip, a training on it, and its network as a file; made once.
struct Made {
    folder: tempfile::TempDir,
    clip: PathBuf,
}

impl Made {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let (clips, training) = (place("clips"), place("training.toml"));
        let small = ["--size", "96x48", "--seconds", "2", "--rate", "4", "--rig", "stereo"];
        json(&[&["generate", "--scenario", "cut_in", "--out", text(&clips)][..], &small].concat());
        fs::write(&training, temporal(", rays = true", HEADS)).unwrap();
        let run = place("run");
        json(&["train", text(&training), "--data", text(&clips), "--out", text(&run)]);
        let mut files = fs::read_dir(&clips).unwrap().map(|entry| entry.unwrap().path());
        let clip = files.find(|path| path.extension().is_some_and(|e| e == "mcap")).unwrap();
        let (model, replay) = (place("model.onnx"), ["--replay", text(&clip), "--cases", "2"]);
        let base = ["export", text(&run), "--out", text(&model)];
        let exported = json(&[&base[..], &replay].concat());
        assert_eq!(exported["replay"]["cases"], 2, "{exported}");
        Made { clip, folder }
    })
}

/// As fast as possible.
fn replay(what: &[&str], more: &[&str]) -> Value {
    let base = ["vehicle", "run", "--clip", text(&made().clip), "--as-fast-as-possible"];
    json(&[&base[..], what, more].concat())
}

#[test]
fn the_runtime_says_what_predict_says() {
    let made = made();
    let (said, ran) = (made.at("said"), made.at("ran"));
    let (clip, network) = (text(&made.clip), made.at("model.onnx"));
    let predicted = json(&["predict", text(&made.at("run")), clip, "--out", text(&said)]);
    let result = replay(&["--onnx", text(&network)], &["--out", text(&ran)]);
    assert_eq!(result["end"], "finished", "{result}");
    assert_eq!((&result["arrived"], &result["out"]), (&Value::from(8), &Value::from(8)));
    assert_eq!(predicted["clips"][0]["frames"], 8);
    assert_eq!(result["latency_ms"]["count"], 8);
    assert!(result["outputs"]["depth"]["values"].as_u64().unwrap() > 0, "{result}");
    let said = Labels::open(Path::new(predicted["clips"][0]["labels"].as_str().unwrap())).unwrap();
    let ran = Labels::open(&ran).unwrap();
    let frames = &said.manifest().frames;
    assert_eq!(&ran.manifest().frames, frames);
    assert_eq!(ran.manifest().taxonomy, said.manifest().taxonomy);
    for &at in frames {
        let whole = |labels: &Labels| {
            let cameras = labels.cameras(at).unwrap();
            VectorSpace { cameras, ..labels.vector_space(at).unwrap() }
        };
        check_agree(&whole(&said), &whole(&ran));
    }
}

/// Two engines round differently: what lies on a threshold may fall to either side.
fn check_agree(a: &VectorSpace, b: &VectorSpace) {
    let share = |same: usize, all: usize| assert!(same * 1000 >= all * 999, "{same} of {all}");
    let (x, y) = (a.occupancy.as_ref().unwrap(), b.occupancy.as_ref().unwrap());
    assert_eq!(x.grid, y.grid);
    let voxels = x.grid.len();
    let same = (0..voxels).filter(|&at| x.occupied.get(at) == y.occupied.get(at));
    share(same.count(), voxels);
    let (x, y) = (a.surface.as_ref().unwrap(), b.surface.as_ref().unwrap());
    let near = |(a, b): (&f32, &f32)| a == b || (a - b).abs() < 1e-2 || (a.is_nan() && b.is_nan());
    let heights = x.height_m.iter().zip(&y.height_m);
    share(heights.filter(|&pair| near(pair)).count(), x.height_m.len());
    assert_eq!(a.cameras.len(), b.cameras.len());
    for (x, y) in a.cameras.iter().zip(&b.cameras) {
        let (d, e) = (x.depth.as_ref().unwrap(), y.depth.as_ref().unwrap());
        assert_eq!([d.width, d.height], [96, 48], "at the size of the recorded pictures");
        let same = d.depth_m.iter().zip(&e.depth_m).filter(|&pair| near(pair));
        share(same.count(), d.depth_m.len());
        let (s, t) = (x.semantics.as_ref().unwrap(), y.semantics.as_ref().unwrap());
        share(s.iter().zip(t).filter(|(s, t)| s == t).count(), s.len());
    }
    let (x, y) = (a.objects.as_ref().unwrap(), b.objects.as_ref().unwrap());
    assert!(!x.is_empty() && x.len().abs_diff(y.len()) * 20 <= x.len());
    // Of a network that has hardly learnt, boxes are as good as each other: some change their order.
    let same = |x: &Object, y: &Object| {
        let away_m = (x.ego_from_object.translation - y.ego_from_object.translation).norm();
        x.class == y.class && x.track.is_some() == y.track.is_some() && away_m < 1e-2
    };
    let found = x.iter().filter(|x| y.iter().any(|y| same(x, y))).count();
    assert!(found * 20 >= x.len() * 19, "{found} of {}", x.len());
}

/// A bundle of the network.
fn bundle(release: u64, reference: &Path) -> PathBuf {
    let made = made();
    let plan = made.at(&format!("plan-{release}.toml"));
    let words = format!(
        r#"
        name = "net"
        release = {release}
        requires = {{ runtime = "0.1.0", hardware = ["bench"], memory_bytes = 1000 }}
        include = ["model.replay.toml"]
        files = [
            {{ path = "model.onnx", role = "onnx", from = "model.onnx" }},
            {{ path = "config.toml", role = "config", from = "run/config.toml" }},
            {{ path = "reference.json", role = "reference", from = "{}" }},
        ]
        "#,
        reference.display()
    );
    fs::write(&plan, words).unwrap();
    let out = made.at(&format!("net-{release}.omma"));
    json(&["bundle", "create", text(&plan), "--out", text(&out)]);
    out
}

/// A vehicle that runs release 1, with release 2 on trial as an update leaves it.
struct Vehicle {
    folder: PathBuf,
    second: PathBuf,
}

impl Vehicle {
    fn new(name: &str) -> Self {
        let made = made();
        let reference = made.at(&format!("{name}.json"));
        let record = ["--record-reference", text(&reference)];
        replay(&["--onnx", text(&made.at("model.onnx"))], &record);
        let base = 10 * name.len() as u64;
        let (first, second) = (bundle(base + 1, &reference), bundle(base + 2, &reference));
        let (key, root) = (made.at(&format!("{name}.key")), made.at(&format!("{name}.root")));
        json(&["bundle", "keys", text(&key)]);
        let mut staged = vec!["bundle".to_owned(), "root".to_owned(), text(&root).to_owned()];
        for role in ["root", "targets", "snapshot", "timestamp", "time"] {
            staged.extend(["--role".to_owned(), format!("{role}={}.pub", text(&key))]);
        }
        let staged = json(&staged.iter().map(String::as_str).collect::<Vec<_>>());
        json(&["bundle", "sign", staged["staged"].as_str().unwrap(), "--key", text(&key)]);
        let root = staged["staged"].as_str().unwrap().to_owned();
        let folder = made.at(name);
        let ecu = format!("front:bench={}", text(&first));
        let base = ["vehicle", "provision", text(&folder), "--name", "V", "--ecu", &ecu];
        json(&[&base[..], &["--director-root", &root, "--image-root", &root]].concat());
        let vehicle = Self { folder, second };
        vehicle.put_on_trial();
        vehicle
    }

    fn status(&self) -> Value {
        json(&["vehicle", "status", text(&self.folder)])
    }

    /// What `omma vehicle update` does at its end.
    fn put_on_trial(&self) {
        let verified = json(&["bundle", "verify", text(&self.second)]);
        let sha256 = verified["sha256"].as_str().unwrap();
        let bytes = fs::read(&self.second).unwrap();
        fs::write(self.folder.join(format!("bundles/{sha256}.omma")), &bytes).unwrap();
        let record = fs::read_to_string(self.folder.join("state.1.json")).unwrap();
        let mut state: Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
        let mut other = state["slots"][0].clone();
        let release = verified["manifest"]["release"].clone();
        other["images"]["front"]["target"] = format!("net-{release}.omma").into();
        other["images"]["front"]["release"] = release;
        other["images"]["front"]["sha256"] = sha256.into();
        other["images"]["front"]["bytes"] = bytes.len().into();
        other["status"] = serde_json::json!({ "trial": { "starts_left": 3, "started": false } });
        state["slots"][1] = other;
        state["active"] = 1.into();
        state["generation"] = 1001.into();
        let body = state.to_string();
        let sum = hash::of_bytes(body.as_bytes());
        fs::write(self.folder.join("state.1.json"), format!("{body}\n{sum}\n")).unwrap();
        fs::remove_file(self.folder.join("state.0.json")).ok();
    }

    /// Runs with settings of the watchdog; exit code and what was printed.
    fn drive(&self, watchdog: &str, more: &[&str]) -> (i32, Value) {
        let settings = self.folder.join("settings.toml");
        fs::write(&settings, format!("budget_ms = 60000.0\n[watchdog]\n{watchdog}\n")).unwrap();
        let base = ["vehicle", "run", "--slot", text(&self.folder), "--clip", text(&made().clip)];
        let fast = ["--as-fast-as-possible", "--settings", text(&settings), "--json", "--quiet"];
        let output = run(&[&base[..], &fast, more].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        let value = serde_json::from_str(&said);
        let error = String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), value.unwrap_or_else(|_| panic!("{said}{error}")))
    }
}

#[test]
fn a_good_run_is_confirmed() {
    let vehicle = Vehicle::new("good");
    let (code, told) = vehicle.drive("window = 3\nconfirm_frames = 6\nconfirm_s = 0.0", &[]);
    assert_eq!((code, &told["confirmed"]), (0, &Value::from(true)), "{told}");
    assert_eq!(vehicle.status()["active"]["status"], "good");
    let health = fs::read(vehicle.folder.join("health.json")).unwrap();
    let health: Value = serde_json::from_slice(&health).unwrap();
    assert_eq!((&health["out"], &health["end"]), (&told["out"], &Value::from("finished")));
    // Too short a run proves nothing.
    let short = Vehicle::new("short");
    let (code, told) = short.drive("window = 3", &["--frames", "4"]);
    assert_eq!((code, &told["confirmed"], &told["out"]), (0, &false.into(), &4.into()), "{told}");
    assert_eq!(short.status()["active"]["status"]["trial"]["starts_left"], 2);
}

#[test]
fn a_breach_returns_to_the_last_good_release() {
    let check = |name: &str, watchdog: &str, more: &[&str], kind: &str| {
        let vehicle = Vehicle::new(name);
        let first = vehicle.status()["inactive"]["images"]["front"]["release"].clone();
        let (code, told) = vehicle.drive(watchdog, more);
        let reason = told["reason"].as_str().unwrap();
        assert_eq!((code, &told["end"]), (1, &Value::from("breach")), "{told}");
        assert!(reason.starts_with(kind), "{reason}");
        let status = vehicle.status();
        assert_eq!(status["active"]["images"]["front"]["release"], first, "{status}");
        let failed = status["inactive"]["status"]["failed"]["reason"].as_str().unwrap();
        assert_eq!(failed, reason);
        // What is good runs on; where nothing else is, a breach cannot change anything.
        let (code, told) = vehicle.drive("", more);
        assert_eq!((code, &told["on_trial"]), (0, &Value::from(false)), "{told}");
    };
    check("latency", "window = 3", &["--budget", "0.001"], "latency: p99");
    check("by_drift", "window = 3\ndrift = 0.0", &[], "drift: output");
}

#[test]
fn the_built_in_gate_replays_what_was_exported() {
    let made = made();
    let reference = made.at("gate.json");
    let record = ["--record-reference", text(&reference)];
    replay(&["--onnx", text(&made.at("model.onnx"))], &record);
    let good = bundle(900, &reference);
    let told = json(&["vehicle", "gate", text(&good)]);
    assert_eq!((&told["passed"], &told["cases"]), (&true.into(), &2.into()), "{told}");
    assert!(told["values"].as_u64().unwrap() > 1000, "{told}");

    // Something else is expected.
    let cases = fs::read_to_string(made.at("model.replay.toml")).unwrap();
    let output = cases.lines().position(|line| line == r#"output = "depth""#).unwrap();
    let line = cases.lines().nth(output + 1).unwrap();
    let name = line.split('/').next_back().unwrap().trim_end_matches('"');
    let file = made.at("model.replay").join(name);
    let kept = fs::read(&file).unwrap();
    let mut bytes = kept.clone();
    bytes[4..8].copy_from_slice(&1e6_f32.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    let other = bundle(901, &reference);
    fs::write(&file, kept).unwrap();
    let refused = run(&["vehicle", "gate", text(&other), "--json"]);
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(refused.status.code() == Some(1) && said.contains("depth[1]"), "{said}");
}

#[test]
fn a_frame_that_is_damaged_is_skipped_and_named() {
    let made = made();
    let mut bytes = fs::read(&made.clip).unwrap();
    let reader = ClipReader::open(&made.clip).unwrap();
    let picture = reader.clip().frames[2].images[1].as_ref().unwrap();
    let picture = reader.encoded_image(picture).unwrap().bytes;
    // Compressed again, it stays what it is.
    let middle = &picture[picture.len() / 2..][..12];
    let at = bytes.windows(12).position(|word| word == middle).expect("the clip has its pictures");
    bytes[at] ^= 0x55;
    let damaged = made.at("damaged.mcap");
    fs::write(&damaged, bytes).unwrap();
    let network = made.at("model.onnx");
    let base = ["vehicle", "run", "--onnx", text(&network), "--clip", text(&damaged)];
    let told = json(&[&base[..], &["--as-fast-as-possible"]].concat());
    assert_eq!((&told["out"], &told["dropped"]["unreadable"]), (&7.into(), &1.into()), "{told}");
    let skipped = &told["skipped"][0];
    assert_eq!(skipped["what"], "frame 2", "{told}");
    assert!(skipped["why"].as_str().unwrap().contains("damaged.mcap"), "{told}");
}

#[test]
fn rounds_are_played_one_after_another_at_a_rate() {
    let network = made().at("model.onnx");
    let told = replay(&["--onnx", text(&network)], &["--rounds", "3"]);
    assert_eq!((&told["out"], &told["end"]), (&24.into(), &"finished".into()), "{told}");
    // As recorded: frames come a quarter of a second apart, and every tick takes the newest.
    let paced = ["vehicle", "run", "--clip", text(&made().clip), "--onnx", text(&network)];
    let told = json(&[&paced[..], &["--rate", "2", "--budget", "60000"]].concat());
    let (out, arrived) = (told["out"].as_u64().unwrap(), told["arrived"].as_u64().unwrap());
    let superseded = told["dropped"]["superseded"].as_u64().unwrap();
    assert_eq!((arrived, out + superseded), (8, 8), "{told}");
    assert!(superseded >= 3, "{told}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let made = made();
    let (network, clip) = (made.at("model.onnx"), text(&made.clip));
    let network = text(&network);
    let base = ["vehicle", "run", "--onnx", network, "--clip", clip];
    refused(&[&base[..], &["--budget", "0"]].concat(), &["budget_ms is 0"]);
    refused(&[&base[..], &["--engine", "abacus"]].concat(), &["abacus"]);
    refused(&["vehicle", "run", "--onnx", clip, "--clip", clip], &["no exported network"]);
    refused(&["vehicle", "run", "--bundle", network, "--clip", clip], &["no bundle"]);
    refused(&["vehicle", "run", "--onnx", network, "--clip", network], &["model.onnx"]);
    refused(&["vehicle", "run", "--clip", clip], &["--slot"]);
    let place = made.at("other");
    let small = ["--size", "64x32", "--seconds", "1", "--rate", "2", "--rig", "nuscenes6"];
    let made_other = json(&[&["generate", "--out", text(&place)][..], &small].concat());
    let other = made_other["clips"][0].as_str().unwrap();
    let fits = omma(&["vehicle", "run", "--onnx", network, "--clip", other]).output().unwrap();
    let said = String::from_utf8_lossy(&fits.stderr);
    assert!(fits.status.code() == Some(2) && said.contains("2 cameras"), "{said}");
}

/// Two videos as two cameras.
#[test]
fn cameras_come_in_through_ffmpeg() {
    let made = made();
    let video = made.at("a:b.mp4");
    let filmed = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=96x48:rate=20:duration=1"])
        .args(["-c:v", "mpeg4"])
        .arg(format!("file:{}", text(&video)))
        .status();
    if !filmed.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no ffmpeg that writes videos");
        return;
    }
    let rig = made.at("rig.toml");
    let camera = |name: &str, y_m: f64| {
        format!(
            r#"
            [[cameras]]
            name = "{name}"
            width = 96
            height = 48
            intrinsics = {{ model = "pinhole", fx = 48.0, fy = 48.0, cx = 48.0, cy = 24.0 }}
            ego_from_camera = {{ wxyz = [0.5, -0.5, 0.5, -0.5], translation_m = [1.0, {y_m}, 1.5] }}
            "#
        )
    };
    fs::write(&rig, camera("left", 0.5) + &camera("right", -0.5)).unwrap();
    let (left, right) = (format!("left={}", text(&video)), format!("right={}", text(&video)));
    let (network, out) = (made.at("model.onnx"), made.at("filmed"));
    let base = ["vehicle", "run", "--onnx", text(&network), "--rig", text(&rig)];
    let more = ["--camera", &right, "--camera", &left, "--budget", "60000", "--out", text(&out)];
    let told = json(&[&base[..], &more].concat());
    let (answered, arrived) = (told["out"].as_u64().unwrap(), told["arrived"].as_u64().unwrap());
    assert!(answered > 0 && told["end"] == "finished", "{told}");
    // Two cameras hold a picture each; sets are counted once.
    assert!((answered..=40).contains(&arrived), "{told}");
    let labels = Labels::open(&out).unwrap();
    assert_eq!(labels.manifest().frames.len() as u64, answered);
    assert_eq!(labels.manifest().rig.cameras[1].name, "right");
    refused(&[&base[..], &["--camera", &left]].concat(), &["right", "no input"]);
    refused(&[&base[..], &["--camera", "up=a.mp4"]].concat(), &["up=a.mp4", "left, right"]);
}
