"""Makes a folder in nuScenes' layout with as many samples as asked for, and a submission of 500 boxes a sample.

Scenes bear the names of the devkit's `val` split, so that its own loaders take them: 150 scenes, 6,019 samples, about
190,000 boxes at full size. Random, seeded.
"""

import json
import os

import numpy as np
from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES, DETECTION_NAMES
from nuscenes.eval.detection.utils import detection_name_to_rel_attributes
from nuscenes.utils.splits import create_splits_scenes

CATEGORIES = {
    "car": "vehicle.car",
    "truck": "vehicle.truck",
    "bus": "vehicle.bus.rigid",
    "trailer": "vehicle.trailer",
    "construction_vehicle": "vehicle.construction",
    "pedestrian": "human.pedestrian.adult",
    "motorcycle": "vehicle.motorcycle",
    "bicycle": "vehicle.bicycle",
    "traffic_cone": "movable_object.trafficcone",
    "barrier": "movable_object.barrier",
}
# Shares of the classes, roughly as in nuScenes.
SHARES = np.array([0.42, 0.08, 0.02, 0.02, 0.02, 0.21, 0.02, 0.02, 0.08, 0.11])
FULL_SAMPLES = 6019
BOXES_A_SAMPLE = 31.6


def token(kind, *numbers):
    return kind + "".join(f"{number:06d}" for number in numbers).rjust(30, "0")


def write(folder, name, rows):
    with open(os.path.join(folder, f"{name}.json"), "w") as file:
        json.dump(rows, file)


