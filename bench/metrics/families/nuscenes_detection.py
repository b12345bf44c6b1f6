"""nuScenes detection (`detection_cvpr_2019`) against nuscenes-devkit: its filters, `accumulate`, `calc_ap`, `calc_tp`."""

import numpy as np
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes
from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES, DETECTION_NAMES
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.eval.detection.evaluate import DetectionEval

import nuscenes_tables
import table

TOOL = "nuscenes-devkit 1.2.0"
TOLERANCE = 1e-9


def group(figure):
    """Classes share a row."""
    return figure if " " not in figure else figure.split(" ")[1] + " of each class"


def random_box(rng, ego, names, spread=60.0):
    name = str(rng.choice(names))
    return {
        "translation": [ego[0] + rng.uniform(-spread, spread), ego[1] + rng.uniform(-spread, spread), rng.normal()],
        "size": rng.uniform(0.3, 6.0, 3).tolist(),
        "rotation": (rng.normal(size=4) * [1, 0.05, 0.05, 1]).tolist(),
        "velocity": rng.normal(size=2, scale=3.0).tolist(),
        "num_pts": int(rng.integers(0, 6)),
        "detection_name": name,
        "detection_score": -1.0,
        "attribute_name": str(rng.choice(ATTRIBUTE_NAMES)) if rng.random() < 0.8 else "",
    }


def prediction_of(rng, truth, noise, levels):
    """A prediction near a true box; scores of few levels, so that many are equal."""
    given = dict(truth)
    given["translation"] = (np.array(truth["translation"]) + rng.normal(size=3) * noise).tolist()
    given["size"] = (np.array(truth["size"]) * rng.uniform(0.7, 1.4, 3)).tolist()
    given["rotation"] = (np.array(truth["rotation"]) + rng.normal(size=4) * 0.2).tolist()
    given["velocity"] = (np.array(truth["velocity"]) + rng.normal(size=2)).tolist()
    given["num_pts"] = -1
    given["detection_score"] = float(np.round(rng.random() * levels) / levels)
    if rng.random() < 0.2:
        given["attribute_name"] = str(rng.choice(ATTRIBUTE_NAMES))
    return given


def scene(seed, samples=12, boxes=30, names=DETECTION_NAMES, noise=0.7, levels=20, clutter=15):
    rng = np.random.default_rng(seed)
    truth, predictions = [], []
    for index in range(samples):
        ego = [float(x) for x in rng.uniform(-1000, 1000, 2)] + [0.0]
        found = [random_box(rng, ego, names) for _ in range(int(rng.integers(0, boxes)))]
        for box in found:
            if rng.random() < 0.1:
                box["velocity"] = [float("nan")] * 2
        if index == 1:
            found = []
        racks = [
            {
                "translation": [ego[0] + rng.uniform(-20, 20), ego[1] + rng.uniform(-20, 20), 0.0],
                "size": [8.0, 14.0, 6.0],
                "rotation": rng.normal(size=4).tolist(),
            }
            for _ in range(2)
        ]
        truth.append({"sample": f"s{index}", "ego": ego, "racks": racks, "boxes": found})
        given = [prediction_of(rng, box, noise, levels) for box in found if rng.random() < 0.8]
        given += [dict(box) for box in given[:3]]  # exact duplicates
        for _ in range(int(rng.integers(0, clutter + 1))):
            box = random_box(rng, ego, names, 40.0)
            box["num_pts"] = -1 if rng.random() < 0.9 else 0
            box["detection_score"] = float(np.round(rng.random() * levels) / levels)
            given.append(box)
        if index == 2:
            given = []
        if index == 3 and given:
            given[0]["velocity"] = [float("nan")] * 2
        predictions.append({"sample": f"s{index}", "boxes": given})
    predictions = [predictions[i] for i in rng.permutation(samples)]
    return {"samples": truth, "predictions": predictions}


def lattice(seed):
    """Distances that are exactly equal to each other and to the thresholds."""
    rng = np.random.default_rng(seed)
    given = scene(seed, samples=5, boxes=30, names=["car", "barrier"], levels=4)
    for sample, predicted in zip(given["samples"], sorted(given["predictions"], key=lambda p: int(p["sample"][1:]))):
        sample["ego"] = [0.0, 0.0, 0.0]
        for box in sample["boxes"] + predicted["boxes"]:
            box["translation"] = (rng.integers(-8, 9, 3) * 0.5).tolist()
    return given


def perfect(seed):
    given = scene(seed, samples=6, boxes=20, noise=0.0, clutter=0, levels=1000)
    for sample, predicted in zip(given["samples"], sorted(given["predictions"], key=lambda p: int(p["sample"][1:]))):
        predicted["boxes"] = [
            {**box, "num_pts": -1, "detection_score": float(i + 1) / 100} for i, box in enumerate(sample["boxes"])
        ]
    return given


def nothing(seed):
    given = scene(seed, samples=2, boxes=10)
    for predicted in given["predictions"]:
        predicted["boxes"] = []
    return given


def cases():
    small = [
        ("random, ties, duplicates, empty samples, NaN velocities", scene(1, samples=8)),
        ("two classes only", scene(2, samples=5, boxes=20, names=["pedestrian", "traffic_cone"])),
        ("distances equal to thresholds", lattice(3)),
        ("truth as prediction", perfect(4)),
        ("no predictions", nothing(5)),
        ("low recall", scene(6, samples=6, noise=4.0, boxes=15)),
    ]
    for name, given in small:
        yield name, table.rounded(given, 3)


def large():
    yield "300 samples", scene(7, samples=300, boxes=60, levels=10**6, clutter=100)
    yield "200 samples, 8 score levels", scene(8, samples=200, boxes=60, levels=8, clutter=100)


class Evaluation(DetectionEval):
    """The devkit's evaluation of boxes that are in memory; its constructor reads files."""

    def __init__(self, given):
        self.cfg = config_factory("detection_cvpr_2019")
        self.verbose = False
        tables = nuscenes_tables.Tables(given["samples"])
        self.gt_boxes, self.pred_boxes = boxes_of(given["samples"]), boxes_of(given["predictions"])
        for boxes in (self.gt_boxes, self.pred_boxes):
            add_center_dist(tables, boxes)
            if boxes.all:  # the devkit cannot tell the type of no boxes
                filter_eval_boxes(tables, boxes, self.cfg.class_range)


def boxes_of(samples):
    boxes = EvalBoxes()
    for sample in samples:
        found = []
        for given in sample["boxes"]:
            given = {**given, "velocity": [float(x) for x in given["velocity"]]}
            found.append(DetectionBox.deserialize({**given, "sample_token": sample["sample"]}))
        boxes.add_boxes(sample["sample"], found)
    return boxes


def official(given):
    with np.errstate(all="ignore"):
        metrics, _ = Evaluation(given).evaluate()
        figures = {"mAP": metrics.mean_ap, "NDS": metrics.nd_score}
        names = {"trans_err": "ATE", "scale_err": "ASE", "orient_err": "AOE", "vel_err": "AVE", "attr_err": "AAE"}
        for name, value in metrics.tp_errors.items():
            figures["m" + names[name]] = value
    for label in metrics.cfg.class_names:
        for name, short in names.items():
            figures[f"{label} {short}"] = metrics.get_label_tp(label, name)
        for distance in metrics.cfg.dist_ths:
            figures[f"{label} AP@{distance}m"] = metrics.get_label_ap(label, distance)
    return figures
