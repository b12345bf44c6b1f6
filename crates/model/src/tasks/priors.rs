//! What trivial answers are made with, and what scores of few numbers are counted from.

use std::collections::BTreeMap;

use ommatidia_scene::{CameraView, VectorSpace};

use crate::task::Task;

/// Shares of the training set above which a prior says that something is there.
pub(super) const SHARES: [f64; 6] = [0.5, 0.35, 0.2, 0.1, 0.05, 0.02];

/// Moments that thresholds are chosen on.
const JUDGES: usize = 32;

/// Answers among which the most typical one is looked for.
const CANDIDATES: usize = 16;

/// Of every camera the first view that knows something, in the order of names.
pub(super) fn first_views(
    training: &[VectorSpace],
    knows: impl Fn(&CameraView) -> bool,
) -> Vec<&CameraView> {
    let mut first: BTreeMap<&str, &CameraView> = BTreeMap::new();
    for view in training.iter().flat_map(|space| &space.cameras).filter(|view| knows(view)) {
        first.entry(&view.camera).or_insert(view);
    }
    first.into_values().collect()
}

/// At most `most` of all, spread evenly.
fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let used = most.min(all.len());
    (0..used).map(move |i| &all[i * all.len() / used])
}

/// The answer that scores best on the training set, the first of equals.
pub(super) fn best_of<T: Task>(
    task: &T,
    options: &[f64],
    answer: impl Fn(f64) -> VectorSpace,
    training: &[VectorSpace],
) -> VectorSpace {
    let score = |said: &VectorSpace| {
        let mut tally = task.tally();
        for truth in spread(training, JUDGES) {
            task.count(&mut tally, std::slice::from_ref(said), std::slice::from_ref(truth));
        }
        task.figures(&tally).first().map_or(f64::NEG_INFINITY, |score| score.1)
    };
    let answers = options.iter().map(|&option| answer(option)).map(|said| (score(&said), said));
    let best = answers.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.expect("there is an option").1
}

/// The one that scores best as an answer to the others, the first of equals.
pub(super) fn most_typical<T>(all: &[T], score: impl Fn(&T, &T) -> f64) -> Option<&T> {
    let total = |said: &T| spread(all, JUDGES).map(|truth| score(said, truth)).sum::<f64>();
    let totals = spread(all, CANDIDATES).map(|said| (total(said), said));
    totals.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|best| best.1)
}

/// Predictions and truth of scores that need all moments at once: only their boxes or lines.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// What was said.
    pub(super) predicted: Vec<VectorSpace>,
    /// What is so.
    pub(super) truth: Vec<VectorSpace>,
}

impl Kept {
    /// Keeps of each moment what `part` copies.
    pub(super) fn add(
        &mut self,
        predicted: &[VectorSpace],
        truth: &[VectorSpace],
        part: impl Fn(&VectorSpace, &mut VectorSpace),
    ) {
        let kept = |space: &VectorSpace| {
            let mut own = VectorSpace { timestamp: space.timestamp, ..VectorSpace::default() };
            part(space, &mut own);
            own
        };
        self.predicted.extend(predicted.iter().map(kept));
        self.truth.extend(truth.iter().map(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_typical_one_is_like_the_others() {
        let like = |a: &f64, b: &f64| -(a - b).abs();
        assert_eq!(most_typical(&[9.0, 1.0, 2.0, 3.0, -7.0], like), Some(&2.0));
        assert_eq!(most_typical(&[], like), None);
    }

    #[test]
    fn cameras_are_found_wherever_they_first_know_something() {
        let view = |camera: &str, known: bool| CameraView {
            camera: camera.to_owned(),
            instances: known.then(Vec::new),
            ..CameraView::default()
        };
        let space = |cameras| VectorSpace { cameras, ..VectorSpace::default() };
        let training =
            [space(vec![view("b", true), view("a", false)]), space(vec![view("a", true)])];
        let found = first_views(&training, |view| view.instances.is_some());
        assert_eq!(found.iter().map(|view| &*view.camera).collect::<Vec<_>>(), ["a", "b"]);
    }
}
