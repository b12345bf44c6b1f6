"""Trains the same weights undisturbed, on other numbers of threads and ranks, and through random kills.

usage: train.py OMMA CONFIG DATA... [--steps 200] [--kills 10] [--seed 1] [--launcher "mpirun --oversubscribe -n"]

CONFIG is a training in TOML, such as `crates/train/presets/camvid.toml`; checkpoints are written every tenth of the
steps. With `--launcher`, OMMA must be built with `--features mpi`, and the training is also run by 2 and 4 ranks, which
needs 4 microbatches. Prints one line a run with the hash of the weights; exit code 1 if any differs. Needs no packages.
"""

import argparse
import json
import pathlib
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time


def configured(text, steps, ranks):
    text = re.sub(r"(?m)^checkpoint_every = .*$", f"checkpoint_every = {max(1, steps // 10)}", text)
    assert "checkpoint_every" in text, "the configuration has no checkpoint_every"
    return re.sub(r"(?m)^microbatches = .*$", "microbatches = 4", text) if ranks else text


def trained(command):
    start = time.monotonic()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout)["weights_blake3"], time.monotonic() - start


def killed(command, seconds, sign):
    """Whether it was still running then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(sign)
        process.wait()
        return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("omma")
    parser.add_argument("config")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--launcher", default="")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        config = base / "training.toml"
        text = pathlib.Path(arguments.config).read_text()
        config.write_text(configured(text, arguments.steps, arguments.launcher))

        def command(name, *more):
            wanted = ["--data", *arguments.data, "--out", str(base / name), "--steps", str(arguments.steps), "--quiet"]
            return [arguments.omma, "train", str(config), *wanted, *more]

        expected, seconds = trained(command("whole"))
        print(f"undisturbed: {expected}, {seconds:.0f} s", flush=True)
        found = {"1 thread": trained(command("thread", "--threads", "1"))[0]}
        print(f"1 thread: {found['1 thread']}", flush=True)
        for ranks in (2, 4) if arguments.launcher else ():
            name = f"{ranks} ranks"
            launcher = [*shlex.split(arguments.launcher), str(ranks)]
            found[name] = trained([*launcher, *command(f"ranks{ranks}", "--threads", "1")])[0]
            print(f"{name}: {found[name]}", flush=True)

        struck = 0
        run = command("killed")
        while struck < arguments.kills:
            # Half of them by what a cluster sends before it takes a machine away.
            sign = rng.choice([signal.SIGKILL, signal.SIGTERM])
            more = ["--resume"] if (base / "killed").exists() else []
            if killed([*run, *more], rng.uniform(0.0, 0.5 * seconds), sign):
                struck += 1
            elif struck < arguments.kills:
                shutil.rmtree(base / "killed")
        found[f"{struck} kills"] = trained([*run, "--resume"])[0]
        print(f"{struck} kills: {found[f'{struck} kills']}", flush=True)
    sys.exit(any(weights != expected for weights in found.values()))


if __name__ == "__main__":
    main()
