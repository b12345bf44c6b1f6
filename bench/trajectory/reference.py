#!/usr/bin/env python3
"""Makes crates/metrics/tests/fixtures/evo.json: what evo says about the trajectories that
crates/metrics/tests/evo_parity.rs compares.

    pip install -r bench/trajectory/requirements.txt
    python bench/trajectory/reference.py [DATA]      # DATA: the folder that holds trajectories/

Trajectories under fixtures/ are made here too, so that the comparison also runs without DATA.
t_rel and r_rel are not evo's: they transcribe KITTI's evaluate_odometry.cpp.
"""

import copy
import json
import os
import sys
from pathlib import Path

import evo
import numpy as np
from evo.core import lie_algebra, metrics, sync
from evo.tools import file_interface as files

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "crates/metrics/tests/fixtures"
DATA = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OMMATIDIA_DATA", ROOT / "../shared/data"))
Relation, Unit = metrics.PoseRelation, metrics.Unit

# name, folder, format, truth, estimate
CASES = [
    ("synthetic", "fixtures", "tum", "truth.tum", "estimate.tum"),
    ("kitti_00", "trajectories", "kitti", "KITTI_00_gt.txt", "KITTI_00_ORB.txt"),
    ("fr1_xyz", "trajectories", "tum", "freiburg1_xyz-groundtruth.txt", "freiburg1_xyz-rgbdslam.txt"),
    ("v102", "trajectories", "euroc", "V102_groundtruth.csv", "V102.txt"),
]


def make_synthetic():
    """A drive of 290 m at 10 Hz, and an estimate of it that drifts, misses poses and is out of step."""
    rng = np.random.default_rng(6)
    quaternion = lambda pose: lie_algebra.sst_rotation_from_matrix(pose[:3, :3]).as_quat()
    truth, estimate = np.eye(4), lie_algebra.se3(lie_algebra.so3_exp(np.array([0.1, -0.2, 0.4])), np.array([3, -2, 1]))
    rows = {"truth.tum": [], "estimate.tum": []}
    for i in range(240):
        stamp = 1403715529.1 + 0.1 * i
        rows["truth.tum"].append((stamp, truth))
        if i % 7 != 3:
            rows["estimate.tum"].append((stamp + rng.uniform(-0.004, 0.004), estimate))
        motion = lie_algebra.se3(
            lie_algebra.so3_exp(np.array([0.002 * np.sin(i / 9), 0.001, 0.02 * np.sin(i / 40)])),
            np.array([1.2, 0.01 * np.cos(i / 5), 0.002]),
        )
        noise = lie_algebra.se3(lie_algebra.so3_exp(rng.normal(0, 4e-4, 3)), rng.normal(0, 0.01, 3))
        truth, estimate = truth @ motion, estimate @ motion @ noise
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for name, samples in rows.items():
        with open(FIXTURES / name, "w") as out:
            for stamp, pose in samples:
                values = [*pose[:3, 3], *quaternion(pose)]
                print(f"{stamp:.6f}", *(f"{value:.9f}" for value in values), file=out)


def segments(truth, estimate):
    """KITTI's t_rel (%) and r_rel (deg / 100 m), or None."""
    steps = [np.linalg.norm(b[:3, 3] - a[:3, 3]) for a, b in zip(truth, truth[1:])]
    distances = np.concatenate(([0.0], np.cumsum(steps)))
    translation, rotation = [], []
    for first in range(0, len(truth), 10):
        for length in range(100, 801, 100):
            later = [i for i in range(first, len(truth)) if distances[i] > distances[first] + length]
            if not later:
                continue
            true_motion = np.linalg.inv(truth[first]) @ truth[later[0]]
            motion = np.linalg.inv(estimate[first]) @ estimate[later[0]]
            error = np.linalg.inv(motion) @ true_motion
            translation.append(np.linalg.norm(error[:3, 3]) / length)
            # The kit takes the arc cosine of the trace, which the seven digits of KITTI's files make
            # 7e-6 deg / 100 m too large on sequence 00; this is the same angle without that error.
            rotation.append(lie_algebra.so3_log_angle(error[:3, :3], degrees=True) / length)
    if not translation:
        return {"t_rel_percent": None, "r_rel_deg_per_100m": None}
    return {"t_rel_percent": 100 * np.mean(translation), "r_rel_deg_per_100m": 100 * np.mean(rotation)}


def read(folder, form, truth, estimate):
    base = FIXTURES if folder == "fixtures" else DATA / folder
    if form == "kitti":
        return tuple(files.read_kitti_poses_file(str(base / name)) for name in (truth, estimate))
    read_truth = files.read_euroc_csv_trajectory if form == "euroc" else files.read_tum_trajectory_file
    pair = read_truth(str(base / truth)), files.read_tum_trajectory_file(str(base / estimate))
    return sync.associate_trajectories(*pair, max_diff=0.01)


def error(metric, pair):
    metric.process_data(pair)
    return {s: float(v) for s, v in metric.get_all_statistics().items()}


def evaluate(truth, estimate, align):
    estimate = copy.deepcopy(estimate)
    scale = 1.0
    if align != "none":
        scale = float(estimate.align(truth, correct_scale=align == "sim3")[2])
    pair = (truth, estimate)
    ape = error(metrics.APE(Relation.translation_part), pair)
    rpe = lambda relation, *delta: error(metrics.RPE(relation, *delta), pair)["rmse"]
    return {
        "align": align,
        "scale": scale,
        "pairs": truth.num_poses,
        "path_m": float(truth.path_length),
        "ate_rmse_m": ape["rmse"],
        "ate_max_m": ape["max"],
        "ate_mean_m": ape["mean"],
        "rpe_trans_m": rpe(Relation.translation_part, 1, Unit.frames),
        "rpe_rot_deg": rpe(Relation.rotation_angle_deg, 1, Unit.frames),
        "rpe_trans_m_10_frames": rpe(Relation.translation_part, 10, Unit.frames),
        "rpe_trans_m_2_m": rpe(Relation.translation_part, 2.0, Unit.meters),
        **segments(truth.poses_se3, estimate.poses_se3),
    }


def main():
    make_synthetic()
    cases = []
    for name, *source in CASES:
        pair = read(*source)
        keys = dict(zip(("folder", "format", "truth", "estimate"), source))
        results = [evaluate(*pair, align) for align in ("none", "se3", "sim3")]
        cases.append({"name": name, **keys, "results": results})
    fixture = {"made_by": f"bench/trajectory/reference.py with evo {evo.__version__}", "cases": cases}
    (FIXTURES / "evo.json").write_text(json.dumps(fixture, indent=1) + "\n")
    print(f"wrote {FIXTURES / 'evo.json'}")


if __name__ == "__main__":
    main()
