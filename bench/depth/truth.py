"""Reads one SemanticKITTI sequence: stereo pairs and lidar projected into image_2."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

NEIGHBOUR_COLUMNS, NEIGHBOUR_ROWS = 2, 4
NEARER_SHARE = 0.85


@dataclass
class Calibration:
    """Projections of cameras 2 and 3 and the pose of the lidar in camera 0."""

    p2: np.ndarray
    p3: np.ndarray
    camera0_from_lidar: np.ndarray

    @property
    def focal_px(self) -> float:
        return self.p2[0, 0]

    @property
    def baseline_m(self) -> float:
        return (self.p2[0, 3] - self.p3[0, 3]) / self.p2[0, 0]


def read_calibration(path: Path) -> Calibration:
    rows = {}
    for line in path.read_text().splitlines():
        name, _, numbers = line.partition(":")
        if numbers.strip():
            rows[name] = np.array(numbers.split(), float).reshape(3, 4)
    return Calibration(rows["P2"], rows["P3"], np.vstack([rows["Tr"], [0, 0, 0, 1]]))


def project_lidar(calibration: Calibration, scan: Path, shape: tuple[int, int]) -> np.ndarray:
    """Depth along the optical axis per pixel, metres, 0 where no return is; hidden returns removed."""
    height, width = shape
    xyz = np.fromfile(scan, np.float32).reshape(-1, 4)[:, :3]
    homogeneous = np.c_[xyz, np.ones(len(xyz))] @ (calibration.p2 @ calibration.camera0_from_lidar).T
    homogeneous = homogeneous[homogeneous[:, 2] > 1.0]
    z = homogeneous[:, 2]
    # KITTI's principal point counts pixel centres as integers.
    u = np.rint(homogeneous[:, 0] / z).astype(int)
    v = np.rint(homogeneous[:, 1] / z).astype(int)
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v, z = u[inside], v[inside], z[inside]
    depth = np.full(shape, np.inf, np.float32)
    np.minimum.at(depth, (v, u), z)
    # The lidar sits above the camera and sees over what hides a surface from it: a return well behind
    # one of its neighbours in the image is dropped.
    kernel = np.ones((2 * NEIGHBOUR_ROWS + 1, 2 * NEIGHBOUR_COLUMNS + 1), np.uint8)
    nearest = cv2.erode(np.where(np.isinf(depth), 1e6, depth).astype(np.float32), kernel)
    hidden = nearest < NEARER_SHARE * depth
    return np.where(np.isinf(depth) | hidden, 0, depth)


def scores(estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """KITTI's D1 on disparities, pixels; 0 is none. Menze and Geiger 2015."""
    known = truth > 0
    estimated = known & (estimate > 0)
    error = np.abs(estimate - truth)
    wrong = (error > 3.0) & (error > 0.05 * truth)
    missing = known & ~estimated
    return {
        "d1": (wrong & estimated).sum() / max(estimated.sum(), 1),
        "d1_all": ((wrong & estimated) | missing).sum() / known.sum(),
        "density": estimated.sum() / known.sum(),
        "epe_px": error[estimated & ~wrong].mean(),
    }
