//! Odometry on a foreign drive, compared with the poses that came with it.
//!
//! `cargo run --release -p ommatidia-label --example odometry -- SOURCE [prior] [cameras=0,1] [every=N] [repeat=N]`

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ommatidia_geometry::Timestamp;
use ommatidia_label::stages::odometry::{Odometry, OdometryConfig, OdometryInput, OdometryResult};
use ommatidia_metrics::trajectory::{Alignment, TrajectoryProtocol, evaluate};
use ommatidia_scene::{GrayImage, PoseSample, Trajectory};
use ommatidia_store::formats::{Drive, ImportOptions, find};
use ommatidia_store::image;

struct Frame {
    timestamp: Timestamp,
    images: Vec<Option<(Timestamp, GrayImage)>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let source =
        arguments.first().ok_or("usage: odometry SOURCE [prior] [cameras=0,1] [every=N]")?;
    let value = |key: &str| arguments.iter().find_map(|a| a.strip_prefix(key).map(str::to_owned));
    let every: usize = value("every=").map_or(Ok(1), |text| text.parse())?;
    let chosen: Option<Vec<usize>> =
        value("cameras=").map(|text| text.split(',').map(str::parse).collect()).transpose()?;

    let source = Path::new(source);
    let mut drive = find("auto", source)?.open(
        source,
        &ImportOptions { sequence: value("sequence="), ..ImportOptions::default() },
    )?;
    let header = drive.header().clone();
    let mut rig = header.rig.clone();
    let cameras = chosen.unwrap_or_else(|| (0..rig.cameras.len()).collect());
    rig.cameras = cameras.iter().map(|&i| rig.cameras[i].clone()).collect();
    let (frames, poses) = read(drive.as_mut(), &cameras, every)?;
    let truth = header
        .trajectory
        .map(|(source, scale)| Trajectory::new(source, scale, poses))
        .transpose()?;
    let prior = truth.as_ref().filter(|_| arguments.iter().any(|a| a == "prior"));

    let recalibrate = !arguments.iter().any(|a| a == "fixed");
    let config = OdometryConfig { recalibrate, ..OdometryConfig::default() };
    let mut odometry = Odometry::new(&rig, &config)?;
    let started = Instant::now();
    for (index, frame) in frames.iter().enumerate() {
        let start = Instant::now();
        let input = OdometryInput { timestamp: frame.timestamp, images: &frame.images, prior };
        let output = odometry.step(&input)?;
        let p = output.world_from_ego.translation;
        println!(
            "{index:4} {:8.3} {:8.3} {:8.3}  confidence {:.3}  {:4} of {:4}  {:6.1} ms",
            p.x,
            p.y,
            p.z,
            output.confidence,
            output.inliers,
            output.followed,
            start.elapsed().as_secs_f64() * 1e3
        );
    }
    println!("checkpoint {} bytes", odometry.checkpoint()?.len());
    let finishing = Instant::now();
    let result = odometry.finish();
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} frames, {:.1} ms a frame, of it smoothing at the end {:.1} ms in all; confidence {:.3}, scale {:?}, skipped {:?}",
        frames.len(),
        1e3 * seconds / frames.len() as f64,
        finishing.elapsed().as_secs_f64() * 1e3,
        result.confidence,
        result.trajectory.scale,
        result.skipped
    );
    for (refined, given) in result.rig.cameras.iter().zip(&rig.cameras) {
        let turn = (given.ego_from_camera.inverse() * refined.ego_from_camera).log();
        println!("{} turned by {:.3e} {:.3e} {:.3e} rad", given.name, turn[3], turn[4], turn[5]);
    }
    if let Some(truth) = truth {
        compare(&truth, &result)?;
    }
    Ok(())
}

/// Every so manyth frame of a drive with the chosen cameras' images, and all its poses.
fn read(
    drive: &mut dyn Drive,
    cameras: &[usize],
    every: usize,
) -> Result<(Vec<Frame>, Vec<PoseSample>), Box<dyn Error>> {
    let (mut frames, mut poses): (Vec<Frame>, Vec<PoseSample>) = (Vec::new(), Vec::new());
    let mut index = 0;
    while let Some(frame) = drive.next_frame()? {
        poses.extend(&frame.poses);
        index += 1;
        if (index - 1) % every != 0 {
            continue;
        }
        let mut images = Vec::new();
        for &camera in cameras {
            images.push(match &frame.images[camera] {
                Some((time, encoded)) => Some((*time, image::gray(encoded)?)),
                None => None,
            });
        }
        frames.push(Frame { timestamp: frame.timestamp, images });
    }
    Ok((frames, poses))
}

/// Prints the error against the truth, both from their first pose.
fn compare(truth: &Trajectory, result: &OdometryResult) -> Result<(), Box<dyn Error>> {
    let at = |p: &PoseSample| {
        Some(PoseSample { timestamp: p.timestamp, world_from_ego: truth.at(p.timestamp)? })
    };
    let matched: Vec<PoseSample> = result.trajectory.samples().iter().filter_map(at).collect();
    let Some(first) = matched.first() else { return Ok(()) };
    let origin = first.world_from_ego.inverse();
    let matched: Vec<PoseSample> = matched
        .iter()
        .map(|p| PoseSample { world_from_ego: (origin * p.world_from_ego).cast(), ..*p })
        .collect();
    let start = result.trajectory.samples()[0].world_from_ego.inverse();
    let estimate: Vec<PoseSample> = result
        .trajectory
        .samples()
        .iter()
        .map(|p| PoseSample { world_from_ego: (start * p.world_from_ego).cast(), ..*p })
        .collect();
    let report = evaluate(&matched, &estimate, &TrajectoryProtocol::default())?;
    for (t, e) in matched.iter().zip(&estimate).step_by(if matched.len() > 20 { 5 } else { 1 }) {
        let off = e.world_from_ego.translation - t.world_from_ego.translation;
        let turned = (t.world_from_ego.inverse() * e.world_from_ego).log();
        println!(
            "off by {:7.3} {:7.3} {:7.3} m, turned {:7.3} {:7.3} {:7.3} deg",
            off.x,
            off.y,
            off.z,
            turned[3].to_degrees(),
            turned[4].to_degrees(),
            turned[5].to_degrees()
        );
    }
    println!("{report:#?}");
    let protocol =
        TrajectoryProtocol { alignment: Alignment::Se3, ..TrajectoryProtocol::default() };
    let aligned = evaluate(&matched, &estimate, &protocol)?;
    println!("aligned rigidly: ATE {:.4} m", aligned.ate_rmse_m);
    Ok(())
}
