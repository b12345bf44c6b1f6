"""Panoptic quality, against torchmetrics; by COCO's rules, against the formula of Kirillov et al. 2019 written out."""

import warnings

import numpy as np
import torch
import torchmetrics
from torchmetrics.functional.detection import panoptic_quality

TOOL = f"torchmetrics {torchmetrics.__version__}; COCO's rules: published formula"
# torchmetrics divides integers in float32.
TOLERANCE = 1e-6
THINGS, STUFF, VOID = [1, 2, 5], [3, 4], 0


def blocks(rng, side, void):
    """Class and instance of a picture of rectangles."""
    classes = np.full((side, side), rng.choice(STUFF))
    instances = np.zeros((side, side), dtype=int)
    for instance in range(1, 12):
        x, y, w, h = rng.integers(0, side, 4)
        area = slice(y, y + 1 + h // 2), slice(x, x + 1 + w // 2)
        classes[area] = rng.choice(THINGS[:2] + STUFF + [VOID] * void)
        instances[area] = instance
    return classes, instances


def case(seed, side, frames, void=1, shift=1):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(frames):
        classes, instances = blocks(rng, side, void)
        noise = rng.random(classes.shape)
        guessed = np.roll(classes, rng.integers(0, shift + 1), axis=1)
        named = np.roll(instances, rng.integers(0, shift + 1), axis=1) + 7
        guessed = np.where(noise < 0.05, 5, np.where(noise > 0.93, VOID, guessed))
        crowds = [[int(classes.ravel()[0]), int(instances.ravel()[0])]]
        crowds = [crowd for crowd in crowds if crowd[0] in THINGS]
        made.append({
            "truth": [classes.ravel(), instances.ravel()],
            "predicted": [guessed.ravel(), named.ravel()],
            "crowds": crowds,
        })
    return {"things": THINGS, "stuff": STUFF, "void": VOID, "frames": made}


def cases():
    yield "rectangles, one pixel off", case(1, 16, 6)
    yield "much void", case(2, 16, 4, void=6, shift=2)
    yield "tiny frames", case(3, 3, 12, void=2, shift=0)
    empty = {"truth": [[0] * 9, [0] * 9], "predicted": [[0] * 8 + [1], [0] * 9], "crowds": []}
    yield "truth all void", {"things": THINGS, "stuff": STUFF, "void": VOID, "frames": [empty]}
    plain = case(4, 4, 1, void=0)
    plain["frames"].append(empty)
    yield "one frame all void", plain


def group(figure):
    return figure.split(" of ")[0] + (" per class" if " of " in figure else "")


def coco(frames):
    """Equations 1 and 2 and the rules for void and crowds of section 4.2 and 4.4."""
    sums = {c: [0, 0, 0, 0.0] for c in THINGS + STUFF}
    for frame in frames:
        key = lambda side: [
            None if c == VOID else (c, i if c in THINGS else 0) for c, i in zip(*map(np.ravel, map(np.asarray, frame[side])))
        ]
        truth, predicted = key("truth"), key("predicted")
        crowds = {tuple(crowd) for crowd in frame["crowds"]}
        pairs = {}
        for pair in zip(truth, predicted):
            pairs[pair] = pairs.get(pair, 0) + 1
        area = lambda side, of: sum(n for pair, n in pairs.items() if pair[side] == of)
        found, used = set(), set()
        for (t, p), both in pairs.items():
            if t is None or p is None or t in crowds or t[0] != p[0]:
                continue
            iou = both / (area(0, t) + area(1, p) - both - pairs.get((None, p), 0))
            if iou > 0.5:
                found.add(t), used.add(p)
                sums[t[0]][0] += 1
                sums[t[0]][3] += iou
        for t in set(truth) - found - crowds - {None}:
            sums[t[0]][2] += 1
        for p in set(predicted) - used - {None}:
            excused = pairs.get((None, p), 0) + sum(n for (t, q), n in pairs.items() if q == p and t in crowds and t[0] == p[0])
            if excused / area(1, p) <= 0.5:
                sums[p[0]][1] += 1
    return sums


def official(given):
    figures = {}
    sums = coco(given["frames"])
    scores = {c: (iou / max(tp, 1), tp / (tp + fp / 2 + fn / 2)) for c, (tp, fp, fn, iou) in sums.items() if tp + fp + fn}
    mean = lambda values: np.mean(values) if values else np.nan
    figures["coco pq"] = mean([sq * rq for sq, rq in scores.values()])
    figures["coco sq"] = mean([sq for sq, _ in scores.values()])
    figures["coco rq"] = mean([rq for _, rq in scores.values()])
    for c in THINGS + STUFF:
        figures[f"coco pq of {c}"] = np.prod(scores.get(c, (0, 0)))
    stack = lambda side: torch.tensor(
        np.array([np.concatenate([np.stack(frame[side], -1).astype(int), np.full((width - len(frame[side][0]), 2), VOID)]) for frame in given["frames"]])
    )
    width = max(len(frame["truth"][0]) for frame in given["frames"])
    arguments = dict(things=set(THINGS), stuffs=set(STUFF), allow_unknown_preds_category=True, return_sq_and_rq=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quality = panoptic_quality(stack("predicted"), stack("truth"), **arguments).numpy()
        classes = panoptic_quality(stack("predicted"), stack("truth"), return_per_class=True, **arguments).numpy().reshape(-1, 3)
    figures |= dict(zip(("torchmetrics pq", "torchmetrics sq", "torchmetrics rq"), quality))
    # Things and stuff, each in ascending order, as torchmetrics numbers them.
    for c, scores in zip(THINGS + STUFF, classes):
        figures[f"torchmetrics pq of {c}"] = scores[0]
    return figures
