"""Lanes in the image. TuSimple: the formulas of `evaluate/lane.py` (Python 2 there), with scikit-learn's fit as there.
CULane: those of `lane_evaluation` (C++), drawn by the same OpenCV function."""

import cv2
import numpy as np
from sklearn.linear_model import LinearRegression

TOOL = "TuSimple evaluate/lane.py, CULane lane_evaluation (transcribed; OpenCV 5.0.0 draws)"
TOLERANCE = 1e-9
ROWS = list(range(240, 720, 10))


def tusimple_case(rng, images):
    found = []
    for _ in range(images):
        truth, predicted = [], []
        for _ in range(rng.integers(0, 7)):
            slope, start = rng.uniform(-2, 2), rng.uniform(0, 1280)
            lane = np.round(start + slope * (np.array(ROWS) - 450))
            lane[: rng.integers(0, 30)] = -2
            lane[(lane < 0) | (lane > 1279)] = -2
            truth.append(lane)
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                moved = np.where(lane >= 0, lane + rng.choice([0, 5, 20, 40]) + np.round(rng.normal(0, 4, len(ROWS))), -2)
                predicted.append(moved)
        if rng.random() < 0.2:
            predicted += [np.full(len(ROWS), -2.0)] * int(rng.integers(1, 4))
        found.append({"truth_px": truth, "predicted_px": predicted, "rows_px": ROWS, "run_time_ms": float(rng.choice([10, 200, 201]))})
    return {"tusimple": found}


def culane_case(rng, images):
    found = []
    for _ in range(images):
        truth, predicted = [], []
        for _ in range(rng.integers(0, 5)):
            n = int(rng.integers(2, 9))
            y = np.linspace(600, 600 - 40 * n, n)
            x = rng.uniform(-100, 1740) + np.cumsum(rng.normal(rng.uniform(-60, 60), 12, n))
            truth.append(np.round(np.stack([x, y], 1), 2))
            for _ in range(rng.choice([0, 1, 1, 2])):
                predicted.append(np.round(truth[-1] + [rng.normal(0, 12), 0] + rng.normal(0, 1, (n, 2)), 2))
        if rng.random() < 0.3:
            predicted.append(np.array([[100.0, 100.0]]))
        if rng.random() < 0.2:
            predicted.append(rng.uniform(0, 500, (5, 2)).round(1))
        found.append([truth, predicted])
    return {"culane": found}


def cases():
    rng = np.random.default_rng(51)
    yield "TuSimple, 30 images, late, empty and too many lanes", tusimple_case(rng, 30)
    yield "CULane, 15 images, lanes beyond the border, single points", culane_case(rng, 15)
    upright = np.array([[[400.0, 590.0 - 50 * k] for k in range(6)]])
    yield "CULane, upright and level lines", {"culane": [[upright, upright + [[14.0, 0]]], [upright[..., ::-1], upright[..., ::-1]]]}


def large():
    yield "CULane, 150 images", culane_case(np.random.default_rng(52), 150)


def tusimple(images):
    scores = []
    for image in images:
        predicted, truth, rows = image["predicted_px"], image["truth_px"], np.array(image["rows_px"])
        if image["run_time_ms"] > 200 or len(truth) + 2 < len(predicted):
            scores.append((0.0, 0.0, 1.0))
            continue
        best = []
        for lane in np.array(truth):
            seen = lane >= 0
            slope = LinearRegression().fit(rows[seen][:, None], lane[seen]).coef_[0] if seen.sum() > 1 else 0
            limit = 20 / np.cos(np.arctan(slope))
            place = lambda xs: np.where(np.array(xs) >= 0, xs, -100)
            best.append(max((np.mean(np.abs(place(p) - place(lane)) < limit) for p in predicted), default=0.0))
        missed = sum(b < 0.85 for b in best)
        wrong = len(predicted) - (len(best) - missed)
        total = sum(best)
        if len(truth) > 4:
            missed, total = max(missed - 1, 0), total - min(best)
        asked = max(min(4.0, len(truth)), 1.0)
        scores.append((total / asked, wrong / len(predicted) if predicted else 0.0, missed / asked))
    accuracy, fp, fn = np.mean(scores, 0)
    return {"tusimple_accuracy": accuracy, "tusimple_FP": fp, "tusimple_FN": fn}


