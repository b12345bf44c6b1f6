#!/usr/bin/env python3
"""How the cost of `omma eval detection` grows with frames: 1x, 10x and 100x, as a table and a small plot.

    python bench/metrics/growth.py --omma target/release/omma --folder /tmp/growth [--svg growth.svg]

Processor seconds, the least of three runs: wall time on a shared machine says less.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

SAMPLES = [60, 602, 6019]


def processor_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(binary, folder):
    best, evaluate = math.inf, math.inf
    for _ in range(3):
        before = processor_s()
        run = subprocess.run(
            [binary, "eval", "detection", "--json", "--predictions", os.path.join(folder, "results.json"), "--truth", folder],
            capture_output=True, text=True, check=True,
        )
        best = min(best, processor_s() - before)
        evaluate = min(evaluate, json.loads(run.stdout)["seconds"]["evaluate"])
    return best, evaluate


def plot(rows, path):
    """Both axes logarithmic; a line of slope 1 beside the points."""
    def place(samples, seconds):
        return 60 + 110 * math.log10(samples / 60), 180 - 60 * math.log10(seconds / 0.01)

    shapes = []
    for (samples, seconds, _), (x, y) in zip(rows, (place(*row[:2]) for row in rows)):
        shapes.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4"/><text x="{x + 8:.0f}" y="{y + 4:.0f}">{samples}: {seconds:.2f} s</text>')
    (x0, y0), (x1, y1) = place(60, rows[-1][1] / 100), place(6019, rows[-1][1])
    shapes.append(f'<path d="M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}" stroke="gray" stroke-dasharray="4"/>')
    with open(path, "w") as file:
        file.write(
            '<svg xmlns="http://www.w3.org/2000/svg" width="420" height="230" font-family="sans-serif" font-size="11">'
            '<rect width="420" height="230" fill="white"/>' + "".join(shapes)
            + '<text x="60" y="215">samples against processor seconds, both logarithmic; dashed: linear</text></svg>\n'
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--omma", required=True)
    parser.add_argument("--folder", required=True, help="folders of the sizes are made in it if they are not there")
    parser.add_argument("--svg")
    arguments = parser.parse_args()
    rows = []
    for samples in SAMPLES:
        folder = os.path.join(arguments.folder, str(samples))
        if not os.path.exists(os.path.join(folder, "results.json")):
            import nuscenes_sized

            nuscenes_sized.make(folder, samples)
        rows.append((samples, *measure(arguments.omma, folder)))
    print("| samples | processor s, all | a sample, ms | wall s, evaluating alone |\n|---:|---:|---:|---:|")
    for samples, seconds, evaluate in rows:
        print(f"| {samples} | {seconds:.2f} | {1000 * seconds / samples:.3f} | {evaluate:.3f} |")
    if arguments.svg:
        plot(rows, arguments.svg)


if __name__ == "__main__":
    main()
