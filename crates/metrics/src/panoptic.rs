//! Panoptic quality: PQ = SQ x RQ, over pixels, voxels or rays.
//!
//! Kirillov et al. 2019, section 4. Two segments match if they are of one class and overlap by more than
//! half of their union; then each matches at most once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::confusion::mean;

/// What elements without a predicted class count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlabelled {
    /// As missed. COCO's `panopticapi`.
    #[default]
    Missed,
    /// As not judged, and true segments that are mostly so are not missed. `torchmetrics`.
    Excluded,
}

/// Which classes there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanopticProtocol {
    /// Classes whose instances are told apart.
    pub things: BTreeSet<u8>,
    /// Classes of which a frame has one segment.
    pub stuff: BTreeSet<u8>,
    /// Numbers that mean no label; others than these, things and stuff are errors.
    #[serde(default)]
    pub void: BTreeSet<u8>,
    /// Elements without a predicted class.
    #[serde(default)]
    pub unlabelled: Unlabelled,
    /// Unmatched segments with fewer elements do not count (SemanticKITTI: 50 points).
    #[serde(default)]
    pub min_elements: u64,
}

/// One frame's segments: class and instance of each element.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    /// Class of each element.
    pub classes: &'a [u8],
    /// Instance of each element; only told apart within a class of things.
    pub instances: &'a [u32],
}

/// Matches of one class.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ClassQuality {
    /// Matched segments.
    pub matched: u64,
    /// Predicted segments without a match.
    pub false_positives: u64,
    /// True segments without a match.
    pub missed: u64,
    /// Sum of the matches' intersection over union.
    pub iou_sum: f64,
}

impl ClassQuality {
    /// Segmentation quality: mean intersection over union of matches, 0 without one.
    pub fn sq(&self) -> f64 {
        if self.matched == 0 { 0.0 } else { self.iou_sum / self.matched as f64 }
    }

    /// Recognition quality: F1 of segments; `None` if neither side has any.
    pub fn rq(&self) -> Option<f64> {
        let all = self.matched as f64 + 0.5 * (self.false_positives + self.missed) as f64;
        (all > 0.0).then(|| self.matched as f64 / all)
    }

    /// Panoptic quality.
    pub fn pq(&self) -> Option<f64> {
        self.rq().map(|rq| self.sq() * rq)
    }

    fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.false_positives += other.false_positives;
        self.missed += other.missed;
        self.iou_sum += other.iou_sum;
    }
}

/// Matches by class, of one frame or of many.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PanopticCounts {
    /// By class.
    pub classes: BTreeMap<u8, ClassQuality>,
}

/// Means over classes that occur.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PanopticQuality {
    /// Panoptic quality.
    pub pq: f64,
    /// Segmentation quality.
    pub sq: f64,
    /// Recognition quality.
    pub rq: f64,
    /// Classes in the mean.
    pub classes: usize,
}

impl PanopticCounts {
    /// Adds another frame.
    pub fn add(&mut self, other: &Self) {
        for (class, quality) in &other.classes {
            self.classes.entry(*class).or_default().add(quality);
        }
    }

    /// Means over those of `classes` that occur; `None` if none does.
    pub fn quality(&self, classes: impl Fn(u8) -> bool) -> Option<PanopticQuality> {
        let occurring: Vec<&ClassQuality> = self
            .classes
            .iter()
            .filter(|(class, quality)| classes(**class) && quality.rq().is_some())
            .map(|(_, quality)| quality)
            .collect();
        Some(PanopticQuality {
            pq: mean(occurring.iter().filter_map(|q| q.pq()))?,
            sq: mean(occurring.iter().map(|q| q.sq()))?,
            rq: mean(occurring.iter().filter_map(|q| q.rq()))?,
            classes: occurring.len(),
        })
    }
}

