//! Why two things cannot be compared.

use thiserror::Error;

/// Why a metric has no value on these inputs.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// Poses that pair by position must be equally many.
    #[error(
        "the truth has {truth} poses and the estimate {estimate}; poses without times pair line by line, so cut both to the same frames or give both times"
    )]
    PoseCount {
        /// Poses of the truth.
        truth: usize,
        /// Poses of the estimate.
        estimate: usize,
    },
    /// Too few poses of the two trajectories belong together.
    #[error(
        "{found} of {truth} true and {estimate} estimated poses pair within {tolerance_s} s; at least {needed} must: check that both use one clock (truth {truth_span}, estimate {estimate_span})"
    )]
    TooFewPairs {
        /// Pairs found.
        found: usize,
        /// Pairs needed.
        needed: usize,
        /// Poses of the truth.
        truth: usize,
        /// Poses of the estimate.
        estimate: usize,
        /// Largest difference in time, seconds.
        tolerance_s: f64,
        /// First and last time of the truth.
        truth_span: String,
        /// First and last time of the estimate.
        estimate_span: String,
    },
    /// NaN or infinity in a pose.
    #[error("pose {index} of the {which} holds a number that is not finite")]
    PoseNotFinite {
        /// `truth` or `estimate`.
        which: &'static str,
        /// Position, from 0.
        index: usize,
    },
    /// The positions do not fix an alignment.
    #[error(
        "the {poses} paired positions lie on a line or a point and fix no alignment; use alignment `none` or a longer piece"
    )]
    DegenerateAlignment {
        /// Paired poses.
        poses: usize,
    },
    /// A relative error needs at least one pair of poses that far apart.
    #[error("no two of the {poses} poses are {delta} apart; choose a smaller delta")]
    NoPairs {
        /// Paired poses.
        poses: usize,
        /// The distance asked for.
        delta: String,
    },
    /// Two images that are compared pixel by pixel differ in size.
    #[error("the true depth is {truth_width}x{truth_height} and the estimate {width}x{height}")]
    ImageSize {
        /// Width of the truth, pixels.
        truth_width: usize,
        /// Height of the truth, pixels.
        truth_height: usize,
        /// Width of the estimate, pixels.
        width: usize,
        /// Height of the estimate, pixels.
        height: usize,
    },
    /// Nothing to compare with.
    #[error("no true depth lies within {min_depth_m} to {max_depth_m} m in any of the images")]
    NoTruth {
        /// Smallest depth counted, metres.
        min_depth_m: f64,
        /// Largest depth counted, metres.
        max_depth_m: f64,
    },
    /// Voxels or cells that are compared one by one differ in place, size or number.
    #[error(
        "the truth's grid is {truth} and the prediction's {predicted}; make one with the other's grid"
    )]
    Grids {
        /// Grid of the truth.
        truth: String,
        /// Grid of the prediction.
        predicted: String,
    },
    /// No protocol of that name.
    #[error("there is no {kind} protocol {name:?}; known are {known}, or give a TOML file")]
    UnknownProtocol {
        /// What the protocol is for.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// Names that there are.
        known: String,
    },
    /// A protocol's text does not hold what it must.
    #[error("protocol {name}: {what}")]
    Protocol {
        /// Name or path.
        name: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A row of the input cannot be evaluated.
    #[error("{side} {row}: {what}")]
    Row {
        /// Which of the two sides, or which of its parts the rows are of: `prediction`, `truth`.
        side: &'static str,
        /// Which row, in words that find it: `17 of sample 3e8750f3`.
        row: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// More boxes than the protocol allows.
    #[error("prediction: sample {sample} has {boxes} boxes; the protocol allows {max}")]
    TooManyBoxes {
        /// The sample.
        sample: String,
        /// Boxes that it has.
        boxes: usize,
        /// Most boxes allowed.
        max: usize,
    },
    /// Predictions for something that the truth does not hold, or none for something that it does.
    #[error("{side} has no sample {sample}, which the other side has: {row}")]
    UnknownSample {
        /// The side that lacks it.
        side: &'static str,
        /// The sample, sequence or image.
        sample: String,
        /// Where the other side names it.
        row: String,
    },
    /// Two runs that cannot be compared.
    #[error("the runs cannot be compared: {what}")]
    Runs {
        /// What sets them apart and what to do.
        what: String,
    },
    /// Lists that are compared element by element differ in length.
    #[error(
        "the truth has {truth} {what} and the prediction {predicted}; give both the same shape"
    )]
    Lengths {
        /// What is counted: pixels, voxels, rays.
        what: &'static str,
        /// Elements of the truth.
        truth: usize,
        /// Elements of the prediction.
        predicted: usize,
    },
    /// A class that the protocol does not have.
    #[error(
        "element {index} of the {which} is of class {class}; the protocol has classes 0 to {last}: map the labels first, or list the class as ignored"
    )]
    ClassOutside {
        /// `truth` or `prediction`.
        which: &'static str,
        /// Position of the pixel or voxel, from 0.
        index: usize,
        /// Its class.
        class: u8,
        /// Last class of the protocol.
        last: usize,
    },
    /// NaN or infinity where a number is needed.
    #[error("element {index} of the {which} is not finite")]
    NotFinite {
        /// What the number belongs to.
        which: &'static str,
        /// Position, from 0.
        index: usize,
    },
}

impl Error {
    /// A row that cannot be evaluated.
    pub fn row(side: &'static str, row: impl ToString, what: impl Into<String>) -> Self {
        Self::Row { side, row: row.to_string(), what: what.into() }
    }
}
