//! `omma generate`: roads of a file, and what is refused.

mod common;

use std::fs;

use common::{json, run, text};

const ROAD: &str = r#"<OpenDRIVE>
<header revMajor="1" revMinor="7"/>
<road id="7" length="600" junction="-1"><planView>
<geometry s="0" x="0" y="0" hdg="0" length="600"><line/></geometry></planView>
<lanes><laneSection s="0">
  <left><lane id="1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
  <center><lane id="0" type="none"><roadMark sOffset="0" type="broken" width="0.12"/></lane></center>
  <right><lane id="-1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
</laneSection></lanes></road>
</OpenDRIVE>"#;

/// The command must fail with this code, say these words and leave nothing.
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments:?}: {word:?} is not in {message}");
    }
}

#[test]
fn roads_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (roads, out) = (folder.path().join("town.xodr"), folder.path().join("out"));
    fs::write(&roads, ROAD).unwrap();
    let small = ["--rig", "stereo", "--size", "64x32", "--seconds", "1", "--rate", "2"];
    let base = ["generate", "--out", text(&out), "--roads", text(&roads)];
    json(&[&base[..], &small].concat());
    let clip = out.join("any-0001.mcap");
    let info = json(&["info", text(&clip)]);
    assert_eq!(info["frames"], 2, "{info}");
    assert!(info["poses"]["path_m"].as_f64().unwrap() > 2.0, "{info}");
    // What the clip depends on is in it.
    let roads_of = |info: &serde_json::Value| info["provenance"]["config"]["roads"].clone();
    assert_eq!(roads_of(&info)["file"], "town.xodr");
    fs::write(&roads, ROAD.replace("600", "500")).unwrap();
    json(&[&base[..], &small].concat());
    let again = json(&["info", text(&clip)]);
    assert_ne!(roads_of(&again)["content_hash"], roads_of(&info)["content_hash"]);
    assert_ne!(again["content_hash"], info["content_hash"], "another file is another drive");
    fs::write(&roads, ROAD.replace("length=\"600\"", "length=\"-6\"")).unwrap();
    let other = folder.path().join("other");
    let base = ["generate", "--out", text(&other), "--roads", text(&roads)];
    refused(&[&base[..], &small].concat(), 2, &["town.xodr", "length"]);
    assert!(!other.join("any-0001.mcap").exists());
}

#[test]
fn what_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("file"), folder.path().join("out"));
    fs::write(&file, "x").unwrap();
    let base = ["generate", "--size", "64x32", "--seconds", "1", "--rate"];
    refused(&[&base[..], &["1", "--out", text(&file)]].concat(), 4, &[text(&file)]);
    refused(&[&base[..], &["-3", "--out", text(&out)]].concat(), 2, &["--rate is -3"]);
    let toml = folder.path().join("lanes.toml");
    fs::write(&toml, "[place]\nlanes = 1\n[[event]]\nkind = \"cut_in\"\n").unwrap();
    let more = ["1", "--out", text(&out), "--scenario", text(&toml)];
    refused(&[&base[..], &more].concat(), 2, &["lanes.toml", "needs a second lane"]);
    assert!(!out.join("lanes-0001.mcap").exists());
}
