//! Bundle adjustment on rigs: poses of the vehicle and landmarks from images of any number of
//! cameras, with robust losses and priors.
//!
//! Levenberg–Marquardt with the landmarks eliminated by Schur complement (Triggs et al. 1999,
//! *Bundle adjustment: a modern synthesis*, section 6; Agarwal et al. 2010, *Bundle adjustment in
//! the large*). The reduced system is factored inside its envelope, which for a drive is a band as
//! wide as tracks are long: dense for a window, linear in length for a whole clip. Sums are taken
//! in a fixed order, so the result does not depend on the number of threads.

mod envelope;
mod index;
mod landmark;
mod problem;
mod reduced;
mod residual;
mod solve;
#[cfg(test)]
mod tests;

pub use landmark::Landmark;
pub use problem::{
    AbsolutePrior, BundleError, BundleProblem, GroundPrior, Observation, PoseVariable,
    RelativePrior, RigCamera, UpPrior,
};
pub use solve::{BundleOptions, BundleReport, Termination};
