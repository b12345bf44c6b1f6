#!/usr/bin/env python3
"""Occupancy metrics' speed, both sides on the same frames of 200 x 200 x 16 voxels and one core: Occ3D's mIoU, and RayIoU
from eight origins a frame. Cost by number of frames at 1x, 10x, 100x. Times are of the core, not of
the wall: others may use the machine.

    cargo build --release -p ommatidia-metrics --example speed_occupancy
    python bench/metrics/speed_occupancy.py target/release/examples/speed_occupancy

The other side of mIoU is the official script's method (mask, then `numpy.bincount`), that of RayIoU the official walk,
all rays at a time in NumPy (`families/occupancy.py`), for the official one needs a GPU.
"""

import json
import os
import subprocess
import sys
import time

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from families import occupancy  # noqa: E402


def official(frame, grid, rays):
    truth, predicted, mask = (np.array(frame[key]) for key in ("truth", "predicted", "mask"))
    start = time.process_time()
    for _ in range(10):
        judged = mask & (truth < 18)
        confusion = np.bincount(18 * truth[judged].astype(int) + predicted[judged], minlength=324).reshape(18, 18)
    miou = 10 / (time.process_time() - start)
    start = time.process_time()
    right, all_true, all_predicted = np.zeros((3, 18)), np.zeros(18), np.zeros(18)
    for origin in frame["origins"]:
        a, true_m = occupancy.cast(truth, 17, grid, origin, rays)
        b, predicted_m = occupancy.cast(predicted, 17, grid, origin, rays)
        keep = truth[a] != 17
        t, p, error = truth[a][keep], predicted[b][keep], np.abs(predicted_m - true_m)[keep]
        all_true += np.bincount(t, minlength=18)
        all_predicted += np.bincount(p, minlength=18)
        for k, threshold in enumerate((1, 2, 4)):
            right[k] += np.bincount(t[(t == p) & (error < threshold)], minlength=18)
    ray = 1 / (time.process_time() - start)
    with np.errstate(all="ignore"):
        iou = np.diag(confusion) / (confusion.sum(0) + confusion.sum(1) - np.diag(confusion))
        ray_iou = right / (all_true + all_predicted - right)
    return miou, ray, np.nanmean(iou[:17]), np.nanmean(ray_iou[:, :17])


def main():
    os.environ["OMP_NUM_THREADS"] = "1"
    given = occupancy.to_scene(seed=6)
    text = json.dumps(given, default=lambda value: value.tolist())
    run = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, check=True)
    ours = json.loads(run.stdout)
    miou, ray, miou_value, ray_value = official(given["frames"][0], given["grid"], occupancy.lidar_rays())
    print("| metric | NumPy, frames/s | ours, frames/s | ratio | their value | ours |")
    print("|---|---:|---:|---:|---:|---:|")
    print(f"| mIoU | {miou:.1f} | {ours['miou_per_s']:.0f} | {ours['miou_per_s'] / miou:.0f} | {miou_value:.9f} | {ours['miou']:.9f} |")
    print(f"| RayIoU, 8 origins | {ray:.3f} | {ours['ray_per_s']:.1f} | {ours['ray_per_s'] / ray:.0f} | {ray_value:.9f} | {ours['ray_iou']:.9f} |")
    print("\n| frames | mIoU, s | RayIoU, s |\n|---:|---:|---:|")
    for row in ours["growth"]:
        print(f"| {row['frames']} | {row['miou_s']:.4f} | {row['ray_s']:.3f} |")


if __name__ == "__main__":
    main()
