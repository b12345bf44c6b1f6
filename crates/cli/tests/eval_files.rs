//! `omma eval` on the files of official evaluations: figures, kept runs, comparison, and bad rows.

mod common;

use std::fs;
use std::path::Path;

use common::{json, refused, run, text};
use serde_json::Value;

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    text(&path).to_owned()
}

/// A path in TUM's format with errors of this size.
fn path(size_m: f64) -> String {
    let row = |i: i32| {
        let off = size_m * (f64::from(i) * 2.1).sin();
        format!("{}.0 {} {off} 0 0 0 0 1\n", 100 + i, i)
    };
    (0..120).map(row).collect()
}

#[test]
fn a_worse_run_fails_a_better_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, content: &str| write(folder.path(), name, content);
    let (truth, good, bad) =
        (at("truth.tum", &path(0.0)), at("good.tum", &path(0.01)), at("bad.tum", &path(0.3)));
    let kept = folder.path().join("good.json");
    let eval = |estimate: &str, more: &[&str]| {
        let base = ["eval", "trajectory", "--predictions", estimate, "--truth", &truth[..]];
        run(&[&base[..], more, &["--json", "--quiet"]].concat())
    };
    let saved = eval(&good, &["--save", text(&kept)]);
    assert_eq!(saved.status.code(), Some(0), "{}", String::from_utf8_lossy(&saved.stderr));
    let of = |output: &std::process::Output| -> Value {
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    };
    let worse = eval(&bad, &["--against", text(&kept)]);
    assert_eq!(worse.status.code(), Some(1));
    let change = |result: &Value, metric: &str| -> Value {
        let changes = result["comparison"]["changes"].as_array().unwrap().clone();
        changes.into_iter().find(|c| c["metric"] == metric).unwrap()
    };
    assert_eq!(change(&of(&worse), "ate_rmse_m")["verdict"], "worse");
    let same = eval(&good, &["--against", text(&kept)]);
    assert_eq!(same.status.code(), Some(0));
    assert_eq!(change(&of(&same), "ate_rmse_m")["verdict"], "same");
    let bad_kept = folder.path().join("bad.json");
    eval(&bad, &["--save", text(&bad_kept)]);
    let better = eval(&good, &["--against", text(&bad_kept)]);
    assert_eq!(better.status.code(), Some(0));
    assert_eq!(change(&of(&better), "ate_rmse_m")["verdict"], "better");
    let broken = at("broken.json", "{}");
    assert_eq!(eval(&good, &["--against", &broken]).status.code(), Some(2));
    let columns = at("columns.csv", "scene,weather\ntruth.tum,rain\n");
    let sliced = of(&eval(&good, &["--columns", &columns, "--slice-by", "weather"]));
    assert_eq!(sliced["slices"]["weather"][0]["value"], "rain");
    assert_eq!(sliced["slices"]["weather"][0]["records"], 120);
    assert_eq!(eval(&good, &["--slice-by", "weather"]).status.code(), Some(2));
}

#[test]
fn relative_errors_by_length_and_angle() {
    let folder = tempfile::tempdir().unwrap();
    let truth = write(folder.path(), "truth.tum", &path(0.0));
    let estimate = write(folder.path(), "estimate.tum", &path(0.1));
    let base = ["eval", "trajectory", "--predictions", &estimate, "--truth", &truth];
    let of = |more: &[&str]| json(&[&base[..], more].concat());
    assert_eq!(of(&[])["rpe"]["rmse"], of(&["--delta", "1"])["rpe_trans_m"]);
    let by_length = of(&["--delta", "10", "--delta-unit", "metres", "--all-pairs"]);
    assert!(by_length["rpe_pairs"].as_u64().unwrap() > 100, "{by_length}");
    let angle = run(&[&base[..], &["--delta", "5", "--delta-unit", "degrees"]].concat());
    assert_eq!(angle.status.code(), Some(2), "the path does not turn");
    assert_eq!(run(&[&base[..], &["--delta", "0.5"]].concat()).status.code(), Some(2));
}

