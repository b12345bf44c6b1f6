"""COCO's average precision and recall of masks and boxes, against pycocotools."""

import contextlib
import importlib.metadata
import io

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

TOOL = f"pycocotools {importlib.metadata.version('pycocotools')}"
TOLERANCE = 1e-9
STATS = ["ap", "ap50", "ap75", "ap small", "ap medium", "ap large", "ar 1", "ar 10", "ar 100", "ar small", "ar medium", "ar large"]
WIDTH, HEIGHT = 220, 180


def blob(rng, x, y, w, h):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside = ((columns - x) / max(w, 0.5)) ** 2 + ((rows - y) / max(h, 0.5)) ** 2 < 1
    if rng.random() < 0.3:
        inside &= (columns + rows) % 7 > 0
    return masks.encode(np.asfortranarray(inside.astype(np.uint8)))["counts"].decode()


def case(seed, images, classes, objects, noise, scores):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(images):
        truth, predicted = [], []
        for _ in range(rng.integers(0, objects + 1)):
            shape = np.array([rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), *np.exp(rng.uniform(0.7, 4.4, 2))])
            label = int(rng.integers(0, classes))
            truth.append([label, blob(rng, *shape), bool(rng.random() < 0.1)])
            for _ in range(rng.integers(0, 3)):
                moved = shape + rng.normal(size=4) * noise * shape[2:].mean()
                guessed = label if rng.random() < 0.9 else int(rng.integers(0, classes))
                predicted.append([guessed, blob(rng, *moved), float(rng.choice(scores))])
        made.append({"truth": truth, "predicted": predicted})
    return {"size": [WIDTH, HEIGHT], "classes": classes, "images": made}


def cases():
    yield "random", case(1, 8, 3, 6, 0.1, np.linspace(0.01, 0.99, 97))
    yield "scores tie", case(2, 8, 2, 8, 0.15, [0.5, 0.5, 0.7])
    yield "last class never there", case(3, 3, 2, 3, 0.02, [0.9]) | {"classes": 4}
    yield "no predictions", case(4, 2, 1, 2, 0.1, [0.3]) | {"images": [{"truth": [[0, blob(np.random.default_rng(5), 50, 50, 20, 20), False]], "predicted": []}]}
    yield "empty images", {"size": [WIDTH, HEIGHT], "classes": 2, "images": [{"truth": [], "predicted": []}] * 2}


def large():
    yield "60 images of up to 150 detections", case(6, 60, 8, 75, 0.2, np.linspace(0, 1, 2000))


def official(given):
    figures = {}
    for name, kind in (("mask", "segm"), ("box", "bbox")):
        annotations, results = [], []
        for image, content in enumerate(given["images"], 1):
            for label, counts, crowd in content["truth"]:
                rle = {"size": [given["size"][1], given["size"][0]], "counts": counts}
                annotations.append({
                    "id": len(annotations) + 1, "image_id": image, "category_id": label + 1, "segmentation": rle,
                    "iscrowd": int(crowd), "area": float(masks.area(rle)), "bbox": masks.toBbox(rle).tolist(),
                })
            for label, counts, score in content["predicted"]:
                rle = {"size": [given["size"][1], given["size"][0]], "counts": counts}
                result = {"image_id": image, "category_id": label + 1, "score": score}
                results.append(result | ({"segmentation": rle} if kind == "segm" else {"bbox": masks.toBbox(rle).tolist()}))
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": i + 1, "width": given["size"][0], "height": given["size"][1]} for i in range(len(given["images"]))],
            "annotations": annotations,
            "categories": [{"id": c + 1, "name": str(c)} for c in range(given["classes"])],
        }
        with contextlib.redirect_stdout(io.StringIO()):
            truth.createIndex()
            # `loadRes` refuses an empty list; an image without results is the same to the evaluation.
            found = truth.loadRes(results) if results else COCO()
            if not results:
                found.dataset = truth.dataset | {"annotations": []}
                found.createIndex()
            run = COCOeval(truth, found, kind)
            run.evaluate()
            run.accumulate()
            run.summarize()
        figures |= {f"{name} {stat}": value for stat, value in zip(STATS, run.stats)}
    return figures