def spline(points):
    """`Spline::cal_fun` and `splineInterpTimes(…, 50)`: points are floats of 32 bits, the rest doubles."""
    p = np.array(points, dtype=np.float32)
    if len(p) == 2:
        return p
    d = np.diff(p, axis=0).astype(float)
    h, n = np.sqrt((d**2).sum(1)), len(p)
    m = np.zeros((n, 2))
    system = np.diag(2 * (h[:-1] + h[1:])) + np.diag(h[1:-1], 1) + np.diag(h[1:-1], -1)
    m[1:-1] = np.linalg.solve(system, 6 * np.diff(d / h[:, None], axis=0))
    found = []
    for i in range(n - 1):
        a, c, e = p[i].astype(float), m[i] / 2, (m[i + 1] - m[i]) / (6 * h[i])
        b = d[i] / h[i] - (2 * h[i] * m[i] + h[i] * m[i + 1]) / 6
        for k in range(50):
            t = h[i] / 50 * k
            found.append((a + b * t + c * t**2 + e * t**3).astype(np.float32))
    return np.array(found + [p[-1]])


def draw(lane):
    image = np.zeros((590, 1640), dtype=np.uint8)
    points = np.rint(spline(lane)).astype(int).tolist()
    for a, b in zip(points[:-1], points[1:]):
        cv2.line(image, a, b, 1, 30)
    return image > 0


def match(weights):
    """`pipartiteGraph`: labels count as tight within 1e-2."""
    weights = np.array(weights)
    rows, columns = weights.shape
    row_label, column_label = weights.max(1), np.zeros(columns)
    row_of = [-1] * columns

    def augment(row, rows_seen, columns_seen):
        rows_seen.add(row)
        for column in range(columns):
            if column in columns_seen or abs(row_label[row] + column_label[column] - weights[row, column]) >= 1e-2:
                continue
            columns_seen.add(column)
            if row_of[column] == -1 or augment(row_of[column], rows_seen, columns_seen):
                row_of[column] = row
                return True
        return False

    for row in range(rows):
        while True:
            rows_seen, columns_seen = set(), set()
            if augment(row, rows_seen, columns_seen):
                break
            least = min(row_label[r] + column_label[c] - weights[r, c] for r in rows_seen for c in range(columns) if c not in columns_seen)
            for r in rows_seen:
                row_label[r] -= least
            for c in columns_seen:
                column_label[c] += least
    return [(row, column) for column, row in enumerate(row_of) if row >= 0]


def culane(images):
    tp = fp = fn = 0
    total = 0.0
    for truth, predicted in images:
        iou = np.zeros((len(truth), len(predicted)))
        drawn = [[draw(lane) if len(lane) > 1 else None for lane in side] for side in (truth, predicted)]
        for i, t in enumerate(drawn[0]):
            for j, p in enumerate(drawn[1]):
                if t is not None and p is not None and (t | p).any():
                    iou[i, j] = (t & p).sum() / (t | p).sum()
        total += iou.sum()
        found = 0
        if len(truth) and len(predicted):
            pairs = match(iou) if len(truth) <= len(predicted) else [(j, i) for i, j in match(iou.T)]
            found = sum(iou[i, j] > 0.5 for i, j in pairs)
        tp, fp, fn = tp + found, fp + len(predicted) - found, fn + len(truth) - found
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    f1 = 2 * precision * recall / (precision + recall)
    return {"culane_tp": tp, "culane_fp": fp, "culane_fn": fn, "culane_F1": f1, "culane_sum of IoU": total}


def official(given):
    return tusimple(given["tusimple"]) if "tusimple" in given else culane(given["culane"])
