"""MapTR's chamfer mAP: the formulas of its `map_utils` (mmdet3d does not install beside the rest), with Shapely's
buffers and SciPy's distances as there."""

import numpy as np
from scipy.spatial import distance
from shapely.geometry import LineString

TOOL = "MapTR map_utils/tpfp.py, tpfp_chamfer.py, mean_ap.py (transcribed)"
TOLERANCE = 1e-6  # the tool computes in float32
THRESHOLDS = (0.5, 1.0, 1.5)
CLASSES = ("divider", "ped_crossing", "boundary")


def line(rng, kind):
    step = rng.uniform(0.2, 4)
    start = rng.uniform([-15, -30], [15, 30])
    points = np.cumsum(np.vstack([start, rng.normal([0, step], 0.4 * step, (int(rng.integers(1, 12)), 2))]), 0)
    return {"class": kind, "points_m": points}


def case(rng, frames, missing=None):
    found = []
    for _ in range(frames):
        truth = [line(rng, int(rng.integers(0, 3))) for _ in range(rng.integers(0, 8))]
        truth = [t for t in truth if t["class"] != missing]
        predicted = []
        for t in truth:
            for _ in range(rng.choice([0, 1, 1, 2])):
                moved = t["points_m"] + rng.normal(0, rng.choice([0.05, 0.5, 1.2]), 2)
                predicted.append({"class": t["class"], "points_m": moved[:: rng.choice([-1, 1])]})
            if rng.random() < 0.3:
                # The next piece of the same line: near by points, apart by flat-ended bands.
                ahead = t["points_m"] + (t["points_m"][-1] - t["points_m"][0]) * 1.05
                predicted.append({"class": t["class"], "points_m": ahead})
        predicted += [line(rng, int(rng.integers(0, 3))) for _ in range(rng.integers(0, 3))]
        if rng.random() < 0.3:
            predicted.append({"class": 0, "points_m": np.array([[1.0, 1.0]])})
        found.append({"truth": truth, "predicted": predicted})
    every = [p for f in found for p in f["predicted"]]
    for p, confidence in zip(every, rng.permutation(len(every)) / (len(every) + 1)):
        p["confidence"] = confidence
    return {"frames": found}


def cases():
    rng = np.random.default_rng(41)
    yield "15 frames with doubles, reversed and degenerate lines", case(rng, 15)
    yield "6 frames, one class missing", case(rng, 6, missing=1)


def large():
    yield "300 frames", case(np.random.default_rng(42), 300)


def resampled(points):
    path = LineString(points)
    return np.array([path.interpolate(d).coords[0] for d in np.linspace(0, path.length, 100)])


def of_frame(frame, kind, threshold):
    truth = [resampled(t["points_m"]) for t in frame["truth"] if t["class"] == kind]
    chosen = [p for p in frame["predicted"] if p["class"] == kind and len(p["points_m"]) >= 2]
    predicted = [resampled(p["points_m"]) for p in chosen]
    scores = np.array([p["confidence"] for p in chosen])
    tp = np.zeros(len(chosen), dtype=np.float32)
    if truth and chosen:
        band = lambda points: LineString(points).buffer(2.0, cap_style="flat", join_style="mitre")
        truth_bands, bands = [band(t) for t in truth], [band(p) for p in predicted]
        matrix = np.full((len(chosen), len(truth)), -100.0)
        for i, p in enumerate(predicted):
            for j, t in enumerate(truth):
                if bands[i].intersects(truth_bands[j]):
                    d = distance.cdist(p, t, "euclidean")
                    matrix[i, j] = -(d.min(-1).mean() + d.min(-2).mean()) / 2
        covered = np.zeros(len(truth), dtype=bool)
        for i in np.argsort(-scores):
            best = matrix[i].argmax()
            if matrix[i, best] >= -threshold and not covered[best]:
                covered[best] = True
                tp[i] = 1
    return tp, 1 - tp, scores, len(truth)


def average_precision(frames, kind, threshold):
    tp, fp, scores, counts = zip(*(of_frame(frame, kind, threshold) for frame in frames))
    order = np.argsort(-np.hstack(scores))
    tp, fp = np.cumsum(np.hstack(tp)[order]), np.cumsum(np.hstack(fp)[order])
    eps = np.finfo(np.float32).eps
    recalls, precisions = tp / np.maximum(sum(counts), eps), tp / np.maximum(tp + fp, eps)
    recalls, precisions = np.hstack([0, recalls, 1]), np.hstack([0, precisions, 0])
    for i in range(len(precisions) - 1, 0, -1):
        precisions[i - 1] = max(precisions[i - 1], precisions[i])
    steps = np.where(recalls[1:] != recalls[:-1])[0]
    return np.sum((recalls[steps + 1] - recalls[steps]) * precisions[steps + 1])


def official(given):
    table = np.array([[average_precision(given["frames"], k, t) for k in range(3)] for t in THRESHOLDS])
    return {f"AP_{name}": table[:, k].mean() for k, name in enumerate(CLASSES)} | {"mAP": table.mean(0).mean()}
