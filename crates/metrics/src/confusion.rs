//! Confusion matrix of dense class maps: pixels of images, voxels of grids, cells of bird's-eye views.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How many elements of each true class were predicted as each class.
///
/// Sums are integers: frames may be added in any order and merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    classes: usize,
    /// `counts[truth * classes + predicted]`.
    counts: Vec<u64>,
}

/// What a class that neither side has contributes to a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Nothing: it is left out. Occ3D, SparseOcc, most image benchmarks.
    #[default]
    Skipped,
    /// It counts as 0: SemanticKITTI's completion benchmark, FIERY.
    Zero,
}

/// Elements counted at once with 32-bit counters.
const BLOCK: usize = 1 << 30;

impl Confusion {
    /// Nothing counted yet. At most 256 classes.
    pub fn new(classes: usize) -> Self {
        assert!((1..=256).contains(&classes), "a confusion matrix of {classes} classes");
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Adds the elements of one frame. Elements whose true class is in `ignored`, or that `judged` (where
    /// given) excludes, do not count; whatever was predicted there.
    ///
    /// # Errors
    /// [`Error::Lengths`] where the lists differ in length; [`Error::ClassOutside`] naming the first
    /// judged element whose class does not exist. Nothing is added then.
    pub fn add(
        &mut self,
        truth: &[u8],
        predicted: &[u8],
        judged: Option<&[bool]>,
        ignored: &[u8],
    ) -> Result<(), Error> {
        let lengths =
            |predicted| Error::Lengths { what: "elements", truth: truth.len(), predicted };
        if predicted.len() != truth.len() {
            return Err(lengths(predicted.len()));
        }
        if let Some(judged) = judged.filter(|judged| judged.len() != truth.len()) {
            return Err(lengths(judged.len()));
        }
        let rows = Rows::new(self.classes, ignored);
        let mut sums = vec![0u64; rows.width * rows.width];
        for start in (0..truth.len()).step_by(BLOCK) {
            let block = start..truth.len().min(start + BLOCK);
            let judged = judged.map(|judged| &judged[block.clone()]);
            rows.count(&truth[block.clone()], &predicted[block], judged, &mut sums);
        }
        if rows.outside(&sums) {
            return Err(rows.first_outside(truth, predicted, judged));
        }
        for t in 0..self.classes {
            for p in 0..self.classes {
                self.counts[t * self.classes + p] += sums[t * rows.width + p];
            }
        }
        Ok(())
    }

    /// Adds what another matrix of as many classes counted.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "confusion matrices of one protocol");
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, more)| *sum += more);
    }

    /// Elements of class `truth` that were predicted as `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    /// Elements counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Elements whose true class is `class`.
    pub fn truth(&self, class: usize) -> u64 {
        self.counts[class * self.classes..(class + 1) * self.classes].iter().sum()
    }

    /// Elements predicted as `class`.
    pub fn predicted(&self, class: usize) -> u64 {
        (0..self.classes).map(|t| self.count(t, class)).sum()
    }

    /// Intersection over union of a class; `None` if it occurs in neither.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let both = self.count(class, class);
        let union = self.truth(class) + self.predicted(class) - both;
        (union > 0).then(|| both as f64 / union as f64)
    }

    /// Mean of [`Self::iou`] over `classes`; `None` if none of them counts.
    pub fn mean_iou(
        &self,
        classes: impl IntoIterator<Item = usize>,
        absent: Absent,
    ) -> Option<f64> {
        mean(classes.into_iter().filter_map(|class| match absent {
            Absent::Skipped => self.iou(class),
            Absent::Zero => Some(self.iou(class).unwrap_or(0.0)),
        }))
    }

    /// Intersection over union with the classes weighted by their share of the truth (Garcia-Garcia et
    /// al. 2017, section 5.1.2); `None` if nothing was counted.
    pub fn frequency_weighted_iou(&self) -> Option<f64> {
        let total = self.total();
        let term = |class| self.truth(class) as f64 / total as f64 * self.iou(class).unwrap_or(0.0);
        (total > 0).then(|| (0..self.classes).map(term).sum())
    }

    /// Share of elements whose class is right; `None` if nothing was counted.
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        (self.total() > 0).then(|| right as f64 / self.total() as f64)
    }

    /// Mean over the true classes of the share found; `None` if nothing was counted.
    pub fn mean_accuracy(&self) -> Option<f64> {
        mean((0..self.classes).filter_map(|class| {
            let truth = self.truth(class);
            (truth > 0).then(|| self.count(class, class) as f64 / truth as f64)
        }))
    }
}

