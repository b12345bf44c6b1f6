//! COCO's average precision and recall, whatever the measure of overlap: masks, boxes, keypoints.
//!
//! Lin et al. 2014 and `pycocotools.cocoeval.COCOeval`: greedy matching per image and class by falling
//! score, ten thresholds of overlap, 101 points of recall, three ranges of area.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Which thresholds, areas and numbers of detections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CocoProtocol {
    /// Thresholds of overlap.
    pub overlaps: Vec<f64>,
    /// Ranges of area, pixels squared, both ends within; the first is that of AP itself.
    pub areas: Vec<[f64; 2]>,
    /// Most detections per image and class, ascending; the last is that of AP.
    pub max_detections: Vec<usize>,
}

impl Default for CocoProtocol {
    /// `Params.setDetParams` of `pycocotools`.
    fn default() -> Self {
        // As numpy.linspace(0.5, 0.95, 10) rounds.
        let step = (0.95 - 0.5) / 9.0;
        let mut overlaps: Vec<f64> = (0..10).map(|i| f64::from(i) * step + 0.5).collect();
        overlaps[9] = 0.95;
        const FAR: f64 = 1e10;
        Self {
            overlaps,
            areas: vec![[0.0, FAR], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, FAR]],
            max_detections: vec![1, 10, 100],
        }
    }
}

impl CocoProtocol {
    /// `Params.setKpParams` of `pycocotools`: 20 detections, areas from medium on.
    pub fn keypoints() -> Self {
        let areas = vec![[0.0, 1e10], [1024.0, 9216.0], [9216.0, 1e10]];
        Self { areas, max_detections: vec![20], ..Self::default() }
    }
}

/// A true object of one image and class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CocoTruth {
    /// Area, pixels squared.
    pub area: f64,
    /// Neither to be found nor wrong to find: crowds, and objects without a labelled keypoint.
    pub ignored: bool,
    /// Stands for many: may be matched more than once.
    pub crowd: bool,
}

/// A detection of one image and class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CocoDetection {
    /// Higher is surer.
    pub score: f64,
    /// Area, pixels squared.
    pub area: f64,
}

/// Gathers images, then reports. Images must be added in the order of their numbers: ties in score are
/// resolved by it, as the official tool does.
#[derive(Debug, Clone)]
pub struct CocoAccumulator {
    protocol: CocoProtocol,
    /// By class, then by area range.
    classes: Vec<Vec<Matches>>,
}

/// One class and one range of area.
#[derive(Debug, Clone, Default)]
struct Matches {
    /// Objects to find.
    objects: u64,
    seen: bool,
    /// Score, rank within its image, and per threshold whether it is matched and whether it is ignored.
    detections: Vec<(f64, u32, u32, u32)>,
}

/// Average precision and recall. `None` where there is nothing to find: `pycocotools` prints -1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CocoReport {
    /// Mean over thresholds and classes, all areas.
    pub ap: Option<f64>,
    /// At each threshold of overlap.
    pub ap_at: Vec<Option<f64>>,
    /// In each range of area.
    pub ap_by_area: Vec<Option<f64>>,
    /// Average recall with each number of detections, all areas.
    pub ar: Vec<Option<f64>>,
    /// Average recall in each range of area, with most detections.
    pub ar_by_area: Vec<Option<f64>>,
    /// AP of each class, mean over thresholds, all areas.
    pub ap_per_class: Vec<Option<f64>>,
}

/// Objects and detections that count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CocoCounts {
    /// Objects to find.
    pub objects: u64,
    /// Of them found, mean over the thresholds of overlap.
    pub found: f64,
    /// Found at the first threshold.
    pub found_at_first: u64,
    /// Detections that are wrong at the first threshold.
    pub wrong_at_first: u64,
}

const RECALLS: usize = 101;

