//! Scores of all heads, counted batch after batch, and the trivial answers that they must beat.

use ommatidia_scene::VectorSpace;

use crate::{
    Network,
    tasks::{Head, HeadTally},
};

/// Counts predictions against truth. Its size does not grow with pixels and voxels.
#[derive(Debug, Clone)]
pub struct Scorer<'a> {
    heads: Vec<(&'a Head, HeadTally)>,
}

impl<'a> Scorer<'a> {
    fn of(heads: impl Iterator<Item = &'a Head>) -> Self {
        Self { heads: heads.map(|head| (head, head.tally())).collect() }
    }

    /// Counts predictions, one per moment of the truth.
    pub fn add(&mut self, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        assert_eq!(predicted.len(), truth.len(), "a prediction per moment");
        for (head, tally) in &mut self.heads {
            head.count(tally, predicted, truth);
        }
    }

    /// Scores of what was counted, as `task.score`; each task's first is the one that counts.
    pub fn scores(&self) -> Vec<(String, f64)> {
        let named = |(head, tally): &(&Head, HeadTally)| {
            let name = head.name();
            let scores = head.figures(tally).into_iter();
            scores.map(move |(score, value)| (format!("{name}.{score}"), value))
        };
        self.heads.iter().flat_map(named).collect()
    }
}

/// What one would say of every moment without looking.
#[derive(Debug, Clone)]
pub struct Baseline<'a> {
    /// What it does, such as `prior_map`.
    pub name: &'static str,
    /// What it always says.
    pub answer: VectorSpace,
    /// Of its own task only.
    pub scorer: Scorer<'a>,
}

impl Network {
    /// Nothing counted yet.
    pub fn scorer(&self) -> Scorer<'_> {
        Scorer::of(self.heads().iter())
    }

    /// What scores and baselines need of a moment's truth, on the network's own grid.
    pub fn excerpt(&self, truth: &VectorSpace) -> VectorSpace {
        let mut excerpt = VectorSpace { timestamp: truth.timestamp, ..VectorSpace::default() };
        self.heads().iter().for_each(|head| head.excerpt(truth, &mut excerpt));
        excerpt
    }

    /// The trivial answers of all tasks, made from excerpts of the training set's truth.
    pub fn baselines(&self, training: &[VectorSpace]) -> Vec<Baseline<'_>> {
        let of = |head| {
            let answers = Head::baselines(head, training).into_iter();
            answers.map(move |(name, answer)| Baseline {
                name,
                answer,
                scorer: Scorer::of(std::iter::once(head)),
            })
        };
        self.heads().iter().flat_map(of).collect()
    }
}

/// Whether a score, `task.score` or without its task, is an error: less of it is better.
pub fn is_error(score: &str) -> bool {
    let units = ["_m", "_rad", "_deg", "_m_s", "_rad_s"];
    let relative = ["depth_abs_rel", "mase"];
    let score = score.rsplit('.').next().unwrap_or(score);
    units.iter().any(|unit| score.ends_with(unit)) || relative.contains(&score)
}

#[cfg(test)]
mod tests {
    use super::is_error;

    #[test]
    fn errors_are_told_from_qualities() {
        for error in ["surface.height_mae_m", "occupancy_flow.flow_error_m_s", "mase"] {
            assert!(is_error(error), "{error}");
        }
        for quality in ["occupancy.miou", "lanes.lane_f_at_1m", "occupancy.iou_class_18"] {
            assert!(!is_error(quality), "{quality}");
        }
    }
}