/// Mean of some numbers; `None` of none.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u64, 0.0), |(n, sum), value| (n + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

/// Where each class counts: its own row or column, one more for what does not exist, and a last row for
/// what is not judged.
struct Rows {
    classes: usize,
    width: usize,
    truth: [u16; 256],
    predicted: [u16; 256],
}

impl Rows {
    fn new(classes: usize, ignored: &[u8]) -> Self {
        let width = classes + 2;
        let mut truth = [0; 256];
        let mut predicted = [0; 256];
        for class in 0..256 {
            let own = class.min(classes);
            let is_ignored = ignored.iter().any(|&i| usize::from(i) == class);
            truth[class] = if is_ignored { classes + 1 } else { own } as u16;
            predicted[class] = own as u16;
        }
        Self { classes, width, truth, predicted }
    }

    fn count(&self, truth: &[u8], predicted: &[u8], judged: Option<&[bool]>, sums: &mut [u64]) {
        // Neighbours are mostly alike: four tables in turn keep one add from waiting for the other.
        const TABLES: usize = 4;
        let size = self.width * self.width;
        let mut tables = vec![0u32; TABLES * size];
        let unjudged = self.classes + 1;
        for i in 0..truth.len() {
            let row = if judged.is_none_or(|judged| judged[i]) {
                usize::from(self.truth[usize::from(truth[i])])
            } else {
                unjudged
            };
            let column = usize::from(self.predicted[usize::from(predicted[i])]);
            tables[(i % TABLES) * size + row * self.width + column] += 1;
        }
        for (i, count) in tables.into_iter().enumerate() {
            sums[i % size] += u64::from(count);
        }
    }

    fn outside(&self, sums: &[u64]) -> bool {
        let at = |row: usize, column: usize| sums[row * self.width + column];
        (0..=self.classes).any(|i| at(self.classes, i) > 0 || at(i, self.classes) > 0)
    }

