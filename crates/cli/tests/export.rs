//! `omma export` of a tiny trained network.
#![cfg(feature = "export")]

mod common;

use std::fs;

use common::{json, omma, pictures, refused, text};

#[test]
fn a_run_becomes_a_checked_file_in_float_and_in_8_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (data, training) = pictures(folder.path());
    let place = |name: &str| folder.path().join(name);
    let run = place("run");
    json(&["train", text(&training), "--data", text(&data), "--out", text(&run)]);
    let record = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(record.contains(r#""cameras": 1"#) || record.contains(r#""cameras":1"#), "{record}");

    let (out, val) = (place("model.onnx"), data.join("val"));
    let base = ["export", text(&run), "--out", text(&out)];
    let float = json(&base);
    assert_eq!(float["opset"], 18, "{float}");
    assert_eq!(float["engine_checked"][0], "rten", "{float}");
    assert!(float["max_abs_diff"].as_f64().unwrap() < 1e-3, "{float}");
    assert_eq!(float["outputs"][0]["name"], "semantics", "{float}");
    let file = fs::read(&out).unwrap();
    assert_eq!(float["bytes"], file.len(), "{float}");
    json(&base);
    assert_eq!(fs::read(&out).unwrap(), file, "the same bytes again");

    let with = ["--int8", "--calibrate", text(&val), "--evaluate", text(&val), "--samples", "2"];
    let small = json(&[&base[..], &with].concat());
    let int8 = &small["int8"];
    assert!(int8["layers"].as_u64().unwrap() > 10, "{small}");
    assert_eq!(int8["cost"]["samples"], 2, "{small}");
    assert_eq!(int8["cost"]["scores"][0]["name"], "semantics.miou", "{small}");
    assert_ne!(fs::read(&out).unwrap(), file);

    let mut strict = omma(&base);
    let strict = strict.args(["--tolerance", "1e-30", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&strict.stdout);
    assert_eq!(strict.status.code(), Some(1), "{said}");
    assert!(said.contains("engine_checked"), "{said}");

    refused(&[&base[..], &["--calibrate", text(&val)]].concat(), &["--int8"]);
    refused(&[&base[..], &["--int8"]].concat(), &["--calibrate"]);
    refused(&[&base[..], &["--engine", "abacus"]].concat(), &["abacus", "rten"]);
    refused(&["export", text(&data), "--out", text(&out)], &["config.toml"]);
    refused(&[&base[..], &["--sample", text(&place("none.mcap"))]].concat(), &["none.mcap"]);
    let nowhere = ["export", text(&run), "--out", "/proc/none/model.onnx"];
    let output = omma(&nowhere).output().unwrap();
    assert!([2, 4].contains(&output.status.code().unwrap()), "{output:?}");
    fs::remove_file(run.join("weights.safetensors")).unwrap();
    fs::remove_file(run.join("best.safetensors")).ok();
    refused(&base, &["weights.safetensors"]);
}
