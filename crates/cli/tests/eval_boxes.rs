//! `omma eval` of boxes, tracks, instances and maps: figures on files small enough to see, and what is refused.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{demo, json, refused, run, text};
use serde_json::{Value, json as value};

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

fn eval(kind: &str, truth: &Path, predictions: &Path) -> Value {
    json(&["eval", kind, "--truth", text(truth), "--predictions", text(predictions)])
}

fn no_eval(kind: &str, truth: &Path, predictions: &Path, words: &[&str]) {
    let arguments = ["eval", kind, "--truth", text(truth), "--predictions", text(predictions)];
    refused(&arguments, words);
}

/// nuScenes' tables: two scenes of two samples, a car each that moves 5 m in between.
fn tables(folder: &Path) -> PathBuf {
    let root = folder.join("v1.0-test");
    let samples = ["a0", "a1", "b0", "b1"];
    let table = |name: &str, rows: Vec<Value>| {
        write(&root, &format!("{name}.json"), Value::Array(rows).to_string());
    };
    let each = |row: fn(usize, &str) -> Value| -> Vec<Value> {
        samples.iter().enumerate().map(|(i, sample)| row(i, sample)).collect()
    };
    table(
        "sample",
        each(|i, s| value!({"token": s, "timestamp": 500_000 * i, "scene_token": &s[..1]})),
    );
    let scenes = ["a", "b"].map(|s| value!({"token": s, "name": format!("scene-{s}")}));
    table("scene", scenes.to_vec());
    table("sensor", vec![value!({"token": "l", "channel": "LIDAR_TOP"})]);
    table("calibrated_sensor", vec![value!({"token": "k", "sensor_token": "l"})]);
    table(
        "sample_data",
        each(
            |_, s| value!({"sample_token": s, "ego_pose_token": s, "calibrated_sensor_token": "k", "is_key_frame": true}),
        ),
    );
    table("ego_pose", each(|_, s| value!({"token": s, "translation": [0, 0, 0]})));
    table("attribute", vec![value!({"token": "m", "name": "vehicle.moving"})]);
    table("category", vec![value!({"token": "c", "name": "vehicle.car"})]);
    let instances = ["a", "b"].map(|s| value!({"token": s, "category_token": "c"}));
    table("instance", instances.to_vec());
    table(
        "sample_annotation",
        each(|i, s| {
            let other = ["a1", "a0", "b1", "b0"][i];
            let (prev, next) = if i % 2 == 0 { ("", other) } else { (other, "") };
            value!({"token": s, "sample_token": s, "instance_token": &s[..1], "attribute_tokens": ["m"],
                "translation": [10.0 + 5.0 * (i % 2) as f64, 1.0, 0.5], "size": [2.0, 4.5, 1.6],
                "rotation": [1, 0, 0, 0], "prev": prev, "next": next, "num_lidar_pts": 5, "num_radar_pts": 0})
        }),
    );
    root
}

/// A submission that finds every car; `change` edits each box.
fn submission(samples: &[&str], tracking: bool, change: impl Fn(&str, &mut Value)) -> String {
    let list = |sample: &&str| {
        let x = if sample.ends_with('1') { 15.0 } else { 10.0 };
        let mut found = value!({"sample_token": sample, "translation": [x, 1.0, 0.5], "size": [2.0, 4.5, 1.6],
            "rotation": [1, 0, 0, 0], "velocity": [10.0, 0.0]});
        let more = if tracking {
            value!({"tracking_id": &sample[..1], "tracking_name": "car", "tracking_score": 0.9})
        } else {
            value!({"detection_name": "car", "detection_score": 0.9, "attribute_name": "vehicle.moving"})
        };
        found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change(sample, &mut found);
        ((*sample).to_owned(), value!([found]))
    };
    let results: serde_json::Map<String, Value> = samples.iter().map(list).collect();
    value!({"meta": {"use_camera": true}, "results": results}).to_string()
}

const SAMPLES: [&str; 4] = ["a0", "a1", "b0", "b1"];

#[test]
fn detection_of_nuscenes() {
    let folder = tempfile::tempdir().unwrap();
    let truth = tables(folder.path());
    let given = |name: &str, content: String| write(folder.path(), name, content);
    let good = given("good.json", submission(&SAMPLES, false, |_, _| ()));
    let result = eval("detection", &truth, &good);
    let car = &result["per_class"]["car"];
    assert!((car["ap"].as_f64().unwrap() - 1.0).abs() < 1e-12, "{car}");
    assert!(car["ate"].as_f64().unwrap() < 1e-9 && car["ave"].as_f64().unwrap() < 1e-9, "{car}");
    assert_eq!((&result["samples"], &result["scenes"]), (&value!(4), &value!(2)));

    let part = given("part.json", submission(&SAMPLES[..1], false, |_, _| ()));
    let words = ["part.json: lacks 3 of the 4 samples", "in 2 of 2 scenes", "the first is a1"];
    no_eval("detection", &truth, &part, &words);
    let empty = given("empty.json", submission(&[], false, |_, _| ()));
    no_eval("detection", &truth, &empty, &["empty.json: lacks 4 of the 4 samples", "a0"]);
    let negative = given(
        "negative.json",
        submission(&SAMPLES, false, |sample, found| {
            if sample == "b0" {
                found["size"] = value!([2.0, -4.5, 1.6]);
            }
        }),
    );
    no_eval("detection", &truth, &negative, &["negative.json", "b0", "negative"]);
}

