"""Absolute and relative trajectory error of poses at whole seconds, against evo."""

import numpy as np
from evo.core import metrics, trajectory

TOOL = "evo 1.38.1"
TOLERANCE = 1e-9


def cases():
    rng = np.random.default_rng(4)
    for count in (25, 40):
        steps = rng.normal(size=(count, 3))
        quaternions = rng.normal(size=(count, 4))
        quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
        truth = np.hstack([np.cumsum(steps, axis=0), quaternions])
        estimate = truth.copy()
        estimate[:, :3] += 0.1 * rng.normal(size=(count, 3))
        estimate[:, 3:] += 0.05 * rng.normal(size=(count, 4))
        estimate[:, 3:] /= np.linalg.norm(estimate[:, 3:], axis=1, keepdims=True)
        yield f"{count} random poses", {"truth": truth, "estimate": estimate}


def official(given):
    path = [
        trajectory.PoseTrajectory3D(
            positions_xyz=np.array(given[side])[:, :3],
            orientations_quat_wxyz=np.array(given[side])[:, 3:],
            timestamps=np.arange(len(given[side]), dtype=float),
        )
        for side in ("truth", "estimate")
    ]
    figures = {}
    path[1].align(path[0])
    ape = metrics.APE(metrics.PoseRelation.translation_part)
    ape.process_data(path)
    figures["ate_rmse_m"] = ape.get_statistic(metrics.StatisticsType.rmse)
    figures["ate_max_m"] = ape.get_statistic(metrics.StatisticsType.max)
    figures["ate_median_m"] = ape.get_statistic(metrics.StatisticsType.median)
    figures["ate_std_m"] = ape.get_statistic(metrics.StatisticsType.std)
    turned = metrics.APE(metrics.PoseRelation.rotation_angle_deg)
    turned.process_data(path)
    figures["ate_rot_mean_deg"] = turned.get_statistic(metrics.StatisticsType.mean)
    for name, relation in (
        ("rpe_trans_m", metrics.PoseRelation.translation_part),
        ("rpe_rot_deg", metrics.PoseRelation.rotation_angle_deg),
    ):
        rpe = metrics.RPE(relation, delta=1, delta_unit=metrics.Unit.frames)
        rpe.process_data(path)
        figures[name] = rpe.get_statistic(metrics.StatisticsType.rmse)
    for name, delta, unit in (
        ("2_frames", 2, metrics.Unit.frames), ("3_m", 3.0, metrics.Unit.meters), ("120_deg", 120.0, metrics.Unit.degrees),
    ):
        for every in (False, True):
            rpe = metrics.RPE(metrics.PoseRelation.translation_part, delta=delta, delta_unit=unit, all_pairs=every)
            rpe.process_data(path)
            figures[f"rpe_trans_m_{name}{'_all' if every else ''}"] = rpe.get_statistic(metrics.StatisticsType.rmse)
    return figures