/// Matches one frame's segments. `crowds`: true segments that stand for many instances (COCO's `iscrowd`);
/// they are neither matched nor missed, and predictions of their class that mostly cover them are not wrong.
///
/// # Errors
/// [`Error::Lengths`] where lists differ in length; [`Error::ClassOutside`] naming the first element of a
/// class that the protocol lacks.
pub fn compare_segments(
    truth: Segments<'_>,
    predicted: Segments<'_>,
    crowds: &BTreeSet<(u8, u32)>,
    protocol: &PanopticProtocol,
) -> Result<PanopticCounts, Error> {
    let keys = protocol.keys();
    let count = truth.classes.len();
    for other in [truth.instances.len(), predicted.classes.len(), predicted.instances.len()] {
        if other != count {
            return Err(Error::Lengths { what: "elements", truth: count, predicted: other });
        }
    }
    let overlaps = Overlaps::new(
        keys.of(truth, "truth")?.into_iter(),
        keys.of(predicted, "prediction")?.into_iter(),
        None,
    );
    let crowds = crowds.iter().map(|&(class, instance)| key(class, instance)).collect();
    Ok(overlaps.matched(&crowds, protocol.unlabelled, protocol.min_elements))
}

/// The key of what has no label.
pub(crate) const VOID: u64 = u64::MAX;

/// Class in the upper half, instance in the lower.
pub(crate) fn key(class: u8, instance: u32) -> u64 {
    u64::from(class) << 32 | u64::from(instance)
}

fn class_of(key: u64) -> u8 {
    (key >> 32) as u8
}

/// What each class number means.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Thing,
    Stuff,
    Void,
    Outside,
}

struct Keys {
    kinds: [Kind; 256],
    last: usize,
}

impl PanopticProtocol {
    fn keys(&self) -> Keys {
        let kind = |class: u8| {
            if self.things.contains(&class) {
                Kind::Thing
            } else if self.stuff.contains(&class) {
                Kind::Stuff
            } else if self.void.contains(&class) {
                Kind::Void
            } else {
                Kind::Outside
            }
        };
        let last = self.things.iter().chain(&self.stuff).max().copied().unwrap_or_default();
        Keys { kinds: std::array::from_fn(|class| kind(class as u8)), last: usize::from(last) }
    }
}

impl Keys {
    fn of(&self, segments: Segments<'_>, which: &'static str) -> Result<Vec<u64>, Error> {
        let elements = segments.classes.iter().zip(segments.instances).enumerate();
        elements
            .map(|(index, (&class, &instance))| match self.kinds[usize::from(class)] {
                Kind::Thing => Ok(key(class, instance)),
                Kind::Stuff => Ok(key(class, 0)),
                Kind::Void => Ok(VOID),
                Kind::Outside => Err(Error::ClassOutside { which, index, class, last: self.last }),
            })
            .collect()
    }
}

/// Areas of segments and of their intersections.
pub(crate) struct Overlaps {
    truth: BTreeMap<u64, u64>,
    predicted: BTreeMap<u64, u64>,
    both: BTreeMap<(u64, u64), u64>,
}

impl Overlaps {
    /// From the keys of all elements. Elements that `near` (where given) excludes belong to their segments
    /// but to no intersection.
    pub(crate) fn new(
        truth: impl Iterator<Item = u64>,
        predicted: impl Iterator<Item = u64>,
        near: Option<&[bool]>,
    ) -> Self {
        // Elements in a row mostly belong to the same pair: runs are counted before they are looked up.
        let mut pairs: HashMap<(u64, u64, bool), u64> = HashMap::new();
        let mut run: Option<((u64, u64, bool), u64)> = None;
        for (index, (t, p)) in truth.zip(predicted).enumerate() {
            let pair = (t, p, near.is_none_or(|near| near[index]));
            match &mut run {
                Some((of, length)) if *of == pair => *length += 1,
                _ => {
                    if let Some((of, length)) = run.replace((pair, 1)) {
                        *pairs.entry(of).or_default() += length;
                    }
                }
            }
        }
        if let Some((of, length)) = run {
            *pairs.entry(of).or_default() += length;
        }
        // Ordered maps: sums of quotients must not depend on the order of hashing.
        let mut overlaps =
            Self { truth: BTreeMap::new(), predicted: BTreeMap::new(), both: BTreeMap::new() };
        for ((t, p, near), count) in pairs {
            *overlaps.truth.entry(t).or_default() += count;
            *overlaps.predicted.entry(p).or_default() += count;
            if near {
                *overlaps.both.entry((t, p)).or_default() += count;
            }
        }
        overlaps
    }