#[test]
fn tracking_of_nuscenes() {
    let folder = tempfile::tempdir().unwrap();
    let truth = tables(folder.path());
    let good = write(folder.path(), "good.json", submission(&SAMPLES, true, |_, _| ()));
    let result = eval("tracking", &truth, &good);
    assert_eq!((&result["hota"], &result["idf1"]), (&value!(1.0), &value!(1.0)), "{result}");
    let part = write(folder.path(), "part.json", submission(&SAMPLES[2..], true, |_, _| ()));
    no_eval("tracking", &truth, &part, &["lacks 2 of the 4 samples", "the first is a0 of scene a"]);
}

/// `omma eval KIND --against` must judge these figures so.
fn judged(arguments: &[&str], code: i32, expected: &[(&str, &str)]) {
    let output = run(&[arguments, &["--json", "--quiet"]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let changes = result["comparison"]["changes"].as_array().unwrap();
    for (metric, verdict) in expected {
        let change = changes.iter().find(|change| change["metric"] == *metric).unwrap();
        assert_eq!(change["verdict"], *verdict, "{metric}: {change}");
        let figure = result[*metric].as_f64().unwrap();
        assert!((change["after"].as_f64().unwrap() - figure).abs() < 1e-12, "{metric}: {change}");
    }
}

#[test]
fn headline_figures_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |shift: u32| -> String {
        let row = |frame: u32| format!("{frame},1,{},20,30,60,1,1,1\n", 10 * frame + shift);
        (1..=6).map(row).collect()
    };
    for i in 0..12 {
        write(folder.path(), &format!("t/s{i}/gt/gt.txt"), rows(0));
        write(folder.path(), &format!("good/s{i}.txt"), rows(1 + i % 3));
        write(folder.path(), &format!("bad/s{i}.txt"), rows(9 + i % 3));
    }
    let [truth, good, bad] = ["t", "good", "bad"].map(|name| folder.path().join(name));
    let kept = folder.path().join("run.json");
    let base = ["eval", "tracking", "--truth", text(&truth), "--predictions"];
    json(&[&base[..], &[text(&good), "--save", text(&kept)]].concat());
    let against = |predictions: &Path, code, expected: &[(&str, &str)]| {
        let more = [text(predictions), "--against", text(&kept)];
        judged(&[&base[..], &more].concat(), code, expected);
    };
    against(&bad, 1, &[("hota", "worse"), ("deta", "worse"), ("assa", "worse")]);
    against(&good, 0, &[("hota", "same")]);

    let truth = tables(folder.path());
    let submit = |name: &str, x: f64| {
        let content = submission(&SAMPLES, false, |_, found| {
            found["translation"] =
                value!([found["translation"][0].as_f64().unwrap() + x, 1.0, 0.5]);
        });
        write(folder.path(), name, content)
    };
    let (near, far) = (submit("near.json", 0.1), submit("far.json", 1.7));
    let base = ["eval", "detection", "--truth", text(&truth), "--predictions"];
    json(&[&base[..], &[text(&near), "--save", text(&kept)]].concat());
    // Four samples prove nothing; the figures are there.
    let more = [text(&far), "--against", text(&kept)];
    judged(&[&base[..], &more].concat(), 0, &[("map", "noise"), ("nds", "noise")]);
}

#[test]
fn tracking_of_mot_text() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |id: u32| -> String {
        let row = |frame: u32| format!("{frame},{id},{},20,30,60,1,1,1\n", 10 * frame);
        (1..=5).map(row).collect()
    };
    let truth =
        write(folder.path(), "truth/s/gt/gt.txt", rows(1) + &rows(2).replace(",20,", ",200,"));
    let found = write(folder.path(), "found/s.txt", rows(7));
    let [truth, found] = [&truth, &found].map(|path| path.as_path());
    let (all, predicted) = (folder.path().join("truth"), folder.path().join("found"));
    let result = eval("tracking", &all, &predicted);
    assert!((result["deta"].as_f64().unwrap() - 0.5).abs() < 1e-12, "{result}");
    assert_eq!((&result["assa"], &result["mota"]), (&value!(1.0), &value!(0.5)));
    write(folder.path(), "truth/s/gt/gt.txt", "");
    no_eval("tracking", &all, &predicted, &["truth: holds no track"]);
    no_eval("tracking", truth, found, &["gt.txt: holds no track"]);
}

