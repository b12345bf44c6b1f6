"""OpenLane-V2's score of version 1.1, by the package's own functions.

The package imports an F-score that needs an old build of OR-Tools; it has no part in the score and is left out.
"""

import sys
import types

import numpy as np

TOOL = "openlanev2 1.1.0"
TOLERANCE = 1e-6  # the tool computes in float32

for name in ("ortools", "ortools.graph"):
    sys.modules.setdefault(name, types.ModuleType(name))
sys.modules["ortools.graph"].pywrapgraph = None
sys.modules["ortools"].graph = sys.modules["ortools.graph"]
import openlanev2.evaluation  # noqa: E402

tool = sys.modules["openlanev2.evaluation.evaluate"]  # the package hides the module behind its function
tool.f1.bench_one_submit = lambda **_: 0.0


def frame(rng, lanes, elements):
    return {
        "lanes": [
            {"points_m": np.cumsum(np.vstack([rng.uniform([-40, -10, -1], [20, 10, 1]), rng.normal([4, 0, 0], 0.3, (10, 3))]), 0)}
            for _ in range(lanes)
        ],
        "elements": [
            {"corners_px": at + np.array([[0, 0], rng.uniform(20, 60, 2)]), "attribute": int(rng.integers(0, 13))}
            for at in rng.uniform(0, 1000, (elements, 1, 2))
        ],
        "lane_lane": (rng.random((lanes, lanes)) < 0.3).astype(float),
        "lane_element": (rng.random((lanes, elements)) < 0.3).astype(float),
    }


def predict(rng, truth, extra):
    """Moved, some missed, some doubled, some false; distinct confidences, since the tool leaves ties open."""
    pick = lambda n: [i for i in range(n) for _ in range(rng.choice([0, 1, 1, 1, 2]))]
    lanes, elements = pick(len(truth["lanes"])), pick(len(truth["elements"]))
    false = frame(rng, extra, extra)
    shift = lambda: rng.normal(0, rng.choice([0.0, 0.3, 1.5]), 3)
    moved = [{"points_m": np.array(truth["lanes"][i]["points_m"]) + shift()} for i in lanes] + false["lanes"]
    boxes = [
        {**truth["elements"][i], "corners_px": np.array(truth["elements"][i]["corners_px"]) + rng.normal(0, 6, (2, 2))}
        for i in elements
    ] + false["elements"]
    noisy = lambda table: np.clip(table * 0.5 + rng.uniform(0, 0.6, table.shape), 0, 1)
    ll, le = np.array(truth["lane_lane"]), np.array(truth["lane_element"])
    n, m = len(moved), len(boxes)
    grown_ll, grown_le = np.zeros((n, n)), np.zeros((n, m))
    grown_ll[: len(lanes), : len(lanes)] = ll[np.ix_(lanes, lanes)] if len(lanes) else 0
    if lanes and elements:
        grown_le[: len(lanes), : len(elements)] = le[np.ix_(lanes, elements)]
    confidences = (rng.permutation(n + m) + rng.random(n + m)) / (n + m + 1)
    for thing, confidence in zip(moved + boxes, confidences):
        thing["confidence"] = confidence
    return {"lanes": moved, "elements": boxes, "lane_lane": noisy(grown_ll), "lane_element": noisy(grown_le)}


def case(rng, frames):
    truth = [frame(rng, int(rng.integers(0, 9)), int(rng.integers(0, 6))) for _ in range(frames)]
    return {"truth": truth, "predicted": [predict(rng, t, int(rng.integers(0, 4))) for t in truth]}


def cases():
    rng = np.random.default_rng(31)
    yield "12 frames with doubles, misses and empty sides", case(rng, 12)
    one = case(rng, 4)
    one["truth"][0]["lanes"][:1] = [{"points_m": np.array([[1.0, 2.0, 0.0]])}] * min(1, len(one["truth"][0]["lanes"]))
    yield "a lane of one point", one


def large():
    yield "200 frames", case(np.random.default_rng(32), 200)


def official(given):
    truth, predicted = {}, {}
    for token, (t, p) in enumerate(zip(given["truth"], given["predicted"])):
        sides = []
        for side in (t, p):
            lanes, elements = len(side["lanes"]), len(side["elements"])
            sides.append({
                "lane_centerline": [
                    {"id": i, "points": np.array(lane["points_m"], dtype=float), "confidence": lane.get("confidence", 1.0)}
                    for i, lane in enumerate(side["lanes"])
                ],
                "traffic_element": [
                    {"id": lanes + i, "points": np.array(e["corners_px"], dtype=float), "attribute": e["attribute"], "confidence": e.get("confidence", 1.0)}
                    for i, e in enumerate(side["elements"])
                ],
                "topology_lclc": np.array(side["lane_lane"], dtype=float).reshape(lanes, lanes),
                "topology_lcte": np.array(side["lane_element"], dtype=float).reshape(lanes, elements),
            })
        truth[token], predicted[token] = {"annotation": sides[0]}, {"predictions": sides[1]}
    header = {"method": "", "e-mail": "", "institution / company": "", "country / region": "cn", "authors": []}
    found = tool.evaluate(truth, {**header, "results": predicted}, verbose=False)["OpenLane-V2 Score"]
    return {name: found[name] for name in ("DET_l", "DET_t", "TOP_ll", "TOP_lt")} | {"OLS": found["score"]}
