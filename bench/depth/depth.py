"""Stereo depth against lidar, beside OpenCV's StereoSGBM, on the same images.

    python bench/depth/depth.py SEMANTICKITTI_DIR [--sequence 00] [--stereo BINARY] [--repeats 5]

SEMANTICKITTI_DIR holds `sequences/`. BINARY is the example `stereo` of ommatidia-label, built by
`cargo build --release -p ommatidia-label --example stereo`; without it cargo builds it. Prints KITTI's
D1 on estimated pixels, D1 with missing ones counted as wrong, density and milliseconds a pair, and the
ratios to OpenCV's.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from truth import project_lidar, read_calibration, scores

DISPARITIES = 128
BLOCK = 3


def opencv(mode: int, left: np.ndarray, right: np.ndarray, repeats: int):
    """Disparity and best time in ms, conversion to grey included."""
    area = BLOCK * BLOCK
    matcher = cv2.StereoSGBM_create(
        minDisparity=0,
        numDisparities=DISPARITIES,
        blockSize=BLOCK,
        P1=8 * area,
        P2=32 * area,
        disp12MaxDiff=1,
        preFilterCap=63,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
        mode=mode,
    )
    best_ms = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (left, right)]
        disparity = matcher.compute(*grey)
        best_ms = min(best_ms, 1e3 * (time.perf_counter() - start))
    return np.maximum(disparity / 16.0, 0.0), best_ms


def ours(binary: list[str], source: Path, out: Path, repeats: int, options: list[str]) -> list[float]:
    command = [*binary, str(source), str(out), str(repeats), *options]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line)["ms"] for line in lines]


def read_map(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Depth in metres, 0 where there is none, and confidence 0 to 255."""
    raw = path.read_bytes()
    width, height = np.frombuffer(raw, np.uint32, 2)
    pixels = int(width) * int(height)
    depth = np.frombuffer(raw, np.float32, pixels, 8).reshape(height, width)
    return depth, np.frombuffer(raw, np.uint8, pixels, 8 + 4 * pixels).reshape(height, width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--sequence", default="00")
    parser.add_argument("--stereo", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    root = arguments.source / "sequences" / arguments.sequence
    calibration = read_calibration(root / "calib.txt")
    focal_baseline = calibration.focal_px * calibration.baseline_m
    names = sorted(path.stem for path in (root / "image_2").glob("*.png"))
    pairs = [[cv2.imread(str(root / side / f"{name}.png")) for side in ("image_2", "image_3")] for name in names]
    truths = []
    for name, (left, _) in zip(names, pairs):
        depth = project_lidar(calibration, root / "velodyne" / f"{name}.bin", left.shape[:2])
        truths.append(np.where(depth > 0, focal_baseline / np.maximum(depth, 1e-3), 0))

    rows = {}
    modes = {"SGBM_3WAY": cv2.STEREO_SGBM_MODE_SGBM_3WAY, "HH": cv2.STEREO_SGBM_MODE_HH}
    for label, mode in modes.items():
        found = [opencv(mode, *pair, arguments.repeats) for pair in pairs]
        rows[f"opencv {label}"] = summary([d for d, _ in found], truths, [ms for _, ms in found])
    binary = [str(arguments.stereo)] if arguments.stereo else (
        "cargo run --quiet --release -p ommatidia-label --example stereo --".split())
    for label, options in (("ours", []), ("ours, pair only", ["--no-motion"])):
        with tempfile.TemporaryDirectory() as out:
            times = ours(binary, arguments.source, Path(out), arguments.repeats, options)
            maps = [read_map(Path(out) / f"{i:06}_image_2.bin") for i in range(len(names))]
        disparities = [np.where(d > 0, focal_baseline / np.maximum(d, 1e-3), 0) for d, _ in maps]
        rows[label] = summary(disparities, truths, times)
        sure = [np.where(c >= 150, d, 0) for d, (_, c) in zip(disparities, maps)]
        rows[f"{label}, matched pixels"] = summary(sure, truths, times)

    reference = rows["opencv SGBM_3WAY"]
    print(f"{len(names)} pairs, opencv {cv2.__version__}")
    print(f"{'':32}{'D1':>8}{'D1 all':>8}{'density':>8}{'epe px':>8}{'ms':>8}{'vs 3WAY':>9}")
    for label, row in rows.items():
        print(
            f"{label:32}{row['d1']:8.2%}{row['d1_all']:8.2%}{row['density']:8.3f}{row['epe_px']:8.3f}"
            f"{row['ms']:8.1f}{row['ms'] / reference['ms']:8.2f}x"
        )


def summary(disparities: list[np.ndarray], truths: list[np.ndarray], times: list[float]) -> dict[str, float]:
    each = [scores(found, truth) for found, truth in zip(disparities, truths)]
    row = {key: float(np.mean([score[key] for score in each])) for key in each[0]}
    return row | {"ms": float(np.mean(times))}


if __name__ == "__main__":
    main()
