//! Our trajectory errors against evo's on the same files. `bench/trajectory/reference.py` made the
//! reference values and the synthetic pair of files.

use std::path::{Path, PathBuf};

use ommatidia_geometry::{Pose, Timestamp};
use ommatidia_metrics::trajectory::{
    Alignment, Association, Delta, TrajectoryProtocol, TrajectoryReport, evaluate,
};
use ommatidia_scene::PoseSample;
use serde::Deserialize;

/// Metres, degrees or percent.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    folder: String,
    format: String,
    truth: String,
    estimate: String,
    results: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    align: Alignment,
    scale: f64,
    pairs: usize,
    path_m: f64,
    ate_rmse_m: f64,
    ate_max_m: f64,
    ate_mean_m: f64,
    rpe_trans_m: f64,
    rpe_rot_deg: f64,
    rpe_trans_m_10_frames: f64,
    rpe_trans_m_2_m: f64,
    t_rel_percent: Option<f64>,
    r_rel_deg_per_100m: Option<f64>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(fixtures().join("evo.json")).unwrap();
    serde_json::from_str::<Fixture>(&text).unwrap().cases
}

/// The words of each line that is no comment.
fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split([' ', ',']).filter(|word| !word.is_empty()).collect())
}

/// `time x y z qx qy qz qw`; seconds, or with `euroc` nanoseconds and the scalar of the quaternion first.
fn timed(text: &str, euroc: bool) -> Vec<PoseSample> {
    let sample = |words: Vec<&str>| {
        let number = |i: usize| -> f64 { words[i].parse().unwrap() };
        let nanoseconds =
            if euroc { words[0].parse().unwrap() } else { (1e9 * number(0)).round() as i64 };
        let wxyz = if euroc { [4, 5, 6, 7] } else { [7, 4, 5, 6] }.map(number);
        PoseSample {
            timestamp: Timestamp(nanoseconds),
            world_from_ego: Pose::from_wxyz(wxyz, [1, 2, 3].map(number)).unwrap(),
        }
    };
    lines(text).map(sample).collect()
}

/// Row-major 3x4 matrices, one each 0.1 s.
fn kitti(text: &str) -> Vec<PoseSample> {
    let sample = |(i, words): (usize, Vec<&str>)| {
        let matrix: Vec<f64> = words.iter().map(|word| word.parse().unwrap()).collect();
        PoseSample {
            timestamp: Timestamp(i as i64 * 100_000_000),
            world_from_ego: Pose::from_row_major(&matrix).unwrap(),
        }
    };
    lines(text).enumerate().map(sample).collect()
}

fn load(case: &Case, base: &Path) -> (Vec<PoseSample>, Vec<PoseSample>) {
    let read = |name: &str| std::fs::read_to_string(base.join(name)).unwrap();
    let (truth, estimate) = (read(&case.truth), read(&case.estimate));
    match case.format.as_str() {
        "kitti" => (kitti(&truth), kitti(&estimate)),
        "euroc" => (timed(&truth, true), timed(&estimate, false)),
        _ => (timed(&truth, false), timed(&estimate, false)),
    }
}

fn check(case: &Case, base: &Path) {
    let (truth, estimate) = load(case, base);
    let association =
        if case.format == "kitti" { Association::Index } else { Association::default() };
    for expected in &case.results {
        let at = |rpe_delta| -> TrajectoryReport {
            let protocol = TrajectoryProtocol {
                association,
                alignment: expected.align,
                rpe_delta,
                ..TrajectoryProtocol::default()
            };
            evaluate(&truth, &estimate, &protocol).unwrap()
        };
        let report = at(Delta::default());
        assert_eq!(report.pairs, expected.pairs, "{}", case.name);
        let figures = [
            ("scale", report.scale, expected.scale),
            ("path", report.path_m, expected.path_m),
            ("ate rmse", report.ate_rmse_m, expected.ate_rmse_m),
            ("ate max", report.ate_max_m, expected.ate_max_m),
            ("ate mean", report.ate_mean_m, expected.ate_mean_m),
            ("rpe trans", report.rpe_trans_m, expected.rpe_trans_m),
            ("rpe rot", report.rpe_rot_deg, expected.rpe_rot_deg),
            ("rpe 10", at(Delta::Frames(10)).rpe_trans_m, expected.rpe_trans_m_10_frames),
            ("rpe 2 m", at(Delta::Metres(2.0)).rpe_trans_m, expected.rpe_trans_m_2_m),
            ("t_rel", report.t_rel_percent.unwrap_or(-1.0), expected.t_rel_percent.unwrap_or(-1.0)),
            (
                "r_rel",
                report.r_rel_deg_per_100m.unwrap_or(-1.0),
                expected.r_rel_deg_per_100m.unwrap_or(-1.0),
            ),
        ];
        for (what, ours, theirs) in figures {
            let difference = (ours - theirs).abs();
            println!(
                "{} {:?} {what}: {ours} - {theirs} = {difference:.1e}",
                case.name, expected.align
            );
            assert!(
                difference < TOLERANCE,
                "{} {:?} {what}: {ours} {theirs}",
                case.name,
                expected.align
            );
        }
    }
}

#[test]
fn synthetic_drive_agrees_with_evo() {
    let synthetic = cases().into_iter().find(|case| case.folder == "fixtures").unwrap();
    check(&synthetic, &fixtures());
}

#[test]
fn real_trajectories_agree_with_evo() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("OMMATIDIA_DATA").map_or(workspace, PathBuf::from);
    for case in cases().iter().filter(|case| case.folder != "fixtures") {
        let base = data.join(&case.folder);
        if base.join(&case.truth).exists() {
            check(case, &base);
        } else {
            println!("skipped: no real data at {}", base.display());
        }
    }
}
