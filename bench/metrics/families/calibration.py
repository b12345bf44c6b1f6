"""Confidences by scikit-learn and Guo et al.'s formula; cameras by OpenCV; mountings by SciPy's rotations."""

import cv2
import numpy as np
from scipy.spatial.transform import Rotation
from sklearn.metrics import brier_score_loss, log_loss

TOOL = "scikit-learn 1.9.1 (Brier, log loss), Guo et al. 2017 (ECE), OpenCV 5.0.0, scipy 1.17.1"
TOLERANCE = 1e-9


def cases():
    rng = np.random.default_rng(71)
    confidences = rng.random(300)
    yield "300 confidences", {"confidences": confidences, "right": rng.random(300) < confidences**2, "bins": 15}
    # On the edges of bins, and certain.
    edges = np.array([0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.9, 1.0, 1.0, 0.0])
    yield "confidences on edges", {"confidences": edges, "right": rng.random(10) < 0.5, "bins": 10}
    points = np.hstack([rng.uniform(-1, 1, (40, 2)), rng.uniform(2, 9, (40, 1))])
    intrinsics = {"model": "brown_conrady", "fx": 700.0, "fy": 710.0, "cx": 640.0, "cy": 360.0, "k1": -0.2, "k2": 0.05, "p1": 1e-3, "p2": -5e-4, "k3": 0.0}
    pixels = project(intrinsics, points) + rng.normal(0, 0.4, (40, 2))
    yield "reprojection, 40 points", {"intrinsics": intrinsics, "points": points, "pixels": pixels}
    for angle in (0.5, 1e-4):
        turn = Rotation.from_rotvec(rng.normal(0, 1, 3))
        near = turn * Rotation.from_rotvec(angle * np.array([0.6, 0.0, 0.8]))
        pose = lambda r: np.hstack([r.as_matrix(), rng.normal(0, 1, (3, 1))]).ravel()
        yield f"mountings {angle} rad apart", {"true_pose": pose(turn), "pose": pose(near)}


def project(intrinsics, points):
    k = [intrinsics[name] for name in ("fx", "fy", "cx", "cy")]
    matrix = np.array([[k[0], 0, k[2]], [0, k[1], k[3]], [0, 0, 1]])
    distortion = np.array([intrinsics[name] for name in ("k1", "k2", "p1", "p2", "k3")])
    return cv2.projectPoints(np.array(points), np.zeros(3), np.zeros(3), matrix, distortion)[0].reshape(-1, 2)


def official(given):
    if "pose" in given:
        truth, estimate = (np.array(given[name]).reshape(3, 4) for name in ("true_pose", "pose"))
        turn = Rotation.from_matrix(truth[:, :3]).inv() * Rotation.from_matrix(estimate[:, :3])
        a, b = truth[:, 3], estimate[:, 3]
        return {
            "rotation_deg": np.degrees(turn.magnitude()), "translation_m": np.linalg.norm(a - b),
            "direction_deg": np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))),
        }
    if "points" in given:
        off = project(given["intrinsics"], given["points"]) - np.array(given["pixels"])
        return {"reprojection_rms_px": np.sqrt((off**2).sum(1).mean())}
    confidences, right = np.array(given["confidences"]), np.array(given["right"], dtype=float)
    edges = np.arange(given["bins"] + 1) / given["bins"]
    gaps, shares = [], []
    for i in range(given["bins"]):
        inside = (confidences > edges[i]) & (confidences <= edges[i + 1]) | (i == 0) & (confidences == 0)
        if inside.any():
            gaps.append(abs(right[inside].mean() - confidences[inside].mean()))
            shares.append(inside.mean())
    gaps, shares = np.array(gaps), np.array(shares)
    return {
        "ECE": (shares * gaps).sum(), "MCE": gaps.max(), "RMSCE": np.sqrt((shares * gaps**2).sum()),
        "Brier": brier_score_loss(right, confidences), "log loss": log_loss(right, confidences),
    }
