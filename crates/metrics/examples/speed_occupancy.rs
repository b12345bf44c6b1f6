//! Frames a second of mIoU and RayIoU on one core: a scene as JSON to stdin, figures as JSON to stdout.
//! `bench/metrics/speed_occupancy.py` runs it beside NumPy.

use std::hint::black_box;
use std::time::Instant;

use nalgebra::Point3;
use ommatidia_metrics::Protocol;
use ommatidia_metrics::confusion::Confusion;
use ommatidia_metrics::occupancy_grid::GridProtocol;
use ommatidia_metrics::occupancy_rays::{Grids, RayCounts, compare_grids, lidar_rays};
use ommatidia_scene::GridSpec;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Input {
    grid: GridSpec,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    truth: Vec<u8>,
    predicted: Vec<u8>,
    mask: Vec<bool>,
    origins: Vec<[f64; 3]>,
}

/// Seconds that this process had a core, where the system tells; others may use the machine.
fn core_s(started: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
    nanoseconds.map_or(started.elapsed().as_secs_f64(), |ns| ns as f64 * 1e-9)
}

/// Mean seconds of a run, over enough runs for the system's clock.
fn mean_s(mut run: impl FnMut()) -> f64 {
    const LEAST_S: f64 = 0.5;
    let started = Instant::now();
    let (before, mut runs) = (core_s(started), 0u32);
    loop {
        run();
        runs += 1;
        let taken_s = core_s(started) - before;
        if taken_s > LEAST_S {
            return taken_s / f64::from(runs);
        }
    }
}

fn main() -> Result<(), String> {
    let input: Input =
        serde_json::from_reader(std::io::stdin()).map_err(|cause| format!("stdin: {cause}"))?;
    let protocol = GridProtocol::named("occ3d_nuscenes").map_err(|cause| cause.to_string())?;
    let frame = input.frames.first().ok_or("no frame")?;
    let (free, rays) = (protocol.free_number(), lidar_rays());
    let origins: Vec<Point3<f64>> = frame.origins.iter().map(|&o| o.into()).collect();
    let (truth, predicted) = (&frame.truth[..], &frame.predicted[..]);
    let grids = Grids { grid: &input.grid, truth, predicted, free };
    let counted = || {
        let mut confusion = Confusion::new(protocol.classes.len());
        confusion.add(truth, predicted, Some(&frame.mask), &[255]).map(|()| confusion)
    };
    let confusion = counted().map_err(|cause| cause.to_string())?;
    let counts = compare_grids(&grids, &origins, &rays).map_err(|cause| cause.to_string())?;
    let mut growth = Vec::new();
    for frames in [1u32, 10, 100] {
        let miou_s = mean_s(|| {
            let mut sum = Confusion::new(protocol.classes.len());
            (0..frames).flat_map(|_| black_box(counted())).for_each(|one| sum.merge(&one));
            black_box(sum);
        });
        let ray_s = mean_s(|| {
            let mut sum = RayCounts::default();
            let one = || black_box(compare_grids(&grids, &origins, &rays));
            (0..frames).flat_map(|_| one()).for_each(|one| sum.add(&one));
            black_box(sum);
        });
        growth.push((frames, miou_s, ray_s));
    }
    let per_s = |of: fn(&(u32, f64, f64)) -> f64| {
        growth.iter().map(|row| f64::from(row.0) / of(row)).fold(0.0, f64::max)
    };
    let ray_iou = counts.ray_iou(|_| true).map(|at| at.iter().sum::<f64>() / 3.0);
    let rows: Vec<_> = growth
        .iter()
        .map(
            |(frames, miou_s, ray_s)| json!({ "frames": frames, "miou_s": miou_s, "ray_s": ray_s }),
        )
        .collect();
    let figures = json!({
        "miou_per_s": per_s(|row| row.1),
        "ray_per_s": per_s(|row| row.2),
        "miou": protocol.report(&confusion).miou,
        "ray_iou": ray_iou,
        "rays": counts.rays,
        "growth": rows,
    });
    println!("{figures}");
    Ok(())
}
