//! What a difference between two runs is worth: confidence intervals, paired comparison, slices.
//!
//! A [`Run`] keeps, beside its figures, a [`Record`] per scene or frame with the share that each had in
//! each metric. Intervals come from resampling scenes, never single frames: frames of a scene are alike.

mod bootstrap;
mod compare;
mod permutation;
mod pooled;
mod record;
mod slices;
mod units;

pub use bootstrap::{BootstrapConfig, Interval, IntervalKind, bootstrap, interval};
pub use compare::{Change, CompareConfig, Comparison, Verdict, compare};
pub use permutation::{PermutationConfig, sign_flip_p_value};
pub use pooled::Parts;
pub use record::{Better, MetricRule, Record, Run, Share, Summary};
pub use slices::{Slice, slices};
pub use units::{Unit, Units};
