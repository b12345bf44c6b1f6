//! What can go wrong in this crate's estimators.

/// Why an estimate could not be made. `estimator` names the function.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer data than unknowns.
    #[error("{estimator}: {have} data given, at least {need} needed; match or observe more")]
    TooFewData {
        /// The function that refused.
        estimator: &'static str,
        /// How many were given.
        have: usize,
        /// How many it needs.
        need: usize,
    },
    /// Parallel inputs of different lengths.
    #[error("{estimator}: {left} and {right} data given, which should pair up")]
    UnequalLengths {
        /// The function that refused.
        estimator: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// NaN or infinity in the input.
    #[error(
        "{estimator}: datum {index} has a number that is not finite; remove it before estimating"
    )]
    NotFinite {
        /// The function that refused.
        estimator: &'static str,
        /// Which datum, from 0.
        index: usize,
    },
    /// The data do not determine the answer.
    #[error("{estimator}: the data are degenerate: {reason}")]
    Degenerate {
        /// The function that refused.
        estimator: &'static str,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// No model agrees with enough of the data.
    #[error(
        "{estimator}: the best of {iterations} samples agrees with {inliers} of {data} data, {need} \
         needed; check the matches, or raise the threshold"
    )]
    NoConsensus {
        /// The function that refused.
        estimator: &'static str,
        /// Most data that one model explained.
        inliers: usize,
        /// How many were required.
        need: usize,
        /// How many were given.
        data: usize,
        /// Samples drawn.
        iterations: usize,
    },
    /// A setting outside its range.
    #[error("{estimator}: setting `{setting}` is {value}, which must be {range}")]
    Setting {
        /// The function that refused.
        estimator: &'static str,
        /// Field of its config.
        setting: &'static str,
        /// What it is.
        value: f64,
        /// What it must be.
        range: &'static str,
    },
}