#[test]
fn lanes_of_tusimple_and_culane() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, content: &str| write(folder.path(), name, content);
    let truth = at(
        "truth.json",
        "{\"raw_file\":\"c/1/20.jpg\",\"lanes\":[[-2,100,110],[300,310,320]],\"h_samples\":[240,250,260]}\n",
    );
    let good = at(
        "good.json",
        "{\"raw_file\":\"c/1/20.jpg\",\"lanes\":[[-2,101,111],[300,310,320]],\"run_time\":10}\n",
    );
    let base = ["eval", "lanes", "--format", "tusimple", "--truth", &truth, "--predictions"];
    let result = json(&[&base[..], &[&good]].concat());
    assert_eq!((result["accuracy"].as_f64(), result["fn"].as_f64()), (Some(1.0), Some(0.0)));
    let unknown = at("unknown.json", "{\"raw_file\":\"x.jpg\",\"lanes\":[],\"run_time\":1}\n");
    refused(&[&base[..], &[&unknown]].concat(), &["unknown.json line 1", "x.jpg"]);
    let short = at("short.json", "{\"raw_file\":\"c/1/20.jpg\",\"lanes\":[[1]],\"run_time\":1}\n");
    refused(&[&base[..], &[&short]].concat(), &["short.json line 1", "lane 0", "1 columns"]);
    let empty = at("empty.json", "");
    refused(&[&base[..], &[&empty]].concat(), &["has 0 of 1 images", "c/1/20.jpg"]);

    let lane = "100 590 130 400 170 300\n";
    at("culane/truth/a/1.lines.txt", lane);
    at("culane/predicted/a/1.lines.txt", &format!("{lane}800 590 800 300\n"));
    let sides = ["culane/truth", "culane/predicted"].map(|side| folder.path().join(side));
    let base = ["eval", "lanes", "--format", "culane", "--truth", text(&sides[0])];
    let result = json(&[&base[..], &["--predictions", text(&sides[1])]].concat());
    assert_eq!((result["tp"].as_u64(), result["fp"].as_u64()), (Some(1), Some(1)));
    at("culane/predicted/a/1.lines.txt", "100 590 130\n");
    let broken = [&base[..], &["--predictions", text(&sides[1])]].concat();
    refused(&broken, &["1.lines.txt", "line 1: 3 numbers"]);
}

#[test]
fn lanes_of_openlane_and_maptr() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, content: &str| write(folder.path(), name, content);
    let frame = r#"{"lanes":[{"points_m":[[0,0,0],[10,0,0]],"confidence":0.9}],"elements":[],"lane_lane":[[0]],"lane_element":[[]]}"#;
    let truth = at("truth.json", &format!("{{\"s-1\":{frame}}}"));
    let base = ["eval", "lanes", "--format", "openlane", "--truth", &truth, "--predictions"];
    let result = json(&[&base[..], &[&truth]].concat());
    assert_eq!((result["det_l"].as_f64(), result["top_ll"].as_f64()), (Some(1.0), Some(1.0)));
    let other = at("other.json", &format!("{{\"s-2\":{frame}}}"));
    refused(&[&base[..], &[&other]].concat(), &["frame s-1 of the truth is missing"]);

    let vectors = |token: &str, class: i64| {
        format!(
            "{{\"sample_token\":\"{token}\",\"vectors\":[{{\"pts\":[[0,0],[9,0]],\"type\":{class},\"confidence_level\":0.5}}]}}"
        )
    };
    let truth = at("gt.json", &format!("{{\"GTs\":[{}]}}", vectors("a", 0)));
    let good = at("good.json", &format!("{{\"results\":[{}]}}", vectors("a", 0)));
    let base = ["eval", "lanes", "--format", "maptr", "--truth", &truth, "--predictions"];
    let result = json(&[&base[..], &[&good]].concat());
    assert_eq!(result["per_class"]["divider"], 1.0);
    let wrong = at("wrong.json", &format!("{{\"results\":[{}]}}", vectors("a", 7)));
    refused(&[&base[..], &[&wrong]].concat(), &["prediction line 0 of frame 0: class 7"]);
}