#[test]
fn detection_of_kitti() {
    let folder = tempfile::tempdir().unwrap();
    let car = |z: f64| {
        format!("Car 0.00 0 -1.57 500.00 150.00 600.00 230.00 1.50 1.60 4.00 0.50 1.60 {z} -1.56")
    };
    let truth = folder.path().join("label_2");
    let predicted = folder.path().join("data");
    // More than 41 objects: KITTI's sampling of the recalls leaves steps out where there are fewer.
    for i in 0..80 {
        let name = format!("{i:06}.txt");
        write(&truth, &name, car(10.0) + "\n");
        write(&predicted, &name, car(10.0) + &format!(" 0.{:02}\n", i + 10));
    }
    let result = eval("detection", &truth, &predicted);
    let of = |overlap: &str| result["per_class"]["Car"][overlap]["moderate"]["ap40"].as_f64();
    assert!(of("2d").unwrap() > 0.97 && of("2d") == of("3d") && of("3d") == of("bev"), "{result}");
    // Half a metre beside itself a car still overlaps in the image, and not in space.
    let moved = car(10.0).replace("0.50 1.60", "1.40 1.60");
    for i in 0..80 {
        write(&predicted, &format!("{i:06}.txt"), moved.clone() + " 0.9\n");
    }
    let result = eval("detection", &truth, &predicted);
    let of = |overlap: &str| result["per_class"]["Car"][overlap]["moderate"]["ap40"].as_f64();
    assert_eq!(of("3d"), Some(0.0), "{result}");
    assert!(of("2d").unwrap() > 0.97, "{result}");
    write(&predicted, "000002.txt", car(1.0) + "\n");
    no_eval("detection", &truth, &predicted, &["000002.txt: line 1", "score"]);
    fs::remove_file(predicted.join("000002.txt")).unwrap();
    no_eval("detection", &truth, &predicted, &["has no frame 000002"]);
}

/// COCO's files: an image with one instance, given as the segmentation or the box.
fn coco(annotation: Value, result: Value) -> (String, String) {
    let mut truth =
        value!({"id": 1, "image_id": 7, "category_id": 3, "area": 2500.0, "iscrowd": 0});
    truth.as_object_mut().unwrap().extend(annotation.as_object().unwrap().clone());
    let mut found = value!({"image_id": 7, "category_id": 3, "score": 0.5});
    found.as_object_mut().unwrap().extend(result.as_object().unwrap().clone());
    let file = value!({"images": [{"id": 7, "width": 100, "height": 80}], "annotations": [truth],
        "categories": [{"id": 3, "name": "car"}]});
    (file.to_string(), value!([found]).to_string())
}