    fn first_outside(&self, truth: &[u8], predicted: &[u8], judged: Option<&[bool]>) -> Error {
        let outside = self.classes as u16;
        for index in 0..truth.len() {
            let (t, p) = (truth[index], predicted[index]);
            let row = self.truth[usize::from(t)];
            if judged.is_some_and(|judged| !judged[index]) || row > outside {
                continue;
            }
            let last = self.classes - 1;
            if row == outside {
                return Error::ClassOutside { which: "truth", index, class: t, last };
            }
            if self.predicted[usize::from(p)] == outside {
                return Error::ClassOutside { which: "prediction", index, class: p, last };
            }
        }
        unreachable!("some judged element was counted as outside")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(truth: &[u8], predicted: &[u8]) -> Confusion {
        let mut confusion = Confusion::new(4);
        confusion.add(truth, predicted, None, &[255]).unwrap();
        confusion
    }

    #[test]
    fn by_hand() {
        let confusion = counted(&[0, 0, 0, 1, 1, 2, 255], &[0, 0, 1, 1, 0, 0, 3]);
        assert_eq!(confusion.total(), 6);
        assert_eq!(confusion.iou(0), Some(2.0 / 5.0));
        assert_eq!(confusion.iou(1), Some(1.0 / 3.0));
        assert_eq!((confusion.iou(2), confusion.iou(3)), (Some(0.0), None));
        assert_eq!(confusion.accuracy(), Some(0.5));
        assert_eq!(confusion.mean_accuracy(), Some((2.0 / 3.0 + 0.5 + 0.0) / 3.0));
        let all = 0..4;
        assert_eq!(confusion.mean_iou(all.clone(), Absent::Skipped), Some((0.4 + 1.0 / 3.0) / 3.0));
        assert_eq!(confusion.mean_iou(all, Absent::Zero), Some((0.4 + 1.0 / 3.0) / 4.0));
        let weighted = confusion.frequency_weighted_iou().unwrap();
        assert!((weighted - (0.5 * 0.4 + 1.0 / 9.0)).abs() < 1e-15, "{weighted}");
    }

    #[test]
    fn nothing_is_defined() {
        for confusion in [counted(&[], &[]), counted(&[255, 255], &[0, 200])] {
            assert_eq!(confusion.accuracy(), None);
            assert_eq!(confusion.mean_iou(0..4, Absent::Skipped), None);
            assert_eq!(confusion.frequency_weighted_iou(), None);
        }
    }

    #[test]
    fn bad_input_names_the_element() {
        let mut confusion = Confusion::new(4);
        let mut check =
            |truth: &[u8], predicted: &[u8], judged: Option<&[bool]>, expected: &str| {
                let error =
                    confusion.add(truth, predicted, judged, &[255]).unwrap_err().to_string();
                assert!(error.contains(expected), "{error}");
                assert_eq!(confusion.total(), 0);
            };
        check(&[0, 1], &[0], None, "2 elements");
        check(&[0, 1], &[0, 1], Some(&[true]), "2 elements");
        check(&[0, 1, 7], &[0, 1, 9], None, "element 2 of the truth is of class 7");
        check(&[9, 1, 3], &[9, 1, 9], Some(&[false, true, true]), "element 2 of the prediction");
    }

    fn maps() -> impl Strategy<Value = Vec<(u8, u8)>> {
        proptest::collection::vec((0u8..4, 0u8..4), 1..200)
    }

    proptest! {
        #[test]
        fn identity_scores_one(pairs in maps()) {
            let truth: Vec<u8> = pairs.iter().map(|p| p.0).collect();
            let confusion = counted(&truth, &truth);
            prop_assert_eq!(confusion.mean_iou(0..4, Absent::Skipped), Some(1.0));
            prop_assert_eq!(confusion.accuracy(), Some(1.0));
        }

        #[test]
        fn order_does_not_matter_and_iou_is_symmetric(pairs in maps(), turn in 0usize..200) {
            let mut turned = pairs.clone();
            turned.rotate_left(turn % pairs.len());
            let (truth, predicted): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
            let (other_truth, other_predicted): (Vec<u8>, Vec<u8>) = turned.into_iter().unzip();
            let confusion = counted(&truth, &predicted);
            prop_assert_eq!(&confusion, &counted(&other_truth, &other_predicted));
            let back = counted(&predicted, &truth);
            for class in 0..4 {
                prop_assert_eq!(confusion.iou(class), back.iou(class));
            }
        }

        #[test]
        fn a_wrong_element_never_helps(pairs in maps(), class in 0u8..4) {
            let (truth, predicted): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
            let before = counted(&truth, &predicted);
            let mut worse = before.clone();
            worse.add(&[class], &[(class + 1) % 4], None, &[]).unwrap();
            for class in 0..4 {
                prop_assert!(worse.iou(class) <= before.iou(class).or(worse.iou(class)));
            }
            prop_assert!(worse.accuracy() <= before.accuracy());
        }

        #[test]
        fn parts_add_up(a in maps(), b in maps()) {
            let (mut truth, mut predicted): (Vec<u8>, Vec<u8>) = a.into_iter().unzip();
            let mut sum = counted(&truth, &predicted);
            let (more_truth, more_predicted): (Vec<u8>, Vec<u8>) = b.into_iter().unzip();
            sum.merge(&counted(&more_truth, &more_predicted));
            truth.extend(more_truth);
            predicted.extend(more_predicted);
            prop_assert_eq!(sum, counted(&truth, &predicted));
        }
    }
}