#[test]
fn keypoints_of_coco() {
    let folder = tempfile::tempdir().unwrap();
    let keypoints: String = (0..17).map(|i| format!("{},{},2,", 10 + i, 20 + 3 * i)).collect();
    let keypoints = keypoints.trim_end_matches(',');
    let truth = write(
        folder.path(),
        "truth.json",
        &format!(
            "{{\"images\":[{{\"id\":7,\"file_name\":\"a.jpg\"}}],\"categories\":[{{\"id\":1}}],\"annotations\":[{{\"id\":1,\
             \"image_id\":7,\"category_id\":1,\"area\":2000,\"bbox\":[10,20,17,51],\"iscrowd\":0,\"num_keypoints\":17,\
             \"keypoints\":[{keypoints}]}}]}}"
        ),
    );
    let result_of = |image: u64, keypoints: &str| {
        format!(
            "[{{\"image_id\":{image},\"category_id\":1,\"score\":0.9,\"keypoints\":[{keypoints}]}}]"
        )
    };
    let good = write(folder.path(), "good.json", &result_of(7, keypoints));
    let base = ["eval", "keypoints", "--truth", &truth, "--predictions"];
    let result = json(&[&base[..], &[&good]].concat());
    assert!((result["ap"].as_f64().unwrap() - 1.0).abs() < 1e-12, "{result}");
    assert_eq!(result["ap_large"], Value::Null);
    let unknown = write(folder.path(), "unknown.json", &result_of(8, keypoints));
    refused(&[&base[..], &[&unknown]].concat(), &["unknown.json", "image 8", "prediction 0"]);
    let short = write(folder.path(), "short.json", &result_of(7, "1,2,3"));
    refused(&[&base[..], &[&short]].concat(), &["prediction 0 of image 7", "1 keypoints"]);
}

#[test]
fn clouds_pictures_and_confidences() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, content: &str| write(folder.path(), name, content);
    let ply = |rows: &str, count: usize| {
        format!(
            "ply\nformat ascii 1.0\nelement vertex {count}\nproperty float x\nproperty float y\n\
             property float z\nend_header\n{rows}"
        )
    };
    let truth = at("truth.ply", &ply("0 0 0\n1 0 0\n", 2));
    let estimate = at("estimate.ply", &ply("0 0 0.5\n", 1));
    let base = ["eval", "reconstruction", "--truth", &truth, "--predictions"];
    let result = json(&[&base[..], &[&estimate, "--thresholds", "0.6"]].concat());
    assert_eq!((result["accuracy_m"].as_f64(), result["points"].as_u64()), (Some(0.5), Some(1)));
    assert_eq!(result["f_scores"][0]["recall"], 0.5);
    let cut = at("cut.ply", &ply("0 0 0.5\n", 3));
    refused(&[&base[..], &[&cut]].concat(), &["cut.ply", "announces 3 vertices"]);
    let nan = at("nan.ply", &ply("0 0 0\n0 nan 0\n", 2));
    refused(&[&base[..], &[&nan]].concat(), &["prediction point 1: is not finite"]);

    let picture = |shade: u8| {
        let data = (0..3 * 32 * 24).map(|i| (i % 97) as u8 + shade).collect();
        let image = ommatidia_scene::RgbImage::new(32, 24, data);
        ommatidia_store::image::encode(&image, "made for a test").bytes
    };
    for (side, shade) in [("a", 0), ("b", 5)] {
        fs::create_dir(folder.path().join(side)).unwrap();
        fs::write(folder.path().join(side).join("1.png"), picture(shade)).unwrap();
    }
    let sides = ["a", "b"].map(|side| folder.path().join(side));
    let base = ["eval", "reconstruction", "--truth", text(&sides[0])];
    let result = json(&[&base[..], &["--predictions", text(&sides[1])]].concat());
    let expected = 20.0 * (255.0f64 / 5.0).log10();
    assert!((result["psnr"].as_f64().unwrap() - expected).abs() < 1e-9, "{result}");
    assert!(result["ssim"].as_f64().unwrap() > 0.9 && result["lpips"].is_null());

    let csv = at("confidences.csv", "confidence,right\n0.9,1\n0.8,1\n0.2,0\n");
    let base = ["eval", "calibration", "--predictions"];
    assert!(
        (json(&[&base[..], &[&csv]].concat())["ece"].as_f64().unwrap() - 0.5 / 3.0).abs() < 1e-9
    );
    let bad = at("bad.csv", "0.9,1\n1.9,0\n");
    refused(&[&base[..], &[&bad]].concat(), &["prediction 1", "1.9"]);
    let odd = at("odd.csv", "0.9,1\n0.3;0\n");
    refused(&[&base[..], &[&odd]].concat(), &["odd.csv line 2"]);
}
