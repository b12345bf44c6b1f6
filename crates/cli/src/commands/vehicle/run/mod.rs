//! `omma vehicle run`.

#[cfg(feature = "export")]
mod observe;
#[cfg(feature = "export")]
mod slot;
#[cfg(feature = "export")]
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::args::Common;
use crate::failure::Failure;

/// Perceive a camera stream with a network, watched
///
/// Of frames that come while one is in the network the newest is taken. With --slot a breach of the watchdog
/// (hang, errors, latency, drift) returns to the last good release and ends with exit code 1; cameras that fall
/// silent end with 4.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "export"), allow(dead_code, reason = "what it says needs the feature"))]
pub(crate) struct RunArguments {
    /// A provisioned vehicle's directory: runs its active slot, and confirms it after a good run
    #[arg(long, value_name = "DIR", required_unless_present_any = ["bundle", "onnx"])]
    slot: Option<PathBuf>,
    /// Which of the vehicle's computers this is [default: the only one]
    #[arg(long, value_name = "NAME", requires = "slot")]
    ecu: Option<String>,
    /// Run what is active without counting a start: another computer of the vehicle has called omma vehicle start
    #[arg(long, requires = "slot")]
    started: bool,
    /// Instead of a slot, a bundle
    #[arg(long, value_name = "FILE.omma", conflicts_with = "slot")]
    bundle: Option<PathBuf>,
    /// Instead of a slot, a network that omma export wrote
    #[arg(long, value_name = "MODEL.onnx", conflicts_with_all = ["slot", "bundle"])]
    onnx: Option<PathBuf>,
    /// A recorded clip, paced as it was recorded
    #[arg(long, value_name = "CLIP.mcap", required_unless_present = "camera")]
    clip: Option<PathBuf>,
    /// Instead of a clip, a camera of --rig through ffmpeg: a device (/dev/video0), a stream (rtsp://…) or a video
    /// file; one for each camera
    #[arg(long, value_name = "NAME=INPUT", conflicts_with = "clip", requires = "rig")]
    camera: Vec<String>,
    /// The cameras' calibration (docs/rig.md)
    #[arg(long, value_name = "RIG.toml", requires = "camera")]
    rig: Option<PathBuf>,
    /// Take every frame of the clip as soon as the one before is done; none is dropped
    #[arg(long, requires = "clip")]
    as_fast_as_possible: bool,
    /// Play the clip so many times, one after another
    #[arg(long, value_name = "N", default_value_t = 1, requires = "clip")]
    rounds: u64,
    /// Take frames at this rate, Hz [default: whenever one arrives]
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// From a frame's arrival to its vector space, milliseconds [default: 100]
    #[arg(long, value_name = "MS")]
    budget: Option<f64>,
    /// Settings of the run and its watchdog (docs/deploy.md); --rate and --budget count before them
    #[arg(long, value_name = "FILE.toml")]
    settings: Option<PathBuf>,
    /// Engine that computes the network
    #[arg(long, value_name = "NAME", default_value = "rten")]
    engine: String,
    /// Stop after so many vector spaces
    #[arg(long, value_name = "N")]
    frames: Option<u64>,
    /// Stop after so many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Write vector spaces as labels
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write health here every few seconds, whole each time [default: health.json in the slot's directory]
    #[arg(long, value_name = "FILE.json")]
    health: Option<PathBuf>,
    /// Write what the outputs are like: a bundle's file of role reference, which drift is measured against
    #[arg(long, value_name = "FILE.json")]
    record_reference: Option<PathBuf>,
}

#[cfg(feature = "export")]
pub(super) fn run(arguments: &RunArguments, common: &Common) -> Result<ExitCode, Failure> {
    work::run(arguments, common)
}

#[cfg(not(feature = "export"))]
pub(super) fn run(_: &RunArguments, _: &Common) -> Result<ExitCode, Failure> {
    Err(super::without_engines())
}
