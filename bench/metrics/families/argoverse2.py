"""Argoverse 2 detection against av2: `accumulate` of each sweep and category, then `summarize_metrics`, before rounding.

Scores are distinct: where they are equal, av2's `np.argsort` is unstable and its result is not defined.
"""

import warnings

import numpy as np
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from av2.evaluation.detection.eval import summarize_metrics
    from av2.evaluation.detection.utils import DetectionCfg, accumulate

import table

TOOL = "av2 0.3.6"
TOLERANCE = 1e-9
CONFIG = DetectionCfg(eval_only_roi_instances=False)
COLUMNS = [*CONFIG.affinity_thresholds_m, "ATE", "ASE", "AOE", "is_evaluated"]


def group(figure):
    """Categories share a row."""
    name, kind = figure.split(" ")
    return f"{kind} average" if name == "AVERAGE" else f"{kind} of each category"


def sweeps(seed, count=8, boxes=15, names=("REGULAR_VEHICLE", "PEDESTRIAN", "BOLLARD"), noise=0.8, clutter=10):
    rng = np.random.default_rng(seed)
    scores = iter(rng.permutation(10**6) / 10**6)
    result = []
    for index in range(count):
        truth, predicted = [], []
        for _ in range(int(rng.integers(0, boxes))):
            yaw = rng.uniform(-3, 3)
            truth.append(
                [str(rng.choice(names)), rng.uniform(-110, 110, 3).tolist(), rng.uniform(0.5, 6, 3).tolist(),
                 [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))], float(rng.integers(0, 8))]
            )
            for _ in range(int(rng.integers(0, 3))):
                name, place, size, _, _ = truth[-1]
                turned = yaw + rng.normal()
                predicted.append(
                    [name, (np.array(place) + rng.normal(size=3) * noise).tolist(),
                     (np.array(size) * rng.uniform(0.7, 1.4, 3)).tolist(),
                     [float(np.cos(turned / 2)), 0.0, 0.0, float(np.sin(turned / 2))], float(next(scores))]
                )
        for _ in range(int(rng.integers(0, clutter))):
            predicted.append(
                [str(rng.choice(names)), rng.uniform(-110, 110, 3).tolist(), rng.uniform(0.5, 6, 3).tolist(),
                 [1.0, 0.0, 0.0, 0.0], float(next(scores))]
            )
        if index == 2:
            predicted = []
        if index == 3:
            truth = []
        result.append({"log": f"log{index % 2}", "timestamp": index, "truth": truth, "predicted": predicted})
    return {"sweeps": [result[i] for i in rng.permutation(count)]}


def cases():
    for name, given in [
        ("random, empty sides", sweeps(1)),
        ("one category", sweeps(2, names=("DOG",))),
        ("no predictions of a category", sweeps(3, count=3, boxes=4, noise=6.0, clutter=2)),
    ]:
        yield name, table.rounded(given, 6)


def large():
    yield "200 sweeps, more than 100 a category", sweeps(4, count=200, boxes=120, clutter=200)


def official(given):
    tables = {"truth": [], "predicted": []}
    keys = sorted(
        {(s["log"], s["timestamp"], row[0]) for s in given["sweeps"] for side in tables for row in s[side]}
    )
    by_sweep = {(s["log"], s["timestamp"]): s for s in given["sweeps"]}
    for log, timestamp, category in keys:
        sweep = by_sweep[log, timestamp]
        arrays = []
        for side in ("predicted", "truth"):
            rows = [[*row[1], *row[2], *row[3], row[4]] for row in sweep[side] if row[0] == category]
            arrays.append(np.array(rows, dtype=float).reshape(-1, 11))
        for side, array, found in zip(("predicted", "truth"), arrays, accumulate(*arrays, CONFIG)):
            frame = pd.DataFrame(found, columns=COLUMNS)
            frame["category"], frame["score"] = category, array[:, -1]
            tables[side].append(frame)
    frames = [pd.concat(tables[side], ignore_index=True) for side in ("predicted", "truth")]
    for frame in frames:
        frame["is_evaluated"] = frame["is_evaluated"].astype(bool)
    summary = summarize_metrics(*frames, CONFIG)
    summary.loc["AVERAGE"] = summary.mean()
    return {f"{name} {kind}": value for name, row in summary.iterrows() for kind, value in row.items()}
