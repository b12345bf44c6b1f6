"""Milliseconds of one moment of the networks `nano` and `small` in Burn, rten, tract and ONNX Runtime.

    cargo build --release -p ommatidia-onnx --example latency --features tract,ort
    ORT_DYLIB_PATH=.../libonnxruntime.so.1.x python bench/latency/compare.py TARGET/release/examples/latency

Six cameras at the preset's size, random weights, the heads of the training `nano`; the same inputs everywhere.
A process for each engine, in turns over several rounds; prints the median of all runs, and its ratio to Burn's
(above 1: faster than Burn). `8 bits` is the file of `omma export --int8`. Needs no Python packages.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--presets", nargs="+", default=["nano", "small"])
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engines", nargs="+", default=["burn", "rten", "tract", "onnxruntime"])
    arguments = parser.parse_args()
    print(f"{arguments.cameras} cameras, {arguments.threads} threads (tract: 1); milliseconds")
    with tempfile.TemporaryDirectory() as folder:
        for preset in arguments.presets:
            command = [arguments.program, "write", preset, str(arguments.cameras), folder]
            subprocess.run(command, check=True)
            table(arguments, preset, pathlib.Path(folder))


def table(arguments, preset, folder):
    files = {"": folder / f"{preset}.onnx", " 8 bits": folder / f"{preset}-int8.onnx"}
    kinds = [(e, kind) for e in arguments.engines for kind in files if e != "burn" or not kind]
    times, loads, failed = {}, {}, {}
    for _ in range(arguments.rounds):
        for engine, kind in kinds:
            command = [arguments.program, "run", preset, str(arguments.cameras), engine, files[kind]]
            command += [str(arguments.threads), str(arguments.runs)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                failed[engine, kind] = done.stderr.strip().splitlines()[-1][:120]
                continue
            result = json.loads(done.stdout)
            times.setdefault((engine, kind), []).extend(result["ms"])
            loads.setdefault((engine, kind), []).append(result["load_ms"])
    sizes = {kind: file.stat().st_size / 2**20 for kind, file in files.items()}
    print(f"\n{preset}: {sizes['']:.1f} MiB, 8 bits {sizes[' 8 bits']:.1f} MiB")
    print(f"{'engine':20} {'median':>9} {'least':>9} {'load':>9} {'ratio':>7}")
    burn = statistics.median(times["burn", ""]) if ("burn", "") in times else float("nan")
    for key in kinds:
        if key not in times:
            print(f"{''.join(key):20} {failed[key]}")
            continue
        median = statistics.median(times[key])
        load = statistics.median(loads[key])
        print(f"{''.join(key):20} {median:9.1f} {min(times[key]):9.1f} {load:9.1f} {burn / median:7.2f}")


main()
