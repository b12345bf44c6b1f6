"""Class maps: per-class and mean IoU, frequency-weighted IoU, accuracies, against scikit-learn."""

import numpy as np
import sklearn
from sklearn import metrics

TOOL = f"scikit-learn {sklearn.__version__}"
TOLERANCE = 1e-9


def case(seed, classes, used, pixels, wrong, void):
    rng = np.random.default_rng(seed)
    truth = rng.choice(used, size=(3, pixels))
    predicted = np.where(rng.random(truth.shape) < wrong, rng.choice(used, size=truth.shape), truth)
    truth = np.where(rng.random(truth.shape) < void, 255, truth)
    truth[1] = truth[1][0] if void < 1 else 255
    return {"classes": classes, "ignored": [255], "truth": truth, "predicted": predicted}


def cases():
    yield "random, half wrong", case(1, 5, [0, 1, 2, 3, 4], 400, 0.5, 0.1)
    yield "two classes missing", case(2, 19, list(range(17)), 400, 0.2, 0.3)
    yield "nothing right", case(3, 3, [0, 1], 300, 1.0, 0.0)
    yield "one class alone", case(4, 3, [2], 100, 0.5, 0.5)
    yield "one pixel judged", {"classes": 4, "ignored": [255], "truth": [[255, 3]], "predicted": [[0, 1]]}


def group(figure):
    return "iou per class" if figure.startswith("iou of") else figure


def official(given):
    truth, predicted = np.concatenate(given["truth"]), np.concatenate(given["predicted"])
    predicted, truth = predicted[truth != 255], truth[truth != 255]
    labels = list(range(given["classes"]))
    iou = metrics.jaccard_score(truth, predicted, labels=labels, average=None, zero_division=0)
    iou = np.where(np.isin(labels, np.append(truth, predicted)), iou, np.nan)
    recall = metrics.recall_score(truth, predicted, labels=labels, average=None, zero_division=0)
    present = np.isin(labels, truth)
    figures = {
        "miou": np.nanmean(iou),
        "frequency_weighted_iou": metrics.jaccard_score(truth, predicted, labels=labels, average="weighted", zero_division=0),
        "pixel_accuracy": metrics.accuracy_score(truth, predicted),
        "mean_accuracy": np.mean(recall[present]),
    }
    return figures | {f"iou of {label}": iou[label] for label in labels}