def make(folder, samples=FULL_SAMPLES, predictions=500, seed=0):
    """Writes `folder/v1.0-trainval` and `folder/results.json`; the number of true boxes."""
    tables = os.path.join(folder, "v1.0-trainval")
    os.makedirs(tables, exist_ok=True)
    os.makedirs(os.path.join(folder, "maps"), exist_ok=True)
    rng = np.random.default_rng(seed)
    scenes = create_splits_scenes()["val"]
    count = np.full(len(scenes), samples // len(scenes))
    count[: samples % len(scenes)] += 1
    scenes = [(name, n) for name, n in zip(scenes, count) if n > 0]
    attribute = {name: token("at", i) for i, name in enumerate(ATTRIBUTE_NAMES)}
    out = {name: [] for name in ("scene", "sample", "sample_data", "ego_pose", "sample_annotation", "instance")}
    results = open(os.path.join(folder, "results.json"), "w")
    results.write('{"meta": {"use_camera": true, "use_lidar": false, "use_radar": false, "use_map": false, '
                  '"use_external": false}, "results": {')
    separator = ""
    for s, (name, n) in enumerate(scenes):
        tokens = [token("sa", s, t) for t in range(n)]
        out["scene"].append(
            {"token": token("sc", s), "name": name, "description": "", "log_token": "log", "nbr_samples": int(n),
             "first_sample_token": tokens[0], "last_sample_token": tokens[-1]}
        )
        things = int(BOXES_A_SAMPLE)  + int(rng.random() < BOXES_A_SAMPLE % 1)
        kinds = rng.choice(len(DETECTION_NAMES), things, p=SHARES / SHARES.sum())
        place = rng.uniform(-55, 55, (things, 2))
        speed = rng.normal(size=(things, 2)) * 0.5
        size = rng.uniform(0.5, 5, (things, 3))
        yaw = rng.uniform(-np.pi, np.pi, things)
        ego = rng.uniform(200, 2000, 2)
        for i in range(things):
            first = s * 1000 + i
            out["instance"].append(
                {"token": token("in", first), "category_token": token("ca", int(kinds[i])), "nbr_annotations": int(n),
                 "first_annotation_token": token("an", s, 0, i), "last_annotation_token": token("an", s, int(n) - 1, i)}
            )
        for t in range(n):
            out["sample"].append(
                {"token": tokens[t], "timestamp": 1_530_000_000_000_000 + s * 10**9 + t * 500_000,
                 "scene_token": token("sc", s), "prev": tokens[t - 1] if t else "",
                 "next": tokens[t + 1] if t + 1 < n else ""}
            )
            out["sample_data"].append(
                {"token": token("sd", s, t), "sample_token": tokens[t], "ego_pose_token": token("ep", s, t),
                 "calibrated_sensor_token": token("cs", 0), "timestamp": 1_530_000_000_000_000 + s * 10**9 + t * 500_000,
                 "fileformat": "pcd", "is_key_frame": True, "height": 0, "width": 0,
                 "filename": f"samples/LIDAR_TOP/{s}-{t}.pcd.bin", "prev": "", "next": ""}
            )
            out["ego_pose"].append(
                {"token": token("ep", s, t), "timestamp": 0, "translation": [float(ego[0]), float(ego[1]), 0.0],
                 "rotation": [1.0, 0.0, 0.0, 0.0]}
            )
            for i in range(things):
                at = ego + place[i] + speed[i] * t * 0.5
                allowed = detection_name_to_rel_attributes(DETECTION_NAMES[kinds[i]])
                out["sample_annotation"].append(
                    {"token": token("an", s, t, i), "sample_token": tokens[t], "instance_token": token("in", s * 1000 + i),
                     "visibility_token": "4", "attribute_tokens": [attribute[str(rng.choice(allowed))]] if allowed else [],
                     "translation": [float(at[0]), float(at[1]), 1.0], "size": size[i].tolist(),
                     "rotation": [float(np.cos(yaw[i] / 2)), 0.0, 0.0, float(np.sin(yaw[i] / 2))],
                     "prev": token("an", s, t - 1, i) if t else "",
                     "next": token("an", s, t + 1, i) if t + 1 < n else "",
                     "num_lidar_pts": int(rng.integers(0, 40)), "num_radar_pts": 0}
                )
            results.write(f'{separator}"{tokens[t]}": ')
            results.write(json.dumps(boxes(rng, tokens[t], predictions, kinds, ego + place + speed * t * 0.5, size, yaw, ego)))
            separator = ", "
    results.write("}}")
    results.close()
    for name, rows in out.items():
        write(tables, name, rows)
    write(tables, "category", [{"token": token("ca", i), "name": CATEGORIES[n], "description": ""} for i, n in enumerate(DETECTION_NAMES)])
    write(tables, "attribute", [{"token": t, "name": n, "description": ""} for n, t in attribute.items()])
    write(tables, "visibility", [{"token": "4", "level": "v80-100", "description": ""}])
    write(tables, "sensor", [{"token": token("se", 0), "channel": "LIDAR_TOP", "modality": "lidar"}])
    write(tables, "calibrated_sensor", [{"token": token("cs", 0), "sensor_token": token("se", 0), "translation": [0.0] * 3,
                                         "rotation": [1.0, 0.0, 0.0, 0.0], "camera_intrinsic": []}])
    write(tables, "log", [{"token": "log", "logfile": "", "vehicle": "", "date_captured": "", "location": "none"}])
    open(os.path.join(folder, "maps/none.png"), "w").close()
    write(tables, "map", [{"token": "map", "log_tokens": ["log"], "category": "", "filename": "maps/none.png"}])
    return len(out["sample_annotation"])


def boxes(rng, sample, count, kinds, place, size, yaw, ego):
    """Each thing a few times with noise, the rest anywhere."""
    things = len(kinds)
    near = rng.integers(0, things, count)
    anywhere = rng.random(count) < 0.5
    at = place[near] + rng.normal(size=(count, 2)) * rng.choice([0.2, 0.8, 2.0], (count, 1))
    at[anywhere] = ego + rng.uniform(-55, 55, (int(anywhere.sum()), 2))
    names = np.where(rng.random(count) < 0.8, kinds[near], rng.integers(0, 10, count))
    sizes = size[near] * rng.uniform(0.8, 1.25, (count, 3))
    angle = yaw[near] + rng.normal(size=count) * 0.3
    velocity = rng.normal(size=(count, 2))
    score = rng.random(count) * np.where(anywhere, 0.5, 1.0)
    found = []
    for i in range(count):
        name = DETECTION_NAMES[names[i]]
        allowed = detection_name_to_rel_attributes(name)
        found.append(
            {"sample_token": sample, "translation": [float(at[i, 0]), float(at[i, 1]), 1.0], "size": sizes[i].tolist(),
             "rotation": [float(np.cos(angle[i] / 2)), 0.0, 0.0, float(np.sin(angle[i] / 2))],
             "velocity": velocity[i].tolist(), "detection_name": name, "detection_score": float(score[i]),
             "attribute_name": allowed[int(i) % len(allowed)] if allowed else ""}
        )
    return found


if __name__ == "__main__":
    import sys

    print(make(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else FULL_SAMPLES), "true boxes")
