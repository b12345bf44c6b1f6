"""sAMOTA, AMOTA and AMOTP of KITTI-3D tracking: equations (2) to (5) of Weng et al. 2020 over TrackEval's CLEAR MOT.

AB3DMOT is no package; its recalls and scores (`getThresholds`, mean score of each track) are written out here.
"""

import contextlib
import io

import numpy as np

import families.tracking as tracking
import table

with contextlib.redirect_stdout(io.StringIO()):
    import trackeval

TOOL = "Weng et al. 2020 over trackeval 1.3.0"
TOLERANCE = 1e-9
RECALLS = 40
THRESHOLD = 0.5


def scored(seed, levels=None, **options):
    rng = np.random.default_rng(seed)
    frames = tracking.sequence(seed, **options)
    quality = {name: rng.uniform(0.2, 0.9) for frame in frames for name in frame["predicted"]}
    for frame in frames:
        frame["scores"] = [float(np.clip(quality[name] + 0.1 * rng.normal(), 0, 1)) for name in frame["predicted"]]
        if levels:
            frame["scores"] = [round(score * levels) / levels for score in frame["scores"]]
    return frames


def cases():
    for name, given in [
        ("random", [scored(1, frames=30, tracks=8), scored(2, frames=20)]),
        ("few levels of score and similarity", [scored(3, levels=4, frames=30, tracks=8)]),
    ]:
        yield name, table.rounded({"sequences": given}, 4)


def large():
    yield "3 sequences of 150 frames", {"sequences": [scored(10 + i, frames=150, tracks=30) for i in range(3)]}


def means_of(frames):
    scores = {}
    for frame in frames:
        for name, score in zip(frame["predicted"], frame["scores"]):
            scores.setdefault(name, []).append(score)
    return {name: sum(values) / len(values) for name, values in scores.items()}


def kept(frames, means, least):
    result = []
    for frame in frames:
        keep = [i for i, name in enumerate(frame["predicted"]) if means[name] >= least]
        result.append(
            {
                "truth": frame["truth"],
                "predicted": [frame["predicted"][i] for i in keep],
                "similarity": [[row[i] for i in keep] for row in frame["similarity"]],
            }
        )
    return result


def clear(sequences):
    with contextlib.redirect_stdout(io.StringIO()):
        metric = trackeval.metrics.CLEAR({"PRINT_CONFIG": False, "THRESHOLD": THRESHOLD})
        each = {str(i): metric.eval_sequence(tracking.prepared(frames)) for i, frames in enumerate(sequences)}
        return metric.combine_sequences(each)


def scores_of_matches(frames, means):
    """CLEAR's matches in each frame: TrackEval's rule, as it does not tell them."""
    from scipy.optimize import linear_sum_assignment

    before, scores = {}, []
    for frame in frames:
        truth, predicted = frame["truth"], frame["predicted"]
        if not truth or not predicted:
            continue
        similarity = np.array(frame["similarity"], dtype=float).reshape(len(truth), len(predicted))
        same = np.array([[before.get(a) == b for b in predicted] for a in truth])
        value = np.where(similarity < THRESHOLD - np.finfo(float).eps, 0, 1000 * same + similarity)
        pairs = [(r, c) for r, c in zip(*linear_sum_assignment(-value)) if value[r, c] > np.finfo(float).eps]
        before = {truth[r]: predicted[c] for r, c in pairs}
        scores += [means[predicted[c]] for _, c in pairs]
    return scores


def thresholds_of(scores, truths):
    scores = sorted(scores, reverse=True)
    recall, found = 0.0, []
    for i, score in enumerate(scores):
        left = (i + 1) / truths
        right = (i + 2) / truths if i < len(scores) - 1 else left
        if right - recall < recall - left and i < len(scores) - 1:
            continue
        found.append((score, recall))
        recall += 1 / RECALLS
    return found[1:]


def official(given):
    sequences = given["sequences"]
    means = [means_of(frames) for frames in sequences]
    truths = sum(len(frame["truth"]) for frames in sequences for frame in frames)
    scores = sum((scores_of_matches(frames, mean) for frames, mean in zip(sequences, means)), [])
    figures = {"sAMOTA": 0.0, "AMOTA": 0.0, "AMOTP": 0.0, "best MOTA": 0.0}
    for least, recall in thresholds_of(scores, truths):
        found = clear([kept(frames, mean, least) for frames, mean in zip(sequences, means)])
        wrong = found["CLR_FP"] + found["CLR_FN"] + found["IDSW"]
        scaled = 1 - (wrong - (1 - recall) * truths) / (recall * truths)
        figures["sAMOTA"] += min(1, max(0, scaled)) / RECALLS
        figures["AMOTA"] += (1 - wrong / truths) / RECALLS
        figures["AMOTP"] += found["MOTP"] / RECALLS
        figures["best MOTA"] = max(figures["best MOTA"], 1 - wrong / truths)
    return figures
