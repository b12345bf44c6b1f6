//! `omma train`, `predict` and `runs` on a few tiny pictures.

mod common;

use std::fs;
use std::path::Path;

use common::{TRAINING, json, pictures, refused, text};
use serde_json::Value;

#[test]
fn a_training_is_resumed_listed_and_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (data, training) = pictures(folder.path());
    let place = |name: &str| folder.path().join(name);
    let train = |out: &Path, more: &[&str]| {
        let base = ["train", text(&training), "--data", text(&data), "--out", text(out)];
        json(&[&base[..], more].concat())
    };
    let whole = train(&place("whole"), &[]);
    assert_eq!(whole["steps"], 2, "{whole}");
    assert!(whole["metrics"]["semantics.miou"].is_number(), "{whole}");
    let (one, first) = (place("one"), train(&place("one"), &["--steps", "1"]));
    assert_ne!(first["weights_blake3"], whole["weights_blake3"]);
    let base = ["train", text(&training), "--data", text(&data), "--out", text(&one)];
    refused(&base, &["taken 1 steps", "--resume"]);
    let listed = json(&["runs", text(folder.path())]);
    let differences = &listed["differences"][text(&place("whole"))];
    assert_eq!(differences[0], "steps: first 1, now 2", "{listed}");
    let resumed = train(&one, &["--resume"]);
    assert_eq!(resumed["weights_blake3"], whole["weights_blake3"], "the same bits");
    let again = train(&one, &["--resume"]);
    assert_eq!(again["metrics"], resumed["metrics"], "a finished one tells its scores");
    assert_eq!(again["weights_blake3"], whole["weights_blake3"]);

    let of_run: Value =
        serde_json::from_slice(&fs::read(place("whole").join("run.json")).unwrap()).unwrap();
    assert_eq!(of_run["environment"]["ranks"], 1);
    assert_eq!(of_run["provenance"]["inputs"][0]["name"], "train");
    assert_eq!(of_run["validation"][0]["name"], "val");

    let listed = json(&["runs", text(folder.path())]);
    let runs = listed["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{listed}");
    assert!(runs.iter().all(|run| run["steps"] == 2), "{listed}");
    let same = listed["settings"].as_array().unwrap();
    assert!(same.is_empty(), "the settings are those that it went on with: {listed}");

    // A damaged run hides no other.
    fs::create_dir(place("torn")).unwrap();
    fs::write(place("torn").join("run.json"), b"{").unwrap();
    let listed = json(&["runs", text(folder.path())]);
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2, "{listed}");
    assert!(listed["damaged"][0].as_str().unwrap().contains("torn"), "{listed}");

    // A picture that cannot be read is skipped, be it the first.
    fs::write(data.join("val/0.png"), b"no picture").unwrap();
    let (out, asked) = (place("predicted"), data.join("val"));
    let predicted = json(&["predict", text(&place("whole")), text(&asked), "--out", text(&out)]);
    let clip = &predicted["clips"][0];
    assert_eq!(clip["frames"], 3, "{predicted}");
    assert!(clip["skipped"][0]["what"].as_str().unwrap().ends_with("0.png"), "{predicted}");
    for index in 1..4 {
        assert!(out.join(format!("val/class_maps/{index}.png")).is_file());
    }
    assert!(!out.join("val/class_maps/0.png").exists());
    let twice = ["predict", text(&one), text(&asked), text(&asked), "--out", text(&out)];
    refused(&twice, &["both be written to val"]);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, training) = pictures(folder.path());
    let out = folder.path().join("out");
    let check = |config: &str, more: &[&str], words: &[&str]| {
        let base = ["train", config, "--data", text(&data), "--out", text(&out)];
        refused(&[&base[..], more].concat(), words);
        assert!(!out.exists(), "{config} {more:?} wrote something");
    };
    check("camvod", &[], &["camvod", "camvid, nano"]);
    let training = text(&training);
    check(training, &["--minutes", "0"], &["--minutes 0", "positive"]);
    check(training, &["--minutes=-3"], &["--minutes -3"]);
    check(training, &["--minutes", "NaN"], &["--minutes NaN"]);
    check(training, &["--device", "cuda"], &["--device cuda", "processor only"]);
    check(training, &["--tasks", "lanes"], &["no task lanes", "semantics"]);
    fs::write(training, TRAINING.replace("semantics.miou", "depth.abs_rel")).unwrap();
    check(training, &[], &["record.best is depth.abs_rel", "semantics"]);
    fs::write(training, TRAINING.replace("samples = 1", "samples = 0")).unwrap();
    check(training, &[], &["training.toml", "data.samples"]);
    let (empty, words) = (folder.path().join("empty"), ["holds no picture"]);
    fs::create_dir(&empty).unwrap();
    fs::write(training, TRAINING).unwrap();
    refused(&["train", training, "--data", text(&empty), "--out", text(&out)], &words);
}

#[test]
fn a_training_begins_with_published_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (data, training) = pictures(folder.path());
    let (before, after) = TRAINING.split_once("kind = \"regnet\"").unwrap();
    let (_, after) = after.split_once("depths = [1, 1, 1, 1]").unwrap();
    let backbone = "kind = \"resnet\"\nwidth = 2\ndepths = [2, 1, 1, 1]";
    fs::write(&training, [before, backbone, after].concat()).unwrap();
    let published = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../train/tests/fixtures/weights").join(name)
    };
    let (out, fresh) = (folder.path().join("out"), folder.path().join("fresh"));
    let base = |out| ["train", text(&training), "--data", text(&data), "--out", out];
    let weights = published("resnet.pth");
    let more = ["--steps", "1", "--weights", text(&weights)];
    let begun = json(&[&base(text(&out))[..], &more[..]].concat());
    assert_eq!(begun["weights"]["share"], 1.0, "{begun}");
    assert_eq!(begun["weights"]["map"], "torchvision_resnet");
    let other = json(&[&base(text(&fresh))[..], &["--steps", "1"]].concat());
    assert_ne!(begun["weights_blake3"], other["weights_blake3"]);
    assert!(other.get("weights").is_none(), "{other}");
    let of_run: Value = serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap();
    assert_eq!(of_run["provenance"]["inputs"][1]["name"], "weights");
    assert!(of_run["weights"]["left"].as_array().unwrap().len() > 2, "{of_run}");

    let refuse = |out: &Path, more: &[&str], words: &[&str]| {
        let base = ["train", text(&training), "--data", text(&data), "--out", text(out)];
        refused(&[&base[..], more].concat(), words);
    };
    refuse(&out, &["--resume"], &["other settings", "inputs"]);
    let out = folder.path().join("refused");
    let other = published("pvt_v2.safetensors");
    refuse(&out, &["--weights", text(&other)], &["only 0 of the backbone's", "--weights-map"]);
    refuse(&out, &["--weights-map", "timm_regnet"], &["no --weights"]);
    refuse(&out, &["--weights", text(&training)], &["training.toml", "neither a safetensors"]);
    assert!(!out.exists());
}
