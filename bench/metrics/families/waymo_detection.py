"""Waymo detection: AP and APH of Sun et al. 2020, section 4.1, written out; overlap of turned boxes by shapely.

No package of Waymo's code installs beside the others. A worked example by hand is a test of `detection::waymo`.
"""

import math

import numpy as np
from shapely.geometry import Polygon

import table

TOOL = "Sun et al. 2020 in NumPy, shapely 2.2.0"
TOLERANCE = 1e-9
MIN_IOU = {"VEHICLE": 0.7, "PEDESTRIAN": 0.5, "CYCLIST": 0.5}


def group(figure):
    """Classes share a row."""
    return figure.split(" ", 1)[1]


def frames(seed, count=10, boxes=12, noise=1.0, levels=50):
    rng = np.random.default_rng(seed)
    result = []
    for index in range(count):
        truth = [
            [str(rng.choice(list(MIN_IOU))), rng.uniform(-60, 60, 3).tolist(), rng.uniform(1, 6, 3).tolist(),
             rng.uniform(-4, 4), float(rng.integers(0, 12)), bool(rng.random() < 0.1)]
            for _ in range(int(rng.integers(0, boxes)))
        ]
        predicted = []
        for name, place, size, yaw, _, _ in truth:
            for _ in range(int(rng.integers(0, 3))):
                turned = yaw + rng.normal() * 0.05 * noise + (math.pi if rng.random() < 0.2 else 0)
                predicted.append(
                    [name, (np.array(place) + rng.normal(size=3) * 0.1 * noise).tolist(),
                     (np.array(size) * (1 + 0.03 * noise * rng.normal(size=3))).tolist(), turned, 0.0, False]
                )
        for _ in range(int(rng.integers(0, 5))):
            predicted.append(
                [str(rng.choice(list(MIN_IOU))), rng.uniform(-60, 60, 3).tolist(), [4.0, 2.0, 1.5], 0.0, 0.0, False]
            )
        for row in predicted:
            row[4] = float(np.round(rng.random() * levels) / levels)
        result.append({"truth": [] if index == 1 else truth, "predicted": [] if index == 2 else predicted})
    return {"frames": result}


def cases():
    for name, given in [("random, ties, empty frames", frames(1)), ("few levels", frames(2, levels=3))]:
        yield name, table.rounded(given, 4)


def large():
    yield "200 frames", frames(3, count=200, boxes=30, levels=10**6)


def polygon(row):
    (x, y, _), (length, width, _), yaw = row[1], row[2], row[3]
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [length / 2, width / 2]
    turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    return Polygon(corners @ turn.T + [x, y])


def iou(a, b):
    if np.hypot(*(np.array(a[1]) - b[1])[:2]) > 12:
        return 0.0
    bottom = max(a[1][2] - a[2][2] / 2, b[1][2] - b[2][2] / 2)
    top = min(a[1][2] + a[2][2] / 2, b[1][2] + b[2][2] / 2)
    common = polygon(a).intersection(polygon(b)).area * max(0.0, top - bottom)
    return common / (math.prod(a[2]) + math.prod(b[2]) - common)


def figures_of(given, label, level):
    rows, truths = [], 0
    for frame in given["frames"]:
        truth = [row for row in frame["truth"] if row[0] == label and row[4] >= 1]
        counts = [level == 2 or (row[4] > 5 and not row[5]) for row in truth]
        truths += sum(counts)
        taken = set()
        predicted = [row for row in frame["predicted"] if row[0] == label]
        for row in sorted(predicted, key=lambda row: -row[4]):
            overlaps = [(iou(row, other), -i) for i, other in enumerate(truth) if i not in taken]
            most, place = max(overlaps, default=(0.0, 0))
            if most < MIN_IOU[label]:
                rows.append((row[4], 0, 0.0))
                continue
            taken.add(-place)
            if counts[-place]:
                turn = (row[3] - truth[-place][3]) % (2 * math.pi)
                rows.append((row[4], 1, 1 - min(turn, 2 * math.pi - turn) / math.pi))
    if not truths:
        return 0.0, 0.0
    points = []
    for score in sorted({row[0] for row in rows}, reverse=True):
        kept = [row for row in rows if row[0] >= score]
        right = sum(row[1] for row in kept)
        points.append((right / truths, right / len(kept), sum(row[2] for row in kept) / len(kept)))
    areas = []
    for which in (1, 2):
        before, area = 0.0, 0.0
        for i, point in enumerate(points):
            area += (point[0] - before) * max(later[which] for later in points[i:])
            before = point[0]
        areas.append(area)
    return tuple(areas)


def official(given):
    figures = {}
    for label in MIN_IOU:
        for level in (1, 2):
            ap, aph = figures_of(given, label, level)
            figures[f"{label} LEVEL_{level} AP"], figures[f"{label} LEVEL_{level} APH"] = ap, aph
    return figures
