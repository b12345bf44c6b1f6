"""KITTI object detection: AP over 11 and 40 recalls in the image, on the ground and in space, orientation similarity.

No package holds the development kit, whose C++ (`evaluate_object_3d_offline.cpp`) needs Boost and files of one data set;
its rules are written out here, step by step as there, with shapely for the overlap of turned rectangles.
"""

import math

import numpy as np
from shapely.geometry import Polygon

import table

TOOL = "KITTI development kit's rules in NumPy, shapely 2.2.0"
TOLERANCE = 1e-9

CLASSES = ["Car", "Pedestrian", "Cyclist"]
NEIGHBOUR = {"Car": "Van", "Pedestrian": "Person_sitting", "Cyclist": None}
MIN_OVERLAP = {"Car": 0.7, "Pedestrian": 0.5, "Cyclist": 0.5}
MIN_HEIGHT, MAX_OCCLUSION, MAX_TRUNCATION = [40, 25, 25], [0, 1, 2], [0.15, 0.3, 0.5]
DIFFICULTIES = ["easy", "moderate", "hard"]
SAMPLES = 41
CLASS, TRUNCATION, OCCLUSION, ALPHA, BOUNDS, SIZE, LOCATION, ROTATION, SCORE = range(9)


def group(figure):
    """Classes and difficulties share a row."""
    _, overlap, _, name = figure.split(" ")
    return f"{overlap} {name}"


def random_object(rng):
    name = str(rng.choice(["Car", "Car", "Van", "Pedestrian", "Person_sitting", "Cyclist", "DontCare"]))
    left, top = rng.uniform(0, 1000), rng.uniform(100, 200)
    wide, high = rng.uniform(15, 120), rng.uniform(15, 100)
    bounds = [left, top, left + wide, top + high]
    if name == "DontCare":
        return [name, -1.0, -1, -10.0, bounds, [-1.0] * 3, [-1000.0] * 3, -10.0, 0.0]
    return [
        name,
        float(rng.choice([0.0, 0.0, 0.1, 0.2, 0.4, 0.6])),
        int(rng.choice([0, 0, 0, 1, 2, 3])),
        rng.uniform(-math.pi, math.pi),
        bounds,
        rng.uniform(1, 4, 3).tolist(),
        [rng.uniform(-20, 20), rng.uniform(1, 2), rng.uniform(5, 50)],
        rng.uniform(-math.pi, math.pi),
        0.0,
    ]


def found(rng, truth, noise, levels):
    row = [*truth[:BOUNDS], *(list(part) for part in truth[BOUNDS:ROTATION]), truth[ROTATION], 0.0]
    row[BOUNDS] = (np.array(row[BOUNDS]) + rng.normal(size=4) * 4 * noise).tolist()
    row[SIZE] = (np.array(row[SIZE]) * (1 + 0.05 * noise * rng.normal(size=3))).tolist()
    row[LOCATION] = (np.array(row[LOCATION]) + rng.normal(size=3) * 0.15 * noise).tolist()
    row[ROTATION] += float(rng.normal() * 0.1 * noise)
    row[ALPHA] += float(rng.normal() * 0.3 * noise)
    row[TRUNCATION], row[OCCLUSION] = -1.0, -1
    row[SCORE] = float(np.round(rng.random() * levels) / levels)
    return row


def images(seed, count=10, objects=12, noise=1.0, levels=20):
    rng = np.random.default_rng(seed)
    result = []
    for index in range(count):
        truth = [random_object(rng) for _ in range(int(rng.integers(0, objects)))]
        if index == 1:
            truth = []
        real = [row for row in truth if row[CLASS] != "DontCare"]
        predicted = [found(rng, row, noise, levels) for row in real if rng.random() < 0.85]
        predicted += [found(rng, row, noise, levels) for row in real[:2]]
        for row in truth:  # inside regions that nobody labelled
            if row[CLASS] == "DontCare":
                given = random_object(rng)
                while given[CLASS] == "DontCare":
                    given = random_object(rng)
                given[BOUNDS] = list(row[BOUNDS])
                given[SCORE] = float(np.round(rng.random() * levels) / levels)
                predicted.append(given)
        for _ in range(int(rng.integers(0, 4))):
            given = random_object(rng)
            if given[CLASS] != "DontCare":
                given[SCORE] = float(np.round(rng.random() * levels) / levels)
                predicted.append(given)
        if index == 2:
            predicted = []
        result.append({"truth": truth, "predicted": predicted})
    return {"images": result}


def cases():
    small = [
        ("random, ties, empty images", images(1)),
        ("exact boxes", images(2, noise=0.0, levels=1000)),
        ("one class, few levels", only_cars(images(3, count=12, levels=4))),
    ]
    for name, given in small:
        yield name, table.rounded(given, 3)


def large():
    yield "200 images", table.rounded(images(4, count=200, objects=20, levels=10**6, noise=0.7), 6)


def only_cars(given):
    for image in given["images"]:
        for side in ("truth", "predicted"):
            image[side] = [row for row in image[side] if row[CLASS] in ("Car", "DontCare")]
    return given


def image_overlap(a, b, of_first=False):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return common / areas[0] if of_first else common / (areas[0] + areas[1] - common)


def polygon(row):
    (_, width, length), (x, _, z), turn = row[SIZE], row[LOCATION], row[ROTATION]
    corners = np.array([[l, w] for l, w in ((1, 1), (1, -1), (-1, -1), (-1, 1))]) * [length / 2, width / 2]
    matrix = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return Polygon(corners @ matrix.T + [x, z])


