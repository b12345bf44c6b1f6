"""Waymo's occupancy and flow forecasts, against the published definition: `occupancy_flow_metrics.py` of
waymo-open-dataset 1.6.7 written out in NumPy, for the package needs TensorFlow and has lost its warping. With TensorFlow
at hand the area under the curve is Keras's own."""

import numpy as np

try:
    import tensorflow
except ImportError:
    tensorflow = None

TOOL = "waymo-open-dataset 1.6.7's definition, " + (f"AUC of TensorFlow {tensorflow.__version__}" if tensorflow else "NumPy")
TOLERANCE = 1e-6


def case(seed, width, height, steps, missing, soft):
    rng = np.random.default_rng(seed)
    truth, predicted, origins = [], [], []
    for k in range(steps):
        made = []
        for part in ("observed", "occluded"):
            grid = np.zeros((height, width))
            if (k, part) not in missing:
                for _ in range(3):
                    x, y = rng.integers(0, width - 3), rng.integers(0, height - 3)
                    grid[y : y + 3, x : x + 4] = 1
            made.append(grid)
        occupied = (made[0] + made[1] > 0)[..., None]
        flow = np.round(rng.normal(size=(height, width, 2)) * 2, 2) * occupied
        guess = [np.clip(np.round(grid * 0.8 + rng.normal(size=grid.shape) * 0.2, 3), 0, 1) for grid in made]
        if soft:
            made = [np.round(grid * rng.random(grid.shape), 3) for grid in made]
        guessed = np.round(flow + rng.normal(size=flow.shape) * 0.7, 2)
        flat = lambda a, b, f: {"observed": a.ravel(), "occluded": b.ravel(), "flow": f.reshape(-1, 2)}
        truth.append(flat(*made, flow))
        predicted.append(flat(*guess, guessed))
        origins.append((rng.random(height * width) < 0.3).astype(float))
    return {"size": [width, height], "truth": truth, "predicted": predicted, "origins": origins}


def cases():
    yield "random", case(1, 16, 12, 3, {}, False)
    yield "waypoints without vehicles", case(2, 10, 14, 5, {(0, "observed"), (0, "occluded"), (2, "observed"), (3, "occluded")}, False)
    yield "soft truth", case(3, 12, 9, 2, {}, True)
    given = case(4, 8, 8, 2, {(k, part) for k in range(2) for part in ("observed", "occluded")}, False)
    yield "no vehicle at all", given


def large():
    yield "256 x 256, 8 waypoints", case(5, 256, 256, 8, {}, False)


def auc(truth, predicted):
    if tensorflow:
        metric = tensorflow.keras.metrics.AUC(num_thresholds=100, summation_method="interpolation", curve="PR")
        metric.update_state(truth, predicted)
        return float(metric.result())
    bucket = np.maximum(np.ceil(predicted * np.float32(99)) - 1, 0).astype(int)
    above = lambda weights: np.cumsum(np.bincount(bucket, weights, 100)[::-1])[::-1]
    tp, fp = above(truth > 0), above(truth == 0)
    divide = lambda a, b: np.divide(a, b, out=np.zeros_like(a, dtype=float), where=b != 0)
    p = tp + fp
    slope = divide(tp[:-1] - tp[1:], np.maximum(p[:-1] - p[1:], 0))
    intercept = tp[1:] - slope * p[1:]
    ratio = np.where((p[:-1] > 0) & (p[1:] > 0), divide(p[:-1], p[1:]), 1.0)
    return np.sum(divide(slope * (tp[:-1] - tp[1:] + intercept * np.log(np.where(ratio > 0, ratio, 1))), np.full(99, tp[0])))


def soft_iou(truth, predicted):
    both = np.sum((truth * predicted).astype(float))
    whole = np.sum(truth.astype(float)) + np.sum(predicted.astype(float)) - both
    return both / whole if whole else 0.0


def warp(origin, flow, width, height):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x + flow[..., 0], y + flow[..., 1]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    total = np.zeros((height, width), dtype=np.float32)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        column, row = left + i, top + j
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        value = np.where(inside, origin[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], 0)
        total += value * (1 - np.abs(x - column)) * (1 - np.abs(y - row))
    return total


def official(given):
    width, height = given["size"]
    grid = lambda cells: np.array(cells, dtype=np.float32)
    lists = {name: [] for name in ("observed_auc", "occluded_auc", "observed_iou", "occluded_iou", "flow_epe", "flow_grounded_auc", "flow_grounded_iou")}
    had = {"observed": True, "occluded": True}
    for t, p, origin in zip(given["truth"], given["predicted"], given["origins"]):
        has = {part: grid(t[part]).max() > 0 for part in had}
        for part in had:
            if has[part]:
                lists[f"{part}_auc"].append(auc(grid(t[part]), grid(p[part])))
                lists[f"{part}_iou"].append(soft_iou(grid(t[part]), grid(p[part])))
        if any(has[part] and had[part] for part in had):
            true_flow, flow = grid(t["flow"]), grid(p["flow"])
            exists = np.any(true_flow != 0, axis=1)
            errors = np.linalg.norm((true_flow - flow).astype(float), axis=1)
            lists["flow_epe"].append(np.mean(errors[exists]) if exists.any() else 0.0)
            true_all = np.clip(grid(t["observed"]) + grid(t["occluded"]), 0, 1)
            all_ = np.clip(grid(p["observed"]) + grid(p["occluded"]), 0, 1)
            grounded = all_ * warp(grid(origin).reshape(height, width), flow.reshape(height, width, 2), width, height).ravel()
            lists["flow_grounded_auc"].append(auc(true_all, grounded))
            lists["flow_grounded_iou"].append(soft_iou(true_all, grounded))
        had = has
    return {name: float(np.mean(values)) if values else 0.0 for name, values in lists.items()}