#[test]
fn instances_of_coco() {
    let folder = tempfile::tempdir().unwrap();
    let square =
        value!({"segmentation": [[10, 10, 60, 10, 60, 60, 10, 60]], "bbox": [10, 10, 50, 50]});
    let boxed = value!({"bbox": [10, 10, 50, 50]});
    let put = |annotation: &Value, result: &Value| {
        let (truth, found) = coco(annotation.clone(), result.clone());
        (write(folder.path(), "truth.json", truth), write(folder.path(), "found.json", found))
    };
    let (truth, found) = put(&square, &square);
    assert!((eval("instances", &truth, &found)["ap"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    let (truth, found) = put(&square, &boxed);
    no_eval("instances", &truth, &found, &["found.json: row 0", "--overlap boxes"]);
    let base = ["eval", "instances", "--truth", text(&truth), "--predictions", text(&found)];
    let result = json(&[&base[..], &["--overlap", "boxes"]].concat());
    assert!((result["ap"].as_f64().unwrap() - 1.0).abs() < 1e-12, "{result}");
    let (truth, found) = put(&square, &value!({"category_id": 9, "bbox": [0, 0, 1, 1]}));
    no_eval("instances", &truth, &found, &["found.json: row 0", "category 9"]);
    let (truth, found) = put(&square, &value!({}));
    no_eval("instances", &truth, &found, &["neither segmentation nor bbox"]);
}

fn gray(path: &Path, numbers: &[u16], deep: bool) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), numbers.len() as u32, 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(if deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    let bytes: Vec<u8> = if deep {
        numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
    } else {
        numbers.iter().map(|&n| n as u8).collect()
    };
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
}

#[test]
fn semantics_of_class_maps() {
    let folder = tempfile::tempdir().unwrap();
    let (truth, found) = (folder.path().join("t"), folder.path().join("p"));
    // Cityscapes' training numbers: of three pixels of road one is called pavement; 255 is ignored.
    gray(&truth.join("x/1.png"), &[0, 0, 0, 1, 255], false);
    gray(&found.join("x/1.png"), &[0, 0, 1, 1, 0], false);
    let result = eval("semantics", &truth, &found);
    assert_eq!(result["pixel_accuracy"], 0.75, "{result}");
    assert!((result["miou"].as_f64().unwrap() - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-12, "{result}");
    gray(&truth.join("x/1.png"), &[255; 5], false);
    no_eval("semantics", &truth, &found, &["every pixel is ignored"]);
    gray(&truth.join("x/1.png"), &[0, 0, 0, 1], false);
    no_eval("semantics", &truth, &found, &["1.png", "4 x 1", "5 x 1"]);
}

fn flo(folder: &Path, name: &str, vectors: &[[f32; 2]]) {
    let mut bytes = b"PIEH".to_vec();
    bytes.extend((vectors.len() as u32).to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(vectors.as_flattened().iter().flat_map(|x| x.to_le_bytes()));
    write(folder, name, bytes);
}

#[test]
fn flow_and_disparity() {
    let folder = tempfile::tempdir().unwrap();
    let (truth, found) = (folder.path().join("t"), folder.path().join("p"));
    // Sintel's layout: each scene counts its frames from 1.
    for scene in ["alley_1", "cave_2"] {
        flo(&truth, &format!("{scene}/frame_0001.flo"), &[[3.0, 4.0], [0.0, 0.0]]);
        flo(&found, &format!("{scene}/frame_0001.flo"), &[[3.0, 8.0], [0.0, 1.0]]);
    }
    let result = eval("flow", &truth, &found);
    assert_eq!((&result["epe_px"], &result["frames"]), (&value!(2.5), &value!(2)), "{result}");
    assert_eq!(result["fl"], 0.5);
    for scene in ["alley_1", "cave_2"] {
        flo(&truth, &format!("{scene}/frame_0001.flo"), &[[1e10, 0.0]; 2]);
    }
    no_eval("flow", &truth, &found, &["no pixel has true flow"]);

    let (truth, found) = (folder.path().join("dt"), folder.path().join("dp"));
    gray(&truth.join("1.png"), &[40 * 256, 100 * 256, 0], true);
    gray(&found.join("1.png"), &[42 * 256, 0, 5 * 256], true);
    let result = eval("disparity", &truth, &found);
    assert_eq!((&result["epe_px"], &result["d1"]), (&value!(2.0), &value!(0.0)), "{result}");
    assert_eq!((&result["d1_all"], &result["density"]), (&value!(0.5), &value!(0.5)));
    gray(&truth.join("1.png"), &[0; 3], true);
    no_eval("disparity", &truth, &found, &["no pixel has a true disparity"]);
}

#[test]
fn labels_of_geometry_alone_have_no_score_by_class() {
    let (labels, truth) = (demo().join("drive"), demo().join("drive.truth"));
    let result = eval("occupancy", &truth, &labels);
    assert!(result["iou"].as_f64().unwrap() > 0.2, "{result}");
    assert_eq!(result["classes"], false);
    assert!(result["miou"].is_null() && result["ray_iou"].is_null(), "{result}");
    assert_eq!(result["per_class"], value!({}));
    assert_eq!(result["skipped_frames"], 0, "{result}");
    let same = eval("occupancy", &truth, &truth);
    assert_eq!((&same["miou"], &same["classes"]), (&value!(1.0), &value!(true)));
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ply = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n\
               property float z\nend_header\n0 0 0\n";
    let (truth, found) = (write(folder.path(), "t.ply", ply), write(folder.path(), "p.ply", ply));
    for distance in ["0", "-1", "nan"] {
        let arguments = ["eval", "reconstruction", "--truth", text(&truth), "--predictions"];
        let more = [text(&found), "--max-distance", distance];
        refused(&[&arguments[..], &more].concat(), &["t.ply", "longest distance"]);
    }
    let tum = write(folder.path(), "a.tum", "1 0 0 0 0 0 0 1\n2 1 0 0 0 0 0 1\n3 2 0 0 0 0 0 1\n");
    let base = ["eval", "trajectory", "--truth", text(&tum), "--predictions", text(&tum)];
    refused(&[&base[..], &["--tolerance", "-0.5"]].concat(), &["--tolerance is -0.5"]);
    refused(&[&base[..], &["--delta", "-5"]].concat(), &["--delta is -5"]);
    let persons = value!({"images": [{"id": 7}], "categories": [{"id": 1}], "annotations": []});
    let truth = write(folder.path(), "persons.json", persons.to_string());
    let result = value!([{"image_id": 7, "category_id": 5, "score": 1.0, "keypoints": []}]);
    let found = write(folder.path(), "found.json", result.to_string());
    no_eval("keypoints", &truth, &found, &["found.json: row 0: category 5"]);
}
