#!/usr/bin/env python3
"""nuScenes detection on a run of full size: nuscenes-devkit and `omma eval detection`, same machine, same files.

    python bench/metrics/speed_detection.py --omma target/release/omma --folder /tmp/sized [--samples 6019] [--repeat 3]

Both read the folder and the submission from disk and must print the same figures (to 1e-9, else exit code 1). Wall and
processor seconds; the devkit runs once (`--skip-devkit` leaves it out), omma `--repeat` times, and the median is shown.
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
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)


def processor_s(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


class Watch:
    def __init__(self, who=resource.RUSAGE_SELF):
        self.who, self.wall, self.cpu = who, time.perf_counter(), processor_s(who)

    def lap(self):
        laps = time.perf_counter() - self.wall, processor_s(self.who) - self.cpu
        self.__init__(self.who)
        return laps


def devkit(folder):
    from nuscenes import NuScenes
    from nuscenes.eval.common.config import config_factory
    from nuscenes.eval.detection.evaluate import DetectionEval

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        watch = Watch()
        nusc = NuScenes(version="v1.0-trainval", dataroot=folder, verbose=False)
        tables = watch.lap()
        evaluation = DetectionEval(
            nusc, config_factory("detection_cvpr_2019"), os.path.join(folder, "results.json"), "val",
            os.path.join(folder, "out"), verbose=False,
        )
        boxes = watch.lap()
        metrics, _ = evaluation.evaluate()
        evaluate = watch.lap()
    figures = {"map": metrics.mean_ap, "nds": metrics.nd_score}
    names = {"mate": "trans_err", "mase": "scale_err", "maoe": "orient_err", "mave": "vel_err", "maae": "attr_err"}
    figures.update({ours: metrics.tp_errors[theirs] for ours, theirs in names.items()})
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return figures, {"tables": tables, "boxes": boxes, "evaluate": evaluate}, memory


def omma(binary, folder, repeat):
    runs = []
    for _ in range(repeat):
        watch = Watch(resource.RUSAGE_CHILDREN)
        run = subprocess.run(
            [binary, "eval", "detection", "--json", "--predictions", os.path.join(folder, "results.json"),
             "--truth", os.path.join(folder, "v1.0-trainval")],
            capture_output=True, text=True,
        )
        laps = watch.lap()
        if run.returncode:
            raise SystemExit(run.stderr)
        runs.append((laps, json.loads(run.stdout)))
    runs.sort(key=lambda run: run[0][0])
    (wall, cpu), result = runs[len(runs) // 2]
    evaluate = statistics.median(result["seconds"]["evaluate"] for _, result in runs)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return result, (wall, cpu), evaluate, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--omma", required=True)
    parser.add_argument("--folder", required=True, help="made if it has no results.json")
    parser.add_argument("--samples", type=int, default=6019)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--skip-devkit", action="store_true")
    arguments = parser.parse_args()
    if not os.path.exists(os.path.join(arguments.folder, "results.json")):
        import nuscenes_sized

        nuscenes_sized.make(arguments.folder, arguments.samples)
    result, (wall, cpu), evaluate, memory = omma(arguments.omma, arguments.folder, arguments.repeat)
    print(f"omma, {result['samples']} samples, {result['truth']['given']} true, {result['predictions']['given']} predicted")
    print(f"omma reading and evaluating   {wall:8.2f} s wall {cpu:8.2f} s processor   {memory:.2f} GiB")
    print(f"omma evaluating alone         {evaluate:8.2f} s wall")
    if arguments.skip_devkit:
        return
    figures, laps, memory = devkit(arguments.folder)
    for name, (lap_wall, lap_cpu) in laps.items():
        print(f"devkit {name:22} {lap_wall:8.2f} s wall {lap_cpu:8.2f} s processor")
    total, total_cpu = (sum(lap[i] for lap in laps.values()) for i in range(2))
    print(f"devkit reading and evaluating {total:8.2f} s wall {total_cpu:8.2f} s processor   {memory:.2f} GiB")
    print(f"ratio, all: {total / wall:.0f} wall, {total_cpu / cpu:.0f} processor; "
          f"evaluating alone: {laps['evaluate'][0] / evaluate:.0f} wall")
    worst = max(abs(result[name] - value) for name, value in figures.items())
    print(f"largest difference of mAP, NDS and the five errors: {worst:.1e}")
    sys.exit(1 if worst > 1e-9 else 0)


if __name__ == "__main__":
    main()
