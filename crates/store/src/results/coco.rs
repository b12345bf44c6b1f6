//! COCO's files of instances: annotations as truth, results as predictions.

use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::formats::common::inputs::{MAX_TEXT_BYTES, parse_json, read_bounded};

/// Truth: `instances_*.json`. Other keys are left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CocoTruth {
    /// The images.
    pub images: Vec<CocoImage>,
    /// True instances.
    pub annotations: Vec<CocoAnnotation>,
    /// The classes.
    pub categories: Vec<CocoCategory>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CocoImage {
    /// Its number.
    pub id: i64,
    /// Pixels along x.
    pub width: u32,
    /// Pixels along y.
    pub height: u32,
}

/// A class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CocoCategory {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// A true instance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CocoAnnotation {
    /// Its image.
    pub image_id: i64,
    /// Its class.
    pub category_id: i64,
    /// Its pixels.
    #[serde(default)]
    pub segmentation: Option<CocoMask>,
    /// Left, top, width, height, pixels.
    #[serde(default)]
    pub bbox: Option<[f64; 4]>,
    /// Pixels squared.
    pub area: f64,
    /// 1 where it stands for many.
    #[serde(default)]
    pub iscrowd: u8,
}

/// A predicted instance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CocoResult {
    /// Its image.
    pub image_id: i64,
    /// Its class.
    pub category_id: i64,
    /// Its pixels.
    #[serde(default)]
    pub segmentation: Option<CocoMask>,
    /// Left, top, width, height, pixels.
    #[serde(default)]
    pub bbox: Option<[f64; 4]>,
    /// Higher is surer.
    pub score: f64,
}

/// Pixels: run lengths, or the corners of polygons.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum CocoMask {
    /// Run lengths.
    Runs {
        /// Height and width.
        size: [u32; 2],
        /// The runs.
        counts: CocoCounts,
    },
    /// Corners x, y in turn, of each polygon.
    Polygons(Vec<Vec<f64>>),
}

/// Run lengths down the columns, first those outside.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum CocoCounts {
    /// As COCO's own text.
    Text(String),
    /// As numbers.
    Numbers(Vec<u32>),
}

/// Reads truth.
///
/// # Errors
/// Unreadable or too large file, or JSON of another shape, with line and column.
pub fn read_truth(path: &Path) -> Result<CocoTruth, Error> {
    parse_json(path, &read_bounded(path, MAX_TEXT_BYTES, "it holds true instances")?)
}

/// Reads results.
///
/// # Errors
/// As [`read_truth`].
pub fn read_results(path: &Path) -> Result<Vec<CocoResult>, Error> {
    parse_json(path, &read_bounded(path, MAX_TEXT_BYTES, "it holds predicted instances")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_every_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        let text = r#"[
            {"image_id": 1, "category_id": 2, "score": 0.5, "segmentation": {"size": [2, 3], "counts": "24"}},
            {"image_id": 1, "category_id": 2, "score": 1, "segmentation": {"size": [2, 3], "counts": [2, 4]}},
            {"image_id": 1, "category_id": 2, "score": 1, "segmentation": [[0, 0, 1, 0, 1, 1]]}]"#;
        std::fs::write(&path, text).unwrap();
        let results = read_results(&path).unwrap();
        let runs = |counts| Some(CocoMask::Runs { size: [2, 3], counts });
        assert_eq!(results[0].segmentation, runs(CocoCounts::Text("24".to_owned())));
        assert_eq!(results[1].segmentation, runs(CocoCounts::Numbers(vec![2, 4])));
        assert!(matches!(&results[2].segmentation, Some(CocoMask::Polygons(p)) if p[0].len() == 6));
        std::fs::write(&path, "[\n{\"image_id\": 1}]").unwrap();
        let error = read_results(&path).unwrap_err().to_string();
        assert!(error.contains("results.json") && error.contains("line 2"), "{error}");
    }
}