    fn both(&self, truth: u64, predicted: u64) -> u64 {
        self.both.get(&(truth, predicted)).copied().unwrap_or(0)
    }

    /// Pairs that overlap by more than half of their union, with their intersection over union.
    pub(crate) fn pairs_above_half(&self) -> Vec<(u64, u64, f64)> {
        let pair = |(&(t, p), &both): (&(u64, u64), &u64)| {
            let iou = both as f64 / (self.truth[&t] + self.predicted[&p] - both) as f64;
            (iou > 0.5).then_some((t, p, iou))
        };
        self.both.iter().filter_map(pair).collect()
    }

    /// How many true and predicted segments have a key above `least`.
    pub(crate) fn segments_above(&self, least: u64) -> (u64, u64) {
        let above = |areas: &BTreeMap<u64, u64>| areas.range(least + 1..).count() as u64;
        (above(&self.truth), above(&self.predicted))
    }

    /// Matches of equal class.
    pub(crate) fn matched(
        &self,
        crowds: &BTreeSet<u64>,
        unlabelled: Unlabelled,
        min_elements: u64,
    ) -> PanopticCounts {
        let mut counts = PanopticCounts::default();
        let (mut found, mut used) = (BTreeSet::new(), BTreeSet::new());
        let excluded = |t: u64| match unlabelled {
            Unlabelled::Missed => 0,
            Unlabelled::Excluded => self.both(t, VOID),
        };
        for (&(t, p), &both) in &self.both {
            if t == VOID || p == VOID || class_of(t) != class_of(p) || crowds.contains(&t) {
                continue;
            }
            let union =
                self.predicted[&p] - self.both(VOID, p) + self.truth[&t] - excluded(t) - both;
            let iou = both as f64 / union as f64;
            if iou > 0.5 {
                let quality = counts.classes.entry(class_of(t)).or_default();
                quality.matched += 1;
                quality.iou_sum += iou;
                found.insert(t);
                used.insert(p);
            }
        }
        for (&t, &area) in &self.truth {
            let judged = t != VOID && !crowds.contains(&t) && area >= min_elements;
            if judged && !found.contains(&t) && 2 * excluded(t) <= area {
                counts.classes.entry(class_of(t)).or_default().missed += 1;
            }
        }
        for (&p, &area) in &self.predicted {
            if p == VOID || used.contains(&p) || area < min_elements {
                continue;
            }
            let of_its_class = |t: &&u64| class_of(**t) == class_of(p);
            let crowd: u64 = crowds.iter().filter(of_its_class).map(|&t| self.both(t, p)).sum();
            if 2 * (self.both(VOID, p) + crowd) <= area {
                counts.classes.entry(class_of(p)).or_default().false_positives += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn protocol(unlabelled: Unlabelled) -> PanopticProtocol {
        PanopticProtocol {
            things: [1, 2].into(),
            stuff: [3].into(),
            void: [255].into(),
            unlabelled,
            min_elements: 0,
        }
    }

    fn compared(
        truth: &[(u8, u32)],
        predicted: &[(u8, u32)],
        crowds: &[(u8, u32)],
    ) -> PanopticCounts {
        let (t, ti): (Vec<u8>, Vec<u32>) = truth.iter().copied().unzip();
        let (p, pi): (Vec<u8>, Vec<u32>) = predicted.iter().copied().unzip();
        compare_segments(
            Segments { classes: &t, instances: &ti },
            Segments { classes: &p, instances: &pi },
            &crowds.iter().copied().collect(),
            &protocol(Unlabelled::Missed),
        )
        .unwrap()
    }

    fn check(counts: &PanopticCounts, class: u8, expected: (u64, u64, u64, f64)) {
        let q = counts.classes.get(&class).copied().unwrap_or_default();
        assert_eq!((q.matched, q.false_positives, q.missed, q.iou_sum), expected, "class {class}");
    }

    #[test]
    fn by_hand() {
        let truth = [(1, 1), (1, 1), (1, 1), (1, 2), (3, 9), (3, 8), (255, 0), (2, 1)];
        let predicted = [(1, 7), (1, 7), (3, 0), (1, 7), (3, 0), (3, 1), (1, 7), (2, 5)];
        let counts = compared(&truth, &predicted, &[]);
        // Three of the seventh's four judged elements, two of them in the first: 2 of 4 is not more
        // than half.
        check(&counts, 1, (0, 1, 2, 0.0));
        check(&counts, 2, (1, 0, 0, 1.0));
        check(&counts, 3, (1, 0, 0, 2.0 / 3.0));
        let quality = counts.quality(|_| true).unwrap();
        assert!((quality.pq - (0.0 + 1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-15);
        assert_eq!((quality.rq, quality.classes), (2.0 / 3.0, 3));
    }

    #[test]
    fn crowds_and_void_excuse() {
        let truth = [(1, 1), (1, 1), (255, 0), (255, 0), (2, 4)];
        let predicted = [(1, 5), (1, 5), (2, 6), (2, 6), (2, 6)];
        let counts = compared(&truth, &predicted, &[(1, 1)]);
        check(&counts, 1, (0, 0, 0, 0.0));
        // Two of three elements lie on void; what is left matches.
        check(&counts, 2, (1, 0, 0, 1.0));
        assert_eq!(compared(&[(255, 0); 3], &[(1, 1); 3], &[]).quality(|_| true), None);
        assert_eq!(compared(&[], &[], &[]).quality(|_| true), None);
    }

    #[test]
    fn a_class_that_is_not_there_is_named() {
        let (t, i) = ([1, 3, 9], [0, 0, 0]);
        let segments = Segments { classes: &t, instances: &i };
        let result =
            compare_segments(segments, segments, &BTreeSet::new(), &protocol(Unlabelled::Missed));
        let expected = Error::ClassOutside { which: "truth", index: 2, class: 9, last: 3 };
        assert_eq!(result, Err(expected));
    }

    fn segments() -> impl Strategy<Value = Vec<((u8, u32), (u8, u32))>> {
        let element = || (prop_oneof![1u8..4, Just(255)], 0u32..4);
        proptest::collection::vec((element(), element()), 1..120)
    }

    proptest! {
        #[test]
        fn identity_scores_one(pairs in segments()) {
            let (truth, _): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let quality = compared(&truth, &truth, &[]).quality(|_| true);
            prop_assert!(quality.is_none_or(|q| (q.pq, q.sq, q.rq) == (1.0, 1.0, 1.0)));
        }

        #[test]
        fn order_and_names_do_not_matter(pairs in segments(), turn in 0usize..120) {
            let mut turned = pairs.clone();
            turned.rotate_left(turn % pairs.len());
            let (truth, predicted): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let (other, renamed): (Vec<_>, Vec<_>) =
                turned.into_iter().map(|(t, (class, id))| (t, (class, 3 - id + 40))).unzip();
            let (a, b) = (compared(&truth, &predicted, &[]), compared(&other, &renamed, &[]));
            for (class, quality) in &a.classes {
                let twin = b.classes[class];
                prop_assert!((quality.iou_sum - twin.iou_sum).abs() < 1e-12);
                prop_assert_eq!(quality.matched, twin.matched);
                prop_assert_eq!(quality.false_positives, twin.false_positives);
            }
        }

        #[test]
        fn a_false_positive_never_helps(pairs in segments()) {
            let (mut truth, mut predicted): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let before = compared(&truth, &predicted, &[]);
            truth.push((3, 0));
            predicted.push((3, 0));
            let plain = compared(&truth, &predicted, &[]);
            *predicted.last_mut().unwrap() = (1, 99);
            let worse = compared(&truth, &predicted, &[]);
            let pq = |counts: &PanopticCounts, class| counts.classes.get(&class).and_then(ClassQuality::pq);
            prop_assert!(pq(&worse, 1).unwrap() <= pq(&before, 1).unwrap_or(1.0));
            prop_assert!(pq(&worse, 3) <= pq(&plain, 3));
        }
    }
}
