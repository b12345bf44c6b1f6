//! Absolute trajectory error of poses at whole seconds.

use ommatidia_geometry::{Pose, Timestamp};
use ommatidia_metrics::trajectory::{
    Alignment, Delta, RelativePairs, TrajectoryProtocol, evaluate,
};
use ommatidia_scene::PoseSample;
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, Number, parse};

/// Rows `x y z qw qx qy qz`.
#[derive(Deserialize)]
struct Input {
    truth: Vec<[Number; 7]>,
    estimate: Vec<[Number; 7]>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let (truth, estimate) = (samples(&input.truth)?, samples(&input.estimate)?);
    let protocol =
        TrajectoryProtocol { alignment: Alignment::Se3, ..TrajectoryProtocol::default() };
    let report = evaluate(&truth, &estimate, &protocol).map_err(|cause| cause.to_string())?;
    let figures = [
        ("ate_rmse_m", report.ate_rmse_m),
        ("ate_max_m", report.ate_max_m),
        ("ate_median_m", report.ate.median),
        ("ate_std_m", report.ate.std),
        ("ate_rot_mean_deg", report.ate_rot_deg.mean),
        ("rpe_trans_m", report.rpe_trans_m),
        ("rpe_rot_deg", report.rpe_rot_deg),
    ];
    let mut figures: Figures = figures.map(|(name, value)| (name.to_owned(), value)).into();
    for (name, rpe_delta) in [
        ("2_frames", Delta::Frames(2)),
        ("3_m", Delta::Metres(3.0)),
        ("120_deg", Delta::Degrees(120.0)),
    ] {
        for (suffix, rpe_pairs) in [("", RelativePairs::Consecutive), ("_all", RelativePairs::All)]
        {
            let protocol = TrajectoryProtocol { rpe_delta, rpe_pairs, ..protocol };
            let report =
                evaluate(&truth, &estimate, &protocol).map_err(|cause| cause.to_string())?;
            figures.insert(format!("rpe_trans_m_{name}{suffix}"), report.rpe_trans_m);
        }
    }
    Ok(figures)
}

fn samples(rows: &[[Number; 7]]) -> Result<Vec<PoseSample>, String> {
    let sample = |(i, row): (usize, &[Number; 7])| {
        let [x, y, z, qw, qx, qy, qz] = row.map(|Number(x)| x);
        let pose = Pose::from_wxyz([qw, qx, qy, qz], [x, y, z]);
        let world_from_ego = pose.ok_or_else(|| format!("row {i} is no pose"))?;
        Ok(PoseSample { timestamp: Timestamp(i as i64 * 1_000_000_000), world_from_ego })
    };
    rows.iter().enumerate().map(sample).collect()
}
