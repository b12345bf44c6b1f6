"""FIERY's IoU and video panoptic quality, against the definition of Hu et al. 2021 written out."""

import numpy as np

TOOL = "FIERY's published definition, NumPy"
TOLERANCE = 1e-9


def case(seed, sequences, frames, side, change):
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for _ in range(sequences):
        rectangles = [(i + 1, *rng.integers(0, side, 2), *rng.integers(1, side // 2 + 1, 2), *rng.integers(-1, 2, 2)) for i in range(5)]
        first, second = [], []
        names = np.arange(6)
        for t in range(frames):
            a, b = np.zeros((side, side), dtype=int), np.zeros((side, side), dtype=int)
            if rng.random() < change:
                names[1:] = rng.permutation(names[1:])
            for i, x, y, w, h, u, v in rectangles:
                x, y = x + t * u, y + t * v
                a[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = i
                shift = rng.integers(0, 2)
                b[max(y, 0) : max(y + h, 0), max(x + shift, 0) : max(x + w + shift, 0)] = names[i]
            first.append(a.ravel())
            second.append(b.ravel())
        truth.append(first)
        predicted.append(second)
    return {"truth": truth, "predicted": predicted}


def cases():
    yield "steady numbers", case(1, 3, 5, 14, 0.0)
    yield "numbers change", case(2, 4, 5, 14, 0.6)
    yield "nothing there", {"truth": [[[0] * 9] * 3], "predicted": [[[0] * 9] * 3]}
    yield "only false positives", {"truth": [[[0] * 9] * 3], "predicted": [[[0] * 4 + [1] * 5] * 3]}


def official(given):
    matched = wrong = missed = both_cells = either_cells = 0
    iou_sum = 0.0
    for truth, predicted in zip(given["truth"], given["predicted"]):
        known = {}
        for t, p in zip(truth, predicted):
            t, p = np.asarray(t), np.asarray(p)
            both_cells += np.sum((t > 0) & (p > 0))
            either_cells += np.sum((t > 0) | (p > 0))
            found, used = set(), set()
            for i in np.unique(t[t > 0]):
                for j in np.unique(p[p > 0]):
                    both = np.sum((t == i) & (p == j))
                    iou = both / (np.sum(t == i) + np.sum(p == j) - both)
                    if iou <= 0.5:
                        continue
                    found.add(i), used.add(j)
                    if i in known and known[i] != j:
                        missed, wrong = missed + 1, wrong + 1
                    else:
                        matched, iou_sum = matched + 1, iou_sum + iou
                    known[i] = j
            missed += len(np.unique(t[t > 0])) - len(found)
            wrong += len(np.unique(p[p > 0])) - len(used)
    whole = max(matched + wrong / 2 + missed / 2, 1)
    return {
        "iou": both_cells / either_cells if either_cells else 0.0,
        "vpq": iou_sum / whole,
        "vsq": iou_sum / max(matched, 1),
        "vrq": matched / whole,
    }
