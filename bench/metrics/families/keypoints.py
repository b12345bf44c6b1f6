"""Keypoints: OKS average precision against pycocotools; PCKh, MPJPE and PA-MPJPE by their published formulas."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

TOOL = "pycocotools 2.0.11 (OKS); PCK: Yang and Ramanan 2013, MPJPE: Ionescu et al. 2014"
TOLERANCE = 1e-9


def oks_case(rng, images, hard):
    truth, predicted = [], []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 5) if hard else 2):
            size = float(np.exp(rng.uniform(np.log(15), np.log(250))))
            at = rng.uniform(0, 600, 2)
            points = np.hstack([at + rng.uniform(0, size, (17, 2)), rng.integers(0, 3, (17, 1))])
            if hard and rng.random() < 0.1:
                points[:, 2] = 0
            area = size * size * rng.uniform(0.3, 0.9)
            truth.append({
                "id": len(truth) + 1, "image_id": image, "category_id": 1, "keypoints": points.ravel().tolist(),
                "area": area, "bbox": [*at.tolist(), size, size], "iscrowd": int(hard and rng.random() < 0.1),
                "num_keypoints": int((points[:, 2] > 0).sum()),
            })
            for _ in range(rng.integers(0, 4) if hard else 1):
                noise = size * rng.choice([0.0, 0.01, 0.05, 0.2])
                found = points.copy()
                found[:, :2] += rng.normal(0, noise, (17, 2))
                # Scores with one digit: many ties, and exact duplicates.
                score = float(np.round(rng.random(), 1))
                for _ in range(2 if hard and rng.random() < 0.1 else 1):
                    predicted.append({"image_id": image, "category_id": 1, "keypoints": found.ravel().tolist(), "score": score})
        if hard and image % 4 == 0:
            # More than the 20 that count, none near anything; one with NaN as score.
            for k in range(23):
                far = np.hstack([rng.uniform(900, 1100, (17, 2)), np.ones((17, 1))])
                score = float("nan") if k == 3 else float(rng.random())
                predicted.append({"image_id": image, "category_id": 1, "keypoints": far.ravel().tolist(), "score": score})
    order = rng.permutation(len(predicted))
    return {"images": list(range(1, images + 1)), "truth": truth, "predicted": [predicted[i] for i in order]}


def cases():
    rng = np.random.default_rng(21)
    yield "OKS, 2 persons an image", oks_case(rng, 5, False)
    yield "OKS, crowds, ties, duplicates, NaN, empty images", oks_case(rng, 12, True)
    small = oks_case(rng, 3, False)
    for annotation in small["truth"]:
        annotation["area"] = 500.0
    yield "OKS, no medium or large person", small
    truth = rng.normal(size=(20, 17, 3))
    yield "joints in space", {"truth": truth, "predicted": 1.3 * truth + 0.2 * rng.normal(size=truth.shape)}
    mirrored = truth[:4] * [-1, 1, 1]
    yield "joints in space, mirrored", {"truth": truth[:4], "predicted": mirrored}
    people = []
    for _ in range(30):
        points = np.hstack([rng.uniform(0, 200, (16, 2)), rng.integers(0, 2, (16, 1))])
        people.append({"truth": points, "predicted": points[:, :2] + rng.normal(0, 15, (16, 2)), "reference": rng.uniform(20, 60)})
    yield "PCKh@0.5", {"people": people, "alpha": 0.5}


def large():
    yield "OKS, 400 images", oks_case(np.random.default_rng(22), 400, True)


def numbers(value):
    """NaN and infinity are words in JSON."""
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner) for inner in value]
    return float(value) if isinstance(value, str) else value


def average_precision(given):
    given = numbers(given)
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in given["images"]],
        "annotations": [dict(annotation) for annotation in given["truth"]],
        "categories": [{"id": 1, "name": "person"}],
        "info": {},
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        found = coco.loadRes([dict(detection) for detection in given["predicted"]])
        evaluation = COCOeval(coco, found, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = ["AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large"]
    return dict(zip(names, evaluation.stats))


def procrustes(truth, predicted):
    """Umeyama 1991 with scale."""
    t, p = truth - truth.mean(0), predicted - predicted.mean(0)
    u, s, vt = np.linalg.svd(t.T @ p)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    return (s * sign).sum() / (p**2).sum() * p @ rotation.T + truth.mean(0)


def official(given):
    if "images" in given:
        return average_precision(given)
    if "people" in given:
        right, labelled = np.zeros(16), np.zeros(16)
        for person in given["people"]:
            truth, predicted = np.array(person["truth"]), np.array(person["predicted"])
            off = np.linalg.norm(truth[:, :2] - predicted, axis=1) / person["reference"]
            labelled += truth[:, 2] > 0
            right += (truth[:, 2] > 0) & (off <= given["alpha"])
        return {"PCK_mean": (right / labelled).mean(), "PCK_overall": right.sum() / labelled.sum()}
    truth, predicted = np.array(given["truth"]), np.array(given["predicted"])
    error = lambda a, b: np.linalg.norm(a - b, axis=-1).mean()
    return {
        "MPJPE": error(truth, predicted),
        "MPJPE_root": error(truth - truth[:, :1], predicted - predicted[:, :1]),
        "PA-MPJPE": np.mean([error(t, procrustes(t, p)) for t, p in zip(truth, predicted)]),
    }
