//! Networks with a memory from training to prediction; what trainings are compared with.

mod common;

use std::fs;
use std::path::Path;

use common::{json, refused, temporal, text};
use serde_json::Value;

/// Heads of a network that finds objects.
const HEADS: &str = r#"
[[network.heads]]
task = "occupancy"

[[network.heads]]
task = "detection"
min_score = 0.001
"#;

#[test]
fn a_memory_is_trained_on_windows_and_streams_through_clips() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let clips = place("clips");
    let small = ["--size", "64x32", "--seconds", "1.5", "--rate", "2", "--rig", "stereo"];
    json(&[&["generate", "--scenario", "cut_in", "--out", text(&clips)][..], &small].concat());
    let training = place("training.toml");
    fs::write(&training, temporal("", HEADS)).unwrap();
    let run = place("run");
    let more = ["--data", text(&clips), "--val", text(&clips), "--out", text(&run)];
    let trained = json(&[&["train", text(&training)][..], &more].concat());
    assert!(trained["baselines"]["occupancy.miou"]["always_empty"].is_number(), "{trained}");
    assert!(!trained["comparison"].as_array().unwrap().is_empty(), "{trained}");
    let of_run: Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(of_run["result"]["metrics"], trained["metrics"]);
    assert_eq!(of_run["result"]["baselines"], trained["baselines"]);
    check_listed(folder.path());
    let clip = fs::read_dir(&clips).unwrap().map(|entry| entry.unwrap().path());
    let clip = clip.into_iter().find(|path| path.extension().is_some_and(|e| e == "mcap")).unwrap();
    let ask = |out: &str, more: &[&str]| {
        let base = ["predict", text(&run), text(&clip), "--out", out];
        json(&[&base[..], more].concat())["clips"][0].clone()
    };
    let said = ask(text(&place("said")), &[]);
    assert!(said["frames"].as_u64().unwrap() >= 3 && said["tracks"].is_u64(), "{said}");
    assert_eq!(said["skipped"].as_array().unwrap().len(), 0, "{said}");
    let unnamed = ask(text(&place("unnamed")), &["--no-tracking"]);
    assert!(unnamed["tracks"].is_null(), "{unnamed}");
}

/// The trainings in a folder are listed by the names of their classes, and drawn.
fn check_listed(folder: &Path) {
    let listed = json(&["runs", text(folder)]);
    let scores = listed["runs"][0]["metrics"].as_object().unwrap();
    let classes: Vec<_> =
        scores.keys().filter_map(|name| name.strip_prefix("occupancy.iou_class_")).collect();
    assert!(!classes.is_empty() && classes.iter().all(|c| c.parse::<u8>().is_err()), "{listed}");
    let page = folder.join("page.html");
    json(&["report", text(&folder.join("run")), "--out", text(&page)]);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("prior map") && page.contains("mean IoU over classes"), "{page}");
}

#[test]
fn networks_without_a_use_for_their_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (training, out) = (folder.path().join("training.toml"), folder.path().join("out"));
    let check = |settings: String, words: &[&str]| {
        fs::write(&training, settings).unwrap();
        let data = text(folder.path());
        refused(&["train", text(&training), "--data", data, "--out", text(&out)], words);
        assert!(!out.exists());
    };
    let whole = temporal("", HEADS);
    let no_head = whole.split("[[network.heads]]").next().unwrap();
    check(no_head.to_owned(), &["no task to learn", "[[network.heads]]"]);
    check(
        temporal("", HEADS).replace("moments = 2", "moments = 1"),
        &["data.moments of 2 or more"],
    );
    let no_memory = whole.lines().filter(|line| !line.starts_with("memory"));
    let no_memory = no_memory.collect::<Vec<_>>().join("\n");
    check(no_memory.clone(), &["data.moments is 2", "network.space.memory"]);
    let single = no_memory.replace("moments = 2", "moments = 1");
    check(single, &["data.stride is 0", "network.space.memory"]);
}
