//! Semantic segmentation: mIoU, frequency-weighted IoU, pixel accuracy.
//!
//! Long, Shelhamer & Darrell 2015, section 5; classes that neither side has are left out, as Cityscapes'
//! and mmsegmentation's scripts do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::confusion::{Absent, Confusion};
use crate::protocol::Protocol;

/// Which classes there are, and which count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SemanticsProtocol {
    /// Class names; the position is the number in the files.
    pub classes: Vec<String>,
    /// Numbers that are not judged where the truth has them.
    #[serde(default)]
    pub ignored: Vec<u8>,
    /// Classes left out of the mean, by name; they are still told apart.
    #[serde(default)]
    pub not_averaged: Vec<String>,
    /// What a class that neither side has contributes.
    #[serde(default)]
    pub absent: Absent,
}

impl Protocol for SemanticsProtocol {
    const KIND: &'static str = "semantics";
    const NAMED: &'static [(&'static str, &'static str)] = &[
        ("cityscapes", include_str!("../protocols/cityscapes.toml")),
        ("camvid", include_str!("../protocols/camvid.toml")),
    ];

    fn check(&self) -> Result<(), String> {
        let count = self.classes.len();
        if count == 0 || count > 256 {
            return Err(format!("{count} classes; 1 to 256 can be told apart"));
        }
        for (index, class) in self.classes.iter().enumerate() {
            if self.classes[..index].contains(class) {
                return Err(format!("class {class} is listed twice"));
            }
        }
        let unknown = self.not_averaged.iter().find(|name| !self.classes.contains(name));
        unknown.map_or(Ok(()), |name| Err(format!("{name} in not_averaged is no class")))
    }
}

impl SemanticsProtocol {
    /// Numbers of the classes in the mean.
    pub fn averaged(&self) -> impl Iterator<Item = usize> + '_ {
        let counts = |(_, name): &(usize, &String)| !self.not_averaged.contains(name);
        self.classes.iter().enumerate().filter(counts).map(|(class, _)| class)
    }

    /// Scores of what was counted.
    pub fn report(&self, confusion: &Confusion) -> SemanticsReport {
        let per_class = self.averaged().map(|class| {
            let counts = ClassReport {
                iou: confusion.iou(class),
                truth: confusion.truth(class),
                predicted: confusion.predicted(class),
            };
            (self.classes[class].clone(), counts)
        });
        SemanticsReport {
            miou: confusion.mean_iou(self.averaged(), self.absent),
            frequency_weighted_iou: confusion.frequency_weighted_iou(),
            pixel_accuracy: confusion.accuracy(),
            mean_accuracy: confusion.mean_accuracy(),
            per_class: per_class.collect(),
            judged: confusion.total(),
        }
    }
}

/// One class's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassReport {
    /// Intersection over union; `None` if the class occurs in neither.
    pub iou: Option<f64>,
    /// Elements of the truth.
    pub truth: u64,
    /// Elements of the prediction.
    pub predicted: u64,
}

/// Scores over everything judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SemanticsReport {
    /// Mean intersection over union.
    pub miou: Option<f64>,
    /// Intersection over union weighted by the classes' share of the truth.
    pub frequency_weighted_iou: Option<f64>,
    /// Share of right pixels.
    pub pixel_accuracy: Option<f64>,
    /// Mean over the true classes of the share found.
    pub mean_accuracy: Option<f64>,
    /// The classes in the mean.
    pub per_class: BTreeMap<String, ClassReport>,
    /// Pixels judged.
    pub judged: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol() -> SemanticsProtocol {
        SemanticsProtocol {
            classes: ["sky", "road", "car"].map(str::to_owned).to_vec(),
            ignored: vec![11],
            not_averaged: vec!["sky".to_owned()],
            absent: Absent::Skipped,
        }
    }

    #[test]
    fn classes_out_of_the_mean_still_confuse() {
        let protocol = protocol();
        protocol.check().unwrap();
        let mut confusion = Confusion::new(3);
        confusion.add(&[0, 0, 1, 1, 11], &[0, 1, 1, 1, 2], None, &protocol.ignored).unwrap();
        let report = protocol.report(&confusion);
        assert_eq!(report.miou, Some(2.0 / 3.0));
        assert_eq!((report.pixel_accuracy, report.judged), (Some(0.75), 4));
        assert_eq!(report.per_class["car"].iou, None);
        assert!(!report.per_class.contains_key("sky"));
    }

    #[test]
    fn named_protocols_are_sound() {
        crate::protocol::check_named::<SemanticsProtocol>();
    }

    #[test]
    fn broken_protocols_say_what_is_wrong() {
        let check = |change: fn(&mut SemanticsProtocol), expected: &str| {
            let mut broken = protocol();
            change(&mut broken);
            let error = broken.check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(|p| p.classes.clear(), "0 classes");
        check(|p| p.classes[2] = "sky".to_owned(), "sky is listed twice");
        check(|p| p.not_averaged.push("tree".to_owned()), "tree in not_averaged");
    }
}
