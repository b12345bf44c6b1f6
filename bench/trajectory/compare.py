#!/usr/bin/env python3
"""Runs evo and `omma eval trajectory` on the same files and prints both and their difference.

    pip install -r bench/trajectory/requirements.txt
    python bench/trajectory/compare.py --omma target/release/omma [--data DATA]

Exit code 1 where any difference is above 1e-6 (metres, degrees or percent).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import reference

TOLERANCE = 1e-6
KEYS = ("path_m", "ate_rmse_m", "ate_max_m", "rpe_trans_m", "rpe_rot_deg", "t_rel_percent", "r_rel_deg_per_100m")


def as_tum(path, folder):
    """EuRoC's ground truth in TUM's format, with every nanosecond."""
    out = os.path.join(folder, path.name + ".tum")
    with open(path) as source, open(out, "w") as target:
        for line in source:
            if not line.startswith("#"):
                time, x, y, z, qw, qx, qy, qz = line.split(",")[:8]
                print(f"{time[:-9]}.{time[-9:]}", x, y, z, qx, qy, qz, qw, file=target)
    return out


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--omma", default="omma")
    arguments.add_argument("--data", default=os.environ.get("OMMATIDIA_DATA", "../shared/data"))
    options = arguments.parse_args()
    reference.DATA = reference.Path(options.data)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, *source in reference.CASES:
            pair = reference.read(*source)
            base = reference.FIXTURES if source[0] == "fixtures" else reference.DATA / source[0]
            truth = as_tum(base / source[2], folder) if source[1] == "euroc" else base / source[2]
            form = "kitti" if source[1] == "kitti" else "tum"
            for align in ("none", "se3", "sim3"):
                theirs = reference.evaluate(*pair, align)
                command = [options.omma, "eval", "trajectory", "--predictions", base / source[3], "--truth", truth]
                command += ["--format", form, "--align", align, "--json"]
                ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                for key in KEYS:
                    a, b = ours[key], theirs[key]
                    difference = 0.0 if a is None and b is None else abs((a or np.inf) - (b or np.inf))
                    worst = max(worst, difference)
                    print(f"{name:10} {align:5} {key:20} omma {a!s:22} evo {b!s:22} {difference:.1e}")
    print(f"largest difference {worst:.1e}, tolerance {TOLERANCE:.0e}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
