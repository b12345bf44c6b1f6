#!/usr/bin/env python3
"""HOTA on 21 sequences of KITTI's size: TrackEval and `omma eval tracking`, same machine, same tracks.

    python bench/metrics/speed_tracking.py --omma target/release/omma [--repeat 3]

TrackEval gets identities and similarities ready in memory and computes HOTA, then CLEAR MOT and identity figures; omma
reads MOT text, computes similarities and all three, start of the process included. Median of `--repeat`, wall and
processor seconds: on a shared machine the latter say more.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

with contextlib.redirect_stdout(io.StringIO()):
    import trackeval
    from trackeval.datasets._base_dataset import _BaseDataset

# Frames of the training sequences of KITTI tracking.
FRAMES = [154, 447, 233, 144, 314, 297, 270, 800, 390, 803, 294, 373, 78, 340, 106, 376, 209, 145, 339, 1059, 837]


def tracks(seed, frames, alive=8, life=60):
    """Rows (frame, id, left, top, width, height) of truth and prediction."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    count = max(alive, frames * alive // life)
    for i in range(count):
        first = int(rng.integers(-life, frames))
        place, speed, size = rng.uniform(0, 900, 2), rng.normal(size=2) * 3, rng.uniform(20, 150, 2)
        name = 2 * i
        for t in range(max(first, 0), min(first + life, frames)):
            box = [*(place + speed * (t - first)), *size]
            truth.append([t + 1, i + 1, *box])
            if rng.random() < 0.02:
                name += 2 * count
            if rng.random() < 0.9:
                noise = rng.normal(size=4) * [4, 4, 3, 3]
                predicted.append([t + 1, name + 1, *(np.array(box) + noise)])
    for t in range(frames):
        for j in range(int(rng.integers(0, 3))):
            predicted.append([t + 1, 10**7 + 10 * t + j, *rng.uniform(0, 900, 2), *rng.uniform(20, 150, 2)])
    return truth, predicted


def prepared(truth, predicted, frames):
    data = {"num_timesteps": frames, "gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    places = []
    for rows in (truth, predicted):
        names = {name: i for i, name in enumerate(sorted({row[1] for row in rows}))}
        by_frame = [[] for _ in range(frames)]
        for row in rows:
            by_frame[row[0] - 1].append((names[row[1]], row[2:]))
        places.append(by_frame)
        side = "gt" if rows is truth else "tracker"
        data[f"num_{side}_ids"], data[f"num_{side}_dets"] = len(names), len(rows)
        data[f"{side}_ids"] = [np.array([name for name, _ in frame], dtype=int) for frame in by_frame]
    for a, b in zip(*places):
        boxes = [np.array([box for _, box in frame], dtype=float).reshape(-1, 4) for frame in (a, b)]
        data["similarity_scores"].append(_BaseDataset._calculate_box_ious(*boxes, box_format="xywh"))
    return data


def processor_s(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--omma", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sequences = {}
        os.makedirs(os.path.join(folder, "tracks"))
        for i, frames in enumerate(FRAMES):
            truth, predicted = tracks(i, frames)
            sequences[f"{i:04d}"] = prepared(truth, predicted, frames)
            os.makedirs(os.path.join(folder, "truth", f"{i:04d}", "gt"))
            for rows, name in ((truth, f"truth/{i:04d}/gt/gt.txt"), (predicted, f"tracks/{i:04d}.txt")):
                with open(os.path.join(folder, name), "w") as file:
                    file.writelines(",".join(map(repr, map(float, row))) + ",1\n" for row in rows)
        quiet = {"PRINT_CONFIG": False}
        others = [trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet)]
        metric, theirs, whole, ours = trackeval.metrics.HOTA(), [], [], []
        for _ in range(arguments.repeat):
            with contextlib.redirect_stdout(io.StringIO()):
                start, cpu = time.perf_counter(), processor_s(resource.RUSAGE_SELF)
                found = {name: metric.eval_sequence(data) for name, data in sequences.items()}
                combined = metric.combine_sequences(found)
                theirs.append((time.perf_counter() - start, processor_s(resource.RUSAGE_SELF) - cpu))
                for other in others:
                    other.combine_sequences({name: other.eval_sequence(data) for name, data in sequences.items()})
                whole.append((time.perf_counter() - start, processor_s(resource.RUSAGE_SELF) - cpu))
            start, cpu = time.perf_counter(), processor_s(resource.RUSAGE_CHILDREN)
            run = subprocess.run(
                [arguments.omma, "eval", "tracking", "--json", "--format", "mot",
                 "--predictions", os.path.join(folder, "tracks"), "--truth", os.path.join(folder, "truth")],
                capture_output=True, text=True,
            )
            ours.append((time.perf_counter() - start, processor_s(resource.RUSAGE_CHILDREN) - cpu))
            if run.returncode:
                raise SystemExit(run.stderr)
        result = json.loads(run.stdout)
    medians = ([statistics.median(part) for part in zip(*runs)] for runs in (theirs, whole, ours))
    (a, a_cpu), (all_wall, all_cpu), (b, b_cpu) = medians
    apart = abs(result["hota"] - combined["HOTA"].mean())
    print(f"{len(FRAMES)} sequences, {sum(FRAMES)} frames")
    print(f"TrackEval 1.3.0, HOTA alone, in memory    {a:7.2f} s wall {a_cpu:7.2f} s processor")
    print(f"TrackEval 1.3.0, all figures, in memory   {all_wall:7.2f} s wall {all_cpu:7.2f} s processor")
    print(f"omma, all figures, from text              {b:7.3f} s wall {b_cpu:7.3f} s processor")
    print(f"ratio of HOTA alone to all of omma: {a / b:.0f} wall, {a_cpu / b_cpu:.0f} processor")
    print(f"ratio of all to all: {all_wall / b:.0f} wall, {all_cpu / b_cpu:.0f} processor; HOTA {result['hota']:.12f}, difference {apart:.1e}")
    sys.exit(1 if apart > 1e-9 else 0)


if __name__ == "__main__":
    main()
