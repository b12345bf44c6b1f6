//! A rendered drive all the way: what comes out, that it repeats, and that it survives kills.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{demo, json, omma, refused, run, text};
use serde_json::Value;

/// Every file below a folder, by relative path.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").to_owned();
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

#[test]
fn the_demonstration_measures_up() {
    let result: Value =
        serde_json::from_slice(&fs::read(demo().join("result.json")).unwrap()).unwrap();
    let metric = |kind: &str, key: &str| {
        result["metrics"][kind][key].as_f64().unwrap_or_else(|| panic!("{kind}.{key} in {result}"))
    };
    assert!(metric("trajectory", "ate_rmse_m") < 0.1);
    assert!(metric("depth", "d1") < 0.1);
    assert!(metric("depth", "density") > 0.8);
    // Of what both saw: the truth's voxels are exact, the labels' spread over the noise of depth.
    assert!(metric("occupancy", "iou") > 0.25);
    assert!(metric("surface", "drivable_iou") > 0.5);
    let page = fs::read_to_string(demo().join("report.html")).unwrap();
    assert!(page.contains("parked_rows-0001") && page.contains("</html>"));
}

#[test]
fn campaigns_are_tried_on_labels() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("campaigns.toml");
    let campaigns = |when: &str| {
        let one = format!(
            "[[campaign]]\nname = \"moving\"\nwhen = \"{when}\"\nspacing_s = 0.0\nper_vehicle = 2\n"
        );
        fs::write(&file, one).unwrap();
    };
    campaigns("speed > 1 m/s");
    let made: Value =
        serde_json::from_slice(&fs::read(demo().join("result.json")).unwrap()).unwrap();
    let labels = made["labels"].as_str().unwrap();
    let tried = json(&["fleet", "campaigns", text(&file), "--labels", labels]);
    let frames = tried["frames"].as_u64().unwrap();
    let moving = &tried["campaigns"][0];
    // Nobody knows how fast it was at the first frame.
    assert_eq!(
        (moving["fired"].as_u64(), moving["unknown"].as_u64()),
        (Some(frames - 1), Some(1)),
        "{tried}"
    );
    assert_eq!(moving["asks"].as_array().unwrap().len(), 2);
    campaigns("speed > 1 m");
    refused(
        &["fleet", "campaigns", text(&file)],
        &["campaigns.toml", "campaign moving", "column 7"],
    );
    assert!(!json(&["fleet", "campaigns"])["object"].as_array().unwrap().is_empty());
}

#[test]
fn results_do_not_replace_what_they_are_made_from() {
    let made: Value =
        serde_json::from_slice(&fs::read(demo().join("result.json")).unwrap()).unwrap();
    let (labels, truth) = (made["labels"].as_str().unwrap(), made["truth"].as_str().unwrap());
    let manifest = Path::new(labels).join("manifest.json");
    let before = fs::read(&manifest).unwrap();
    refused(&["report", labels, "--out", text(&manifest)], &["--out", "no page"]);
    let save = ["eval", "surface", "--labels", labels, "--truth", truth, "--save", text(&manifest)];
    refused(&save, &["--save", "no saved run"]);
    assert_eq!(fs::read(&manifest).unwrap(), before);
}

#[test]
fn labels_repeat_on_any_number_of_threads_and_are_not_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let clip = demo().join("drive.mcap");
    let label = |out: &str, threads: &str| {
        let out = folder.path().join(out);
        let arguments = [
            "label",
            text(&clip),
            "--out",
            text(&out),
            "--ignore-poses",
            "--ignore-lidar",
            "--threads",
            threads,
        ];
        (json(&arguments), tree(&out))
    };
    let (first, one) = label("one", "1");
    let (_, two) = label("two", "2");
    assert!(one == two, "labels differ between one and two threads");
    let cached = |result: &Value| {
        let stages = result["clips"][0]["stages"].as_array().unwrap().clone();
        stages.iter().map(|stage| stage["cached"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(cached(&first), [false; 4]);
    let (again, same) = label("one", "2");
    assert_eq!(cached(&again), [true; 4]);
    assert!(one == same, "a second run changed something");
}

#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let clip = demo().join("drive.mcap");
    let out = folder.path().join("labels");
    let arguments = ["label", text(&clip), "--out", text(&out), "--ignore-poses", "--quiet"];
    assert!(run(&arguments).status.success());
    let expected = tree(&out);
    fs::remove_dir_all(&out).unwrap();
    let mut struck = 0;
    for attempt in 1..=12u64 {
        let mut child = omma(&arguments).spawn().unwrap();
        // Not to wait for anything: the moment of the kill is what varies.
        std::thread::sleep(Duration::from_millis(40 + attempt * 157 % 900));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        struck += 1;
    }
    assert!(run(&arguments).status.success());
    assert!(struck > 0, "no run was killed");
    assert!(tree(&out) == expected, "after {struck} kills something differs");
}

#[test]
fn info_and_trace_lead_back_to_the_clip() {
    let (clip, labels) = (demo().join("drive.mcap"), demo().join("drive"));
    let of_clip = json(&["info", text(&clip), "--verify"]);
    assert_eq!(of_clip["kind"], "clip");
    assert_eq!(of_clip["frames"], 12);
    let of_labels = json(&["info", text(&labels), "--verify"]);
    assert_eq!(of_labels["clip"]["content_hash"], of_clip["content_hash"]);
    let trace = json(&["trace", text(&labels), "--clip", text(&clip)]);
    assert_eq!(trace["trace"][0]["made_from"]["content_hash"], of_clip["content_hash"]);
    assert_eq!(trace["trace"][1]["id"], "parked_rows-0001");
    let table = json(&["trace", text(&labels.join("depth.parquet")), "--clip", text(&clip)]);
    assert_eq!(table["trace"][0]["made_by"]["stage"], "depth");
    assert_eq!(table["trace"][2]["id"], "parked_rows-0001");
}

#[test]
fn eval_prints_the_keys_that_scripts_rely_on() {
    let (clip, labels, truth) =
        (demo().join("drive.mcap"), demo().join("drive"), demo().join("drive.truth"));
    let eval = |kind: &str, truth: &Path| {
        json(&["eval", kind, "--labels", text(&labels), "--truth", text(truth)])
    };
    let check = |result: &Value, keys: &[&str]| {
        for key in keys {
            assert!(result.get(key).is_some(), "{key} in {result}");
        }
    };
    check(
        &eval("trajectory", &clip),
        &[
            "ate_rmse_m",
            "ate_max_m",
            "rpe_trans_m",
            "rpe_rot_deg",
            "path_m",
            "end_drift_percent",
            "aligned",
        ],
    );
    let depth = [
        "abs_rel", "sq_rel", "rmse_m", "rmse_log", "delta1", "delta2", "delta3", "d1", "d1_all",
        "density", "points",
    ];
    check(&eval("depth", &clip), &depth);
    check(&eval("depth", &truth), &depth);
    check(&eval("occupancy", &clip), &["lidar_hit_rate", "free_violation_rate", "observed_voxels"]);
    check(&eval("surface", &truth), &["mae_m", "rmse_m", "p95_m", "drivable_iou"]);
}
