//! The page's structure: every section there, nothing fetched from elsewhere, the same bytes each time.

mod common;

use common::{FRAMES, image, path, rig, space, stored};
use ommatidia_scene::{
    ClassId, ContentHash, Input, PoseSource, Provenance, RgbImage, Scale, Skipped, Taxonomy,
    Trajectory, VectorSpace,
};
use ommatidia_view::Error;
use ommatidia_view::report::{
    MetricTable, ReportFrame, ReportInput, StageSummary, choose_frames, render,
};

fn input() -> ReportInput {
    let taxonomy = Taxonomy::driving();
    let frame = |index| ReportFrame {
        index,
        space: space(index, taxonomy.id("building").unwrap_or_default()),
        images: vec![Some(image())],
    };
    let inputs = vec![Input { name: "image_0/000000.png".into(), blake3: ContentHash([7; 32]) }];
    ReportInput {
        clip: "drive <&> 7".into(),
        format: "images".into(),
        rig: rig(),
        frame_times: path(0.0).iter().map(|sample| sample.timestamp).collect(),
        trajectory: Trajectory::new(PoseSource::Odometry, Scale::Unknown, path(0.0)).ok(),
        truth: Some(path(0.01)),
        frames: choose_frames(FRAMES, 2).into_iter().map(frame).collect(),
        stages: vec![StageSummary {
            name: "depth".into(),
            confidence: Some(0.7),
            outputs: vec!["depth".into()],
            skipped: vec![Skipped { what: "frame".into(), why: "blurred".into(), count: 1 }],
        }],
        metrics: vec![MetricTable::new("Trajectory", &serde_json::json!({"ate_rmse_m": 0.25}))],
        provenance: vec![(
            "labels".into(),
            Provenance::new(inputs, serde_json::json!({"depth": {"window": 5}})),
        )],
        hashes: vec![("clip".into(), ContentHash([3; 32]).to_string())],
        taxonomy,
    }
}

fn count(page: &str, part: &str) -> usize {
    page.matches(part).count()
}

#[test]
fn every_section_is_there() {
    let page = render(&input()).unwrap();
    for id in ["trajectory", "frames", "metrics", "stages", "rig", "provenance"] {
        assert_eq!(count(&page, &format!("<section id=\"{id}\"")), 1, "{id}");
    }
    assert_eq!(count(&page, "<article"), 2);
    // Per frame: the oblique view and the camera; the view from above is inside an SVG.
    assert_eq!((count(&page, "<img "), count(&page, "<image ")), (4, 2));
    for text in ["ate_rmse_m", "0.2500", "1 × frame: blurred", "window", "building", "0707", "0303"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("Scale is unknown"));
    assert!(!page.contains("NaN") && !page.contains("inf\""));
}

#[test]
fn nothing_comes_from_elsewhere() {
    let page = render(&input()).unwrap();
    for part in ["http:", "https:", "//cdn", "<script", "<link", "@import", "url(", "file:"] {
        assert_eq!(count(&page, part), 0, "{part}");
    }
    let sources = count(&page, "src=\"") + count(&page, "href=\"");
    assert_eq!(sources, count(&page, "=\"data:image/") + count(&page, "href=\"#"));
}

#[test]
fn names_cannot_break_the_page() {
    let page = render(&input()).unwrap();
    assert!(page.contains("drive &lt;&amp;&gt; 7") && page.contains("front &lt;left&gt;"));
    assert!(!page.contains("drive <&>") && !page.contains("<left>"));
}

#[test]
fn the_same_labels_give_the_same_bytes() {
    assert_eq!(render(&input()).unwrap(), render(&input()).unwrap());
}

#[test]
fn labels_without_anything_are_said_to_be_so() {
    let empty = ReportInput {
        trajectory: None,
        truth: None,
        frames: vec![ReportFrame { index: 0, space: VectorSpace::default(), images: vec![None] }],
        stages: vec![],
        metrics: vec![],
        frame_times: vec![],
        ..input()
    };
    let page = render(&empty).unwrap();
    for text in ["No poses", "Nothing around the vehicle", "No stage has run"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("id=\"metrics\"") && !page.contains("NaN"));
}

#[test]
fn occupancy_without_classes_is_coloured_by_height() {
    let mut geometry_only = input();
    for frame in &mut geometry_only.frames {
        frame.space = space(frame.index, ClassId::UNKNOWN);
    }
    assert!(render(&geometry_only).unwrap().contains("no class is known"));
    assert!(!render(&input()).unwrap().contains("no class is known"));
}

#[test]
fn depth_that_does_not_fit_its_image_is_an_error() {
    let mut broken = input();
    broken.frames[0].images = vec![Some(RgbImage::new(2, 1, vec![0; 6]))];
    let error = render(&broken).unwrap_err();
    assert!(matches!(error, Error::Frame { .. }) && error.to_string().contains("2x1"), "{error}");
}

#[test]
fn a_report_is_filled_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (clip, labels) = stored(directory.path());
    let input = ReportInput::read(&clip, &labels, Taxonomy::driving(), 3).unwrap();
    assert_eq!(
        (input.frames.len(), input.frame_times.len(), input.clip.as_str()),
        (3, FRAMES, "drive 7")
    );
    let page = render(&input).unwrap();
    assert_eq!(count(&page, "<article"), 3);
    assert_eq!(count(&page, "depth at 50.0 % of the pixels"), 3);
    assert!(page.contains(&clip.content_hash().to_string()) && page.contains("voxels.parquet"));
}
