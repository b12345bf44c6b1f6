"""Kills `omma import` and `omma label` at random moments, resumes, and compares all bytes.

usage: kill.py OMMA SOURCE [KILLS] [SEED] [IMPORT OPTIONS...]

Half of the kills hit the import, half the labelling. After each kill the same command runs again,
with a chance of being killed once more, until it ends; the result must equal that of an undisturbed
run, file by file. Needs no packages.
"""

import hashlib
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time


def tree(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.blake2b(path.read_bytes()).hexdigest() for path in files}


def run(command):
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
    return time.monotonic() - start


def run_killed(command, seconds):
    """Whether the command was still running when it was killed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
        assert process.returncode == 0, f"{command}: exit {process.returncode}"
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def disturb(command, out, expected, seconds, kills, rng, what):
    struck = 0
    while struck < kills:
        if out.exists():
            shutil.rmtree(out)
        out.mkdir()
        while struck < kills and run_killed(command, rng.uniform(0.0, seconds)):
            struck += 1
            print(f"\r{what}: {struck} kills", end="", flush=True)
        run(command)
        found = tree(out)
        assert found == expected, f"{what}: {sorted(set(found.items()) ^ set(expected.items()))}"
    print(f"\r{what}: {struck} kills, identical bytes each time")


def main():
    omma, source = sys.argv[1:3]
    kills = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    rng = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        out = base / "clip"
        out.mkdir()
        clip = out / "drive.mcap"
        importing = [omma, "import", source, "--out", str(clip), "--quiet", *sys.argv[5:]]
        seconds = run(importing)
        expected = tree(out)
        disturb(importing, out, expected, seconds, kills // 2, rng, "import")

        labels = base / "labels"
        labelling = [omma, "label", str(clip), "--out", str(labels), "--ignore-poses", "--quiet"]
        seconds = run(labelling)
        expected = tree(labels)
        disturb(labelling, labels, expected, seconds, kills - kills // 2, rng, "label")


if __name__ == "__main__":
    main()