impl CocoAccumulator {
    /// Nothing added yet.
    ///
    /// # Errors
    /// [`Error::Protocol`] without thresholds, areas or numbers of detections, or with more than 32
    /// thresholds.
    pub fn new(protocol: CocoProtocol, classes: usize) -> Result<Self, Error> {
        let fail =
            |what: &str| Err(Error::Protocol { name: "coco".to_owned(), what: what.to_owned() });
        if !(1..=32).contains(&protocol.overlaps.len()) {
            return fail("give 1 to 32 thresholds of overlap");
        }
        if protocol.areas.is_empty() || !protocol.max_detections.is_sorted() {
            return fail("give at least one range of area and ascending numbers of detections");
        }
        if protocol.max_detections.is_empty() {
            return fail("give at least one number of detections");
        }
        let areas = protocol.areas.len();
        Ok(Self { protocol, classes: vec![vec![Matches::default(); areas]; classes] })
    }

    /// Adds one image's objects and detections of `class`. `overlap(d, t)` is that of the detection and
    /// the object in the order given.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a score that is NaN.
    pub fn add(
        &mut self,
        class: usize,
        truth: &[CocoTruth],
        detections: &[CocoDetection],
        overlap: impl Fn(usize, usize) -> f64,
    ) -> Result<(), Error> {
        if let Some(index) = detections.iter().position(|d| d.score.is_nan()) {
            return Err(Error::NotFinite { which: "scores", index });
        }
        if truth.is_empty() && detections.is_empty() {
            return Ok(());
        }
        let most = self.protocol.max_detections.last().copied().unwrap_or(0);
        let mut by_score: Vec<usize> = (0..detections.len()).collect();
        by_score.sort_by(|&a, &b| detections[b].score.total_cmp(&detections[a].score));
        by_score.truncate(most);
        let overlaps: Vec<f64> = by_score
            .iter()
            .flat_map(|&d| (0..truth.len()).map(move |t| (d, t)))
            .map(|(d, t)| overlap(d, t))
            .collect();
        for (range, matches) in self.protocol.areas.iter().zip(&mut self.classes[class]) {
            let outside = |area: f64| area < range[0] || area > range[1];
            let ignored: Vec<bool> = truth.iter().map(|t| t.ignored || outside(t.area)).collect();
            // Objects to find come first: a detection prefers them.
            let mut order: Vec<usize> = (0..truth.len()).collect();
            order.sort_by_key(|&t| ignored[t]);
            let start = matches.detections.len();
            matches.objects += ignored.iter().filter(|&&ignored| !ignored).count() as u64;
            matches.seen = true;
            matches.detections.extend(
                by_score
                    .iter()
                    .enumerate()
                    .map(|(rank, &d)| (detections[d].score, rank as u32, 0, 0)),
            );
            for (bit, &threshold) in self.protocol.overlaps.iter().enumerate() {
                let mut taken = vec![false; truth.len()];
                for (rank, &d) in by_score.iter().enumerate() {
                    let overlap = &overlaps[rank * truth.len()..(rank + 1) * truth.len()];
                    let found = best(overlap, &order, &ignored, truth, &taken, threshold);
                    let entry = &mut matches.detections[start + rank];
                    if let Some(t) = found {
                        taken[t] = true;
                        entry.2 |= 1 << bit;
                    }
                    if found.map_or(outside(detections[d].area), |t| ignored[t]) {
                        entry.3 |= 1 << bit;
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends what was added to `later`, of the same protocol and number of classes.
    pub fn append(&mut self, later: Self) {
        for (own, other) in
            self.classes.iter_mut().flatten().zip(later.classes.into_iter().flatten())
        {
            own.objects += other.objects;
            own.seen |= other.seen;
            own.detections.extend(other.detections);
        }
    }

    /// Objects of all classes in the first range of area, and what was found of them.
    pub fn counts(&self) -> CocoCounts {
        let thresholds = self.protocol.overlaps.len();
        let mut counts = CocoCounts::default();
        for matches in self.classes.iter().filter_map(|areas| areas.first()) {
            counts.objects += matches.objects;
            for &(_, _, matched, ignored) in &matches.detections {
                counts.found += f64::from((matched & !ignored).count_ones()) / thresholds as f64;
                counts.found_at_first += u64::from(matched & !ignored & 1);
                counts.wrong_at_first += u64::from(!matched & !ignored & 1);
            }
        }
        counts
    }

    /// Scores of everything added.
    pub fn report(&self) -> CocoReport {
        let (areas, caps) = (self.protocol.areas.len(), self.protocol.max_detections.len());
        let thresholds = self.protocol.overlaps.len();
        let mut precision = vec![vec![Vec::new(); areas]; thresholds];
        let mut recall = vec![vec![Vec::new(); caps]; areas];
        let mut ap_per_class = Vec::with_capacity(self.classes.len());
        for class in &self.classes {
            let mut own = Vec::new();
            for (area, matches) in class.iter().enumerate() {
                let sorted = matches.sorted();
                for (cap, &most) in self.protocol.max_detections.iter().enumerate() {
                    for bit in 0..thresholds {
                        let Some((ap, reached)) = matches.curve(&sorted, bit, most) else {
                            continue;
                        };
                        recall[area][cap].push(reached);
                        if cap == caps - 1 {
                            precision[bit][area].push(ap);
                            own.extend((area == 0).then_some(ap));
                        }
                    }
                }
            }
            ap_per_class.push(mean(&own));
        }
        let over_thresholds = |area: usize| {
            mean(&precision.iter().flat_map(|at| at[area].iter().copied()).collect::<Vec<_>>())
        };
        CocoReport {
            ap: over_thresholds(0),
            ap_at: precision.iter().map(|at| mean(&at[0])).collect(),
            ap_by_area: (0..areas).map(over_thresholds).collect(),
            ar: recall[0].iter().map(|recalls| mean(recalls)).collect(),
            ar_by_area: recall.iter().map(|area| mean(&area[caps - 1])).collect(),
            ap_per_class,
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    crate::confusion::mean(values.iter().copied())
}

/// The object that a detection matches. Of equal overlaps the later one, as the official loop does.
fn best(
    overlap: &[f64],
    order: &[usize],
    ignored: &[bool],
    truth: &[CocoTruth],
    taken: &[bool],
    threshold: f64,
) -> Option<usize> {
    let mut best: Option<usize> = None;
    let mut least = threshold.min(1.0 - 1e-10);
    for &t in order {
        if taken[t] && !truth[t].crowd {
            continue;
        }
        if best.is_some_and(|best| !ignored[best] && ignored[t]) {
            break;
        }
        if overlap[t] >= least {
            least = overlap[t];
            best = Some(t);
        }
    }
    best
}

impl Matches {
    /// Detections by falling score, those of earlier images first.
    fn sorted(&self) -> Vec<(f64, u32, u32, u32)> {
        let mut sorted = self.detections.clone();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        sorted
    }

    /// Average precision and largest recall; `None` if there is nothing to find.
    fn curve(
        &self,
        sorted: &[(f64, u32, u32, u32)],
        bit: usize,
        most: usize,
    ) -> Option<(f64, f64)> {
        if !self.seen || self.objects == 0 {
            return None;
        }
        let (mut right, mut wrong) = (0u64, 0u64);
        let mut points = Vec::new();
        for &(_, rank, matched, ignored) in sorted {
            if rank as usize >= most {
                continue;
            }
            if ignored >> bit & 1 == 0 {
                let hit = matched >> bit & 1 == 1;
                right += u64::from(hit);
                wrong += u64::from(!hit);
            }
            let (r, w) = (right as f64, wrong as f64);
            points.push((r / self.objects as f64, r / (w + r + f64::EPSILON)));
        }
        let reached = points.last().map_or(0.0, |point| point.0);
        for i in (1..points.len()).rev() {
            points[i - 1].1 = points[i - 1].1.max(points[i].1);
        }
        let at = |i: usize| {
            let recall = if i == RECALLS - 1 { 1.0 } else { i as f64 * 0.01 };
            let first = points.partition_point(|point| point.0 < recall);
            points.get(first).map_or(0.0, |point| point.1)
        };
        Some(((0..RECALLS).map(at).sum::<f64>() / RECALLS as f64, reached))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OBJECT: CocoTruth = CocoTruth { area: 2000.0, ignored: false, crowd: false };

    /// Objects and detections are numbers; the overlap of two is 1 minus their distance.
    fn report(truth: &[f64], detections: &[(f64, f64)]) -> CocoReport {
        let mut sums = CocoAccumulator::new(CocoProtocol::default(), 1).unwrap();
        let found: Vec<CocoDetection> =
            detections.iter().map(|&(_, score)| CocoDetection { score, area: 2000.0 }).collect();
        let overlap = |d: usize, t: usize| (1.0 - (detections[d].0 - truth[t]).abs()).max(0.0);
        sums.add(0, &vec![OBJECT; truth.len()], &found, overlap).unwrap();
        sums.report()
    }

    fn close(value: Option<f64>, expected: f64) {
        assert!(value.is_some_and(|v| (v - expected).abs() < 1e-9), "{value:?} {expected}");
    }

    #[test]
    fn by_hand() {
        // Right, wrong, right: precision 1 up to recall 1/2, then 2/3.
        let r = report(&[0.0, 10.0], &[(0.0, 0.9), (5.0, 0.8), (10.0, 0.7)]);
        close(r.ap, (51.0 + 50.0 * 2.0 / 3.0) / 101.0);
        assert_eq!((r.ap_by_area[1], r.ap_by_area[2]), (None, r.ap));
        assert_eq!(r.ar, [Some(0.5), Some(1.0), Some(1.0)]);
        // Of ten thresholds the overlap of 0.72 passes five.
        close(report(&[0.0], &[(0.28, 1.0)]).ap, 0.5);
        // A second detection of one object is wrong, but comes after it.
        close(report(&[0.0], &[(0.0, 0.9), (0.0, 0.8)]).ap, 1.0);
    }

    #[test]
    fn nothing_to_find_has_no_score() {
        assert_eq!(report(&[], &[(0.0, 0.5)]).ap, None);
        assert_eq!(report(&[], &[]).ap_per_class, [None]);
        close(report(&[0.0], &[]).ap, 0.0);
    }

    #[test]
    fn crowds_excuse_many() {
        let mut sums = CocoAccumulator::new(CocoProtocol::default(), 1).unwrap();
        let crowd = CocoTruth { ignored: true, crowd: true, ..OBJECT };
        let found = [0.9, 0.8, 0.7].map(|score| CocoDetection { score, area: 2000.0 });
        let overlap = |d: usize, t: usize| f64::from(u8::from((t == 0) == (d == 2)));
        sums.add(0, &[OBJECT, crowd], &found, overlap).unwrap();
        close(sums.report().ap, 1.0);
    }

    #[test]
    fn scores_must_be_numbers() {
        let mut sums = CocoAccumulator::new(CocoProtocol::default(), 1).unwrap();
        let found = [CocoDetection { score: f64::NAN, area: 1.0 }];
        let result = sums.add(0, &[], &found, |_, _| 0.0);
        assert_eq!(result, Err(Error::NotFinite { which: "scores", index: 0 }));
    }

    proptest! {
        #[test]
        fn identity_scores_one(truth in proptest::collection::vec(0.0f64..100.0, 1..20)) {
            let found: Vec<(f64, f64)> = truth.iter().map(|&t| (t, 0.5)).collect();
            let ap = report(&truth, &found).ap.unwrap();
            prop_assert!((ap - 1.0).abs() < 1e-9, "{}", ap);
        }

        #[test]
        fn a_false_positive_never_helps(
            truth in proptest::collection::vec(0.0f64..10.0, 1..10),
            found in proptest::collection::vec((0.0f64..10.0, 0.0f64..1.0), 0..20),
            score in 0.0f64..1.0,
        ) {
            let before = report(&truth, &found);
            let worse = report(&truth, &[found, vec![(1e6, score)]].concat());
            prop_assert!(worse.ap.unwrap() <= before.ap.unwrap() + 1e-12);
        }
    }
}
