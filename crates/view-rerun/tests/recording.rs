//! A recording is written, replaces its target only when whole, and reads back.

#[path = "../../view/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use ommatidia_scene::Taxonomy;
use ommatidia_view_rerun::{Error, record};
use re_log_encoding::DecoderApp;
use re_sdk::log::{Chunk, LogMsg};

/// Rows per entity.
fn rows(path: &std::path::Path) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for message in DecoderApp::decode_lazy(BufReader::new(File::open(path).unwrap())) {
        if let LogMsg::ArrowMsg(_, message) = message.unwrap() {
            let chunk = Chunk::from_arrow_msg(&message).unwrap();
            *rows.entry(chunk.entity_path().to_string()).or_default() += chunk.num_rows();
        }
    }
    rows
}

#[test]
fn what_is_recorded_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let (clip, labels) = common::stored(directory.path());
    let path = directory.path().join("drive.rrd");
    let mut calls = 0;
    let summary =
        record(&clip, Some(&labels), &Taxonomy::driving(), &path, &mut |_| calls += 1).unwrap();
    assert_eq!((summary.frames, summary.images, summary.clouds), (12, 12, 12));
    assert_eq!((summary.labelled, calls), (12, 12));
    assert_eq!(summary.bytes, std::fs::metadata(&path).unwrap().len());
    let rows = rows(&path);
    let camera = "/world/ego/cameras/front\\ \\<left\\>";
    let per_frame = |entity: &str| rows.get(entity).copied().unwrap_or(0);
    for entity in ["/world/ego", "/world/ego/occupancy", "/world/ego/surface", "/world/ego/objects"]
    {
        assert_eq!(per_frame(entity), 12, "{entity}: {rows:?}");
    }
    for child in ["image", "depth"] {
        assert_eq!(per_frame(&format!("{camera}/{child}")), 12, "{child}: {rows:?}");
    }
    // Mounting with the static entry, then one sweep per frame.
    assert!(per_frame("/world/ego/lidars/top") >= 13, "{rows:?}");
    assert!(rows.contains_key("/world/given"), "{rows:?}");
}

#[test]
fn a_recording_that_cannot_be_written_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (clip, _) = common::stored(directory.path());
    let path = directory.path().join("nowhere/drive.rrd");
    let error = record(&clip, None, &Taxonomy::driving(), &path, &mut |_| ()).unwrap_err();
    assert!(
        matches!(error, Error::Write { .. }) && error.to_string().contains("nowhere"),
        "{error}"
    );
    assert!(!path.exists());
}
