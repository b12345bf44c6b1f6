"""nuScenes tracking (`tracking_nips_2019`) against nuscenes-devkit with motmetrics: AMOTA, AMOTP, CLEAR MOT at the best score."""

import contextlib
import io
import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import nuscenes.eval.tracking.loaders as loaders
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.common.data_classes import EvalBoxes
    from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes
    from nuscenes.eval.tracking.data_classes import TrackingBox
    from nuscenes.eval.tracking.evaluate import TrackingEval

import nuscenes_tables
import table

TOOL = "nuscenes-devkit 1.2.0, motmetrics 1.4.0"
TOLERANCE = 1e-9
CONFIG = config_factory("tracking_nips_2019")


def group(figure):
    """Classes share a row."""
    label, name = figure.split(" ")
    return name if label == "all" else f"{name} of each class"


def scene(seed, name, frames=15, tracks=12, names=None, noise=0.5, levels=None, origin=50.0):
    rng = np.random.default_rng(seed)
    names = names or CONFIG.tracking_names
    start = rng.uniform(-25, 25, (tracks, 2))
    speed = rng.normal(size=(tracks, 2)) * 0.8
    kinds = rng.choice(names, tracks)
    life = np.sort(rng.integers(0, frames, (tracks, 2)), axis=1)
    carried = [f"{name}-t{i}" for i in range(tracks)]
    fresh = 0
    quality = rng.uniform(0.1, 1.0, tracks)
    samples, predictions = [], []
    ego = [float(x) for x in rng.uniform(-origin, origin, 2)] + [0.0]
    for t in range(frames):
        truth, predicted = [], []
        for i in range(tracks):
            if not life[i, 0] <= t <= life[i, 1]:
                continue
            place = start[i] + speed[i] * t + np.array(ego[:2])
            truth.append(
                {
                    "translation": [float(place[0]), float(place[1]), 0.0],
                    "num_pts": int(rng.integers(0, 8)),
                    "tracking_id": f"{name}-g{i}",
                    "tracking_name": str(kinds[i]),
                    "tracking_score": -1.0,
                }
            )
            if rng.random() < 0.05:
                fresh += 1
                carried[i] = f"{name}-new{fresh}"
            if rng.random() < 0.8:
                score = float(np.clip(quality[i] + rng.normal() * 0.1, 0.01, 1))
                if levels:
                    score = float(np.round(score * levels) / levels)
                place = place + rng.normal(size=2) * noise
                predicted.append(
                    {
                        "translation": [float(place[0]), float(place[1]), 0.0],
                        "num_pts": -1,
                        "tracking_id": carried[i],
                        "tracking_name": str(kinds[i]),
                        "tracking_score": score,
                    }
                )
        if rng.random() < 0.1 and predicted:
            predicted[0]["tracking_name"] = str(rng.choice(names))
        for j in range(int(rng.integers(0, 4))):
            place = rng.uniform(-30, 30, 2) + np.array(ego[:2])
            predicted.append(
                {
                    "translation": [float(place[0]), float(place[1]), 0.0],
                    "num_pts": -1,
                    "tracking_id": f"{name}-fp{rng.integers(0, 3) * 4 + j}",
                    "tracking_name": str(rng.choice(names)),
                    "tracking_score": float(np.round(rng.random() * 10) / 10),
                }
            )
        if t == frames // 2:
            predicted = []
        token = f"{name}-{t}"
        rack = {"translation": ego, "size": [6.0, 9.0, 6.0], "rotation": [1.0, 0.0, 0.0, 0.3]}
        samples.append(
            {
                "sample": token,
                "scene": name,
                "timestamp": 500_000 * t + int(rng.integers(0, 20_000)),
                "ego": ego,
                "racks": [rack],
                "boxes": truth,
            }
        )
        predictions.append({"sample": token, "boxes": predicted})
    return samples, predictions


def scenes(seed, count=2, **options):
    both = [scene(seed * 100 + i, f"sc{i}", **options) for i in range(count)]
    return {"samples": sum((a for a, _ in both), []), "predictions": sum((b for _, b in both), [])}


def perfect(seed):
    given = scenes(seed)
    given["predictions"] = [
        {
            "sample": sample["sample"],
            "boxes": [{**box, "num_pts": -1, "tracking_score": 0.5 + 0.01 * i} for i, box in enumerate(sample["boxes"])],
        }
        for sample in given["samples"]
    ]
    return given


def unfound(seed):
    given = scenes(seed, count=1)
    for predicted in given["predictions"]:
        for box in predicted["boxes"]:
            box["translation"][2] = 1.0
            box["translation"][0] += 17.3
    for sample in given["samples"]:
        sample["boxes"] = sample["boxes"][:3]
    return given


def cases():
    small = [
        ("random, holes, switches", scenes(1)),
        ("two classes, 3 score levels", scenes(2, names=["car", "bicycle"], levels=3, tracks=10)),
        ("nearly nothing found", unfound(4)),
    ]
    for name, given in small:
        yield name, table.rounded(given, 3)


def large():
    yield "truth as prediction", table.rounded(perfect(3), 3)
    yield "10 scenes of 40 frames", table.rounded(scenes(5, count=10, frames=40, tracks=40), 3)


# The devkit's distances are `sklearn.metrics.pairwise.euclidean_distances` (tracking/algo.py, accumulate_threshold),
# which expands (a - b)^2 and loses digits where the distance is small and the coordinates are not.
NOTES = {
    name: "euclidean_distances in tracking/algo.py expands the square" for name in ("amotp", "motp", "amotp of each class", "motp of each class")
}


class Evaluation(TrackingEval):
    """The devkit's evaluation of boxes that are in memory; its constructor reads files."""

    def __init__(self, given):
        self.cfg, self.verbose = CONFIG, False
        self.output_dir, self.render_classes = None, []
        tables = nuscenes_tables.Tables(given["samples"])
        both = []
        for boxes in (boxes_of(given["samples"]), boxes_of(given["predictions"])):
            add_center_dist(tables, boxes)
            if boxes.all:
                filter_eval_boxes(tables, boxes, self.cfg.class_range)
            both.append(boxes)
        names = sorted({sample["scene"] for sample in given["samples"]})
        loaders.get_scenes_of_split = lambda split_name, nusc: names
        self.tracks_gt = loaders.create_tracks(both[0], tables, "split", gt=True)
        self.tracks_pred = loaders.create_tracks(both[1], tables, "split", gt=False)


def boxes_of(samples):
    boxes = EvalBoxes()
    for sample in samples:
        found = []
        for given in sample["boxes"]:
            full = {"size": [1.0, 2.0, 1.0], "rotation": [1.0, 0.0, 0.0, 0.0], "velocity": [0.0, 0.0], **given}
            found.append(TrackingBox.deserialize({**full, "sample_token": sample["sample"]}))
        boxes.add_boxes(sample["sample"], found)
    return boxes


def official(given):
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        metrics, _ = Evaluation(given).evaluate()
        figures = {f"all {name}": metrics.compute_metric(name) for name in metrics.label_metrics}
    for name, classes in metrics.label_metrics.items():
        for label, value in classes.items():
            figures[f"{label} {name}"] = value
    return figures