def space_overlap(a, b, volume):
    first, second = polygon(a), polygon(b)
    common = first.intersection(second).area
    if not volume:
        return common / first.union(second).area
    top = min(a[LOCATION][1], b[LOCATION][1])
    bottom = max(a[LOCATION][1] - a[SIZE][0], b[LOCATION][1] - b[SIZE][0])
    common *= max(0.0, top - bottom)
    return common / (math.prod(a[SIZE]) + math.prod(b[SIZE]) - common)


def overlap_of(kind, a, b):
    if kind == "2d":
        return image_overlap(a[BOUNDS], b[BOUNDS])
    return space_overlap(a, b, kind == "3d")


def cleaned(label, image, d):
    truth_state, positives, regions = [], 0, []
    for row in image["truth"]:
        valid = 1 if row[CLASS] == label else 0 if row[CLASS] == NEIGHBOUR[label] else -1
        ignore = (
            row[OCCLUSION] > MAX_OCCLUSION[d]
            or row[TRUNCATION] > MAX_TRUNCATION[d]
            or row[BOUNDS][3] - row[BOUNDS][1] <= MIN_HEIGHT[d]
        )
        if valid == 1 and not ignore:
            truth_state.append(0)
            positives += 1
        elif valid == 0 or (ignore and valid == 1):
            truth_state.append(1)
        else:
            truth_state.append(-1)
        if row[CLASS] == "DontCare":
            regions.append(row)
    state = []
    for row in image["predicted"]:
        height = int(abs(row[BOUNDS][1] - row[BOUNDS][3]))
        state.append(1 if height < MIN_HEIGHT[d] else 0 if row[CLASS] == label else -1)
    return truth_state, state, regions, positives


def statistics(image, kind, label, prepared, overlaps, threshold=None):
    """Scores of matches (without a threshold), or true and false positives and similarity."""
    truth_state, state, regions, _ = prepared
    least = MIN_OVERLAP[label]
    predicted = image["predicted"]
    assigned = [False] * len(predicted)
    below = [threshold is not None and row[SCORE] < threshold for row in predicted]
    scores, tp, fp, similar = [], 0, 0, 0.0
    for i, row in enumerate(image["truth"]):
        if truth_state[i] == -1:
            continue
        best, valid, most, took_ignored = -1, None, 0.0, False
        for j, given in enumerate(predicted):
            if state[j] == -1 or assigned[j] or below[j]:
                continue
            overlap = overlaps[i][j]
            if threshold is None:
                if overlap > least and (valid is None or given[SCORE] > valid):
                    best, valid = j, given[SCORE]
            elif overlap > least and (overlap > most or took_ignored) and state[j] == 0:
                best, valid, most, took_ignored = j, 1, overlap, False
            elif overlap > least and valid is None and state[j] == 1:
                best, valid, took_ignored = j, 1, True
        if valid is None:
            continue
        assigned[best] = True
        if truth_state[i] == 1 or state[best] == 1:
            continue
        tp += 1
        scores.append(predicted[best][SCORE])
        similar += (1 + math.cos(row[ALPHA] - predicted[best][ALPHA])) / 2
    if threshold is None:
        return scores
    for j in range(len(predicted)):
        if not (assigned[j] or state[j] in (-1, 1) or below[j]):
            fp += 1
    for region in regions if kind == "2d" else []:
        for j, given in enumerate(predicted):
            if assigned[j] or state[j] in (-1, 1) or below[j]:
                continue
            if image_overlap(given[BOUNDS], region[BOUNDS], of_first=True) > least:
                assigned[j] = True
                fp -= 1
    return tp, fp, similar


def thresholds_of(scores, positives):
    scores = sorted(scores, reverse=True)
    recall, thresholds = 0.0, []
    for i, score in enumerate(scores):
        left = (i + 1) / positives
        right = (i + 2) / positives if i < len(scores) - 1 else left
        if right - recall < recall - left and i < len(scores) - 1:
            continue
        thresholds.append(score)
        recall += 1 / (SAMPLES - 1.0)
    return thresholds


def official(given):
    figures = {}
    for kind in ("2d", "bev", "3d"):
        overlaps = [
            [[0.0 if "DontCare" in (a[CLASS],) else overlap_of(kind, b, a) for b in image["predicted"]] for a in image["truth"]]
            for image in given["images"]
        ]
        for label in CLASSES:
            for d, difficulty in enumerate(DIFFICULTIES):
                prepared = [cleaned(label, image, d) for image in given["images"]]
                every = list(zip(given["images"], prepared, overlaps))
                scores = sum((statistics(image, kind, label, p, o) for image, p, o in every), [])
                thresholds = thresholds_of(scores, sum(p[3] for p in prepared))
                precision, orientation = np.zeros(SAMPLES), np.zeros(SAMPLES)
                for t, threshold in enumerate(thresholds[:SAMPLES]):
                    found = [statistics(image, kind, label, p, o, threshold) for image, p, o in every]
                    tp, fp, similar = (sum(part) for part in zip(*found))
                    if tp + fp:
                        precision[t], orientation[t] = tp / (tp + fp), similar / (tp + fp)
                for name, curve in (("AP", precision), ("AOS", orientation)):
                    curve = np.maximum.accumulate(curve[::-1])[::-1]
                    if name == "AP" or kind == "2d":
                        figures[f"{label} {kind} {difficulty} {name}11"] = curve[::4].sum() / 11
                        figures[f"{label} {kind} {difficulty} {name}40"] = curve[1:].sum() / 40
    return figures
