"""HOTA with all its parts, CLEAR MOT and identity figures against TrackEval, sequences given as similarities."""

import contextlib
import io

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):
    import trackeval

TOOL = "trackeval 1.3.0"
TOLERANCE = 1e-9


def group(figure):
    """Sequences and thresholds share a row."""
    return figure.split(" ")[1]


def sequence(seed, frames=20, tracks=6, levels=None, miss=0.2, clutter=2, swap=0.1):
    """Tracks that come and go; predictions miss, swap identities and are unsure. `levels`: similarities of few values."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(1000)[: tracks + 60]
    life = np.sort(rng.integers(0, frames, (tracks, 2)), axis=1)
    carried = {track: int(names[track]) for track in range(tracks)}
    fresh = [int(name) for name in names[tracks:]]
    result = []
    for t in range(frames):
        here = [track for track in range(tracks) if life[track, 0] <= t <= life[track, 1]]
        if t == frames // 2:
            here = []
        for track in here:
            if rng.random() < swap:
                other = int(rng.choice(here))
                carried[track], carried[other] = carried[other], carried[track]
            if rng.random() < swap / 3 and fresh:
                carried[track] = fresh.pop()
        found = [track for track in here if rng.random() > miss]
        predicted = [carried[track] for track in found]
        predicted += [int(1000 + rng.integers(0, 5) * 10 + i) for i in range(int(rng.integers(0, clutter + 1)))]
        if t == frames // 3:
            predicted, found = [], []
        similarity = rng.uniform(0, 0.5, (len(here), len(predicted))) * (rng.random((len(here), len(predicted))) < 0.5)
        for column, track in enumerate(found):
            similarity[here.index(track), column] = rng.uniform(0.3, 1.0)
        if levels:
            similarity = np.round(similarity * levels) / levels
        result.append(
            {
                "truth": [int(track) for track in here],
                "predicted": predicted,
                "similarity": np.round(similarity, 4).tolist(),
            }
        )
    return result


def emptied(frames, side):
    result = []
    for frame in frames:
        frame = dict(frame)
        frame[side] = []
        frame["similarity"] = [] if side == "truth" else [[] for _ in frame["truth"]]
        result.append(frame)
    return result


def perfect(frames):
    return [
        {
            "truth": frame["truth"],
            "predicted": frame["truth"],
            "similarity": np.eye(len(frame["truth"])).tolist(),
        }
        for frame in frames
    ]


def cases():
    yield "random", {"sequences": [sequence(1), sequence(2, tracks=10)]}
    yield "ties: similarities of 4 values", {"sequences": [sequence(3, levels=4), sequence(4, levels=2, tracks=9)]}
    yield "empty sides", {"sequences": [emptied(sequence(5), "truth"), emptied(sequence(6), "predicted"), sequence(7)]}
    yield "all empty", {"sequences": [emptied(sequence(5), "truth")]}
    yield "truth as prediction", {"sequences": [perfect(sequence(8))]}


def large():
    yield "5 sequences of 200 frames", {
        "sequences": [sequence(20 + i, frames=200, tracks=40, clutter=6) for i in range(5)]
    }
    yield "ties, 3 sequences of 100 frames", {
        "sequences": [sequence(30 + i, frames=100, tracks=20, levels=5, clutter=4) for i in range(3)]
    }


def prepared(frames):
    """TrackEval's input: identities numbered from 0."""
    places = {side: {} for side in ("truth", "predicted")}
    for side, place in places.items():
        for name in sorted({name for frame in frames for name in frame[side]}):
            place[name] = len(place)
    ids = {
        side: [np.array([places[side][name] for name in frame[side]], dtype=int) for frame in frames]
        for side in places
    }
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(places["truth"]),
        "num_tracker_ids": len(places["predicted"]),
        "num_gt_dets": sum(len(row) for row in ids["truth"]),
        "num_tracker_dets": sum(len(row) for row in ids["predicted"]),
        "gt_ids": ids["truth"],
        "tracker_ids": ids["predicted"],
        "similarity_scores": [
            np.array(frame["similarity"], dtype=float).reshape(len(frame["truth"]), len(frame["predicted"]))
            for frame in frames
        ],
    }


def official(given):
    figures = {}
    sequences = [prepared(frames) for frames in given["sequences"]]
    quiet = {"PRINT_CONFIG": False}
    for metric in (trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet)):
        with contextlib.redirect_stdout(io.StringIO()):
            each = {str(i): metric.eval_sequence(data) for i, data in enumerate(sequences)}
            each["combined"] = metric.combine_sequences(each)
        for of, found in each.items():
            for name, value in found.items():
                if name in ("MOTP_sum", "CLR_Frames", "HOTA_TP", "HOTA_FN", "HOTA_FP"):
                    continue
                if np.ndim(value):
                    for i, at_alpha in enumerate(value):
                        figures[f"{of} {name} {i}"] = at_alpha
                else:
                    figures[f"{of} {name}"] = value
    return figures
