//! `omma export RUN --out MODEL.onnx`.

#[cfg(feature = "export")]
mod int8;
#[cfg(feature = "export")]
mod replay;
#[cfg(feature = "export")]
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::predict::Which;
use crate::args::Common;
use crate::failure::Failure;

/// Write a trained network as an ONNX file, and check in other engines that it computes the same
///
/// The rig is an input, so one file serves every calibration of as many cameras.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "export"), allow(dead_code, reason = "what it says needs the feature"))]
pub(crate) struct ExportArguments {
    /// Folder of the run
    run: PathBuf,
    /// The file to write
    #[arg(long, value_name = "MODEL.onnx")]
    out: PathBuf,
    /// Weights of the run: those with the best score, or the last
    #[arg(long, value_enum, default_value_t = Which::Best)]
    weights: Which,
    /// A clip or a folder of pictures to check on; left out: made-up pictures
    #[arg(long, value_name = "CLIP|FOLDER")]
    sample: Option<PathBuf>,
    /// Cameras of the rig, where no clip says it [default: as in training]
    #[arg(long, value_name = "N", conflicts_with = "sample")]
    cameras: Option<usize>,
    /// Engines to check in [default: all of this build that are installed]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    engine: Vec<String>,
    /// Most that an output may differ from Burn's, as a share of its largest number, or of 1
    #[arg(long, value_name = "SHARE", default_value_t = 1e-3)]
    tolerance: f64,
    /// Write the network in 8 bits
    #[arg(long, requires = "calibrate")]
    int8: bool,
    /// Clips or folders of pictures that give the ranges of numbers within the network
    #[arg(long, value_name = "CLIP|FOLDER", num_args = 1.., requires = "int8")]
    calibrate: Vec<PathBuf>,
    /// Clips or folders with labels, apart from those of --calibrate, to score float and 8 bits on
    #[arg(long, value_name = "CLIP|FOLDER", num_args = 1.., requires = "int8")]
    evaluate: Vec<PathBuf>,
    /// Most samples that are calibrated on, and scored; spread evenly
    #[arg(long, value_name = "N", default_value_t = 24, requires = "int8")]
    samples: usize,
    /// Also write replay cases of recorded moments, for a bundle: MODEL.replay.toml, to be named under include in
    /// its plan, and MODEL.replay/
    #[arg(long, value_name = "CLIP|FOLDER")]
    replay: Option<PathBuf>,
    /// How many replay cases; spread evenly
    #[arg(long, value_name = "N", default_value_t = 3, requires = "replay")]
    cases: usize,
}

#[cfg(feature = "export")]
pub(crate) fn run(arguments: &ExportArguments, common: &Common) -> Result<ExitCode, Failure> {
    work::run(arguments, common)
}

#[cfg(not(feature = "export"))]
pub(crate) fn run(_: &ExportArguments, _: &Common) -> Result<ExitCode, Failure> {
    Err(Failure::Environment(miette::miette!(
        "this omma was built without the exporter; build it with `cargo build --release --features export`, \
         or tract or ort for more engines"
    )))
}
