#!/usr/bin/env python3
"""Every metric beside its official tool, on the same random but hard inputs: tool, input, its number, ours, difference.

    pip install -r bench/metrics/requirements.txt        (see there for what goes in with --no-deps)
    cargo build --release -p ommatidia-metrics --example parity
    python bench/metrics/table.py --parity target/release/examples/parity [--only FAMILY ...] [--write]

`--write` renews `crates/metrics/tests/parity/FAMILY.json`, which the test `parity` checks without Python. Exit code 1
where a difference exceeds the family's tolerance (relative above 1, absolute below).

A family is a module of `families/` with
    TOOL       name and version of what is compared with
    TOLERANCE  1e-9 where the tool computes in float64, 1e-6 otherwise
    cases()    pairs (name, input); small ones: they are committed. Seeded.
    large()    optional: more such pairs, for the table alone
    official(input)  the tool's figures, {name: float}
    group(figure)  optional: the name of the table's row that a figure belongs to; the row shows its worst
    NOTES      optional {figure: why it may differ, by the tool's own line}; such rows do not fail
"""

import argparse
import importlib
import json
import math
import os
import pkgutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "../../crates/metrics/tests/parity")
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)


def to_json(value):
    """JSON without NaN and infinity, which are words instead."""
    if isinstance(value, dict):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist") and getattr(value, "shape", ()) != ():
        return [to_json(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def rounded(value, digits=4):
    """An input with fewer digits, for a smaller fixture."""
    if isinstance(value, dict):
        return {key: rounded(inner, digits) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner, digits) for inner in value]
    return round(value, digits) if isinstance(value, float) else value


def ours(parity, family, given):
    run = subprocess.run([parity, family], input=json.dumps(given), capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{family}: {run.stderr.strip()}")
    return {name: float(value) for name, value in json.loads(run.stdout).items()}


def difference(a, b):
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    return abs(a - b) / max(1.0, abs(a)) if math.isfinite(a) and math.isfinite(b) else math.inf


def rows_of(name, arguments):
    family = importlib.import_module(f"families.{name}")
    small = [(case, to_json(given)) for case, given in family.cases()]
    large = [(case, to_json(given)) for case, given in getattr(family, "large", lambda: [])()]
    fixture = []
    for position, (case, given) in enumerate(small + large):
        theirs = {figure: float(value) for figure, value in family.official(given).items()}
        if position < len(small):
            fixture.append({"name": case, "input": given, "expected": to_json(theirs)})
        if arguments.parity:
            found = ours(arguments.parity, name, given)
            for figure, value in theirs.items():
                yield family, case, figure, value, found.get(figure, math.nan)
    if arguments.write:
        document = {"tool": family.TOOL, "tolerance": family.TOLERANCE, "cases": fixture}
        with open(os.path.join(FIXTURES, f"{name}.json"), "w") as file:
            json.dump(document, file, separators=(",", ":"))
            file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", help="the example `parity`, built")
    parser.add_argument("--only", nargs="*", help="families; all without it")
    parser.add_argument("--write", action="store_true", help="renew the fixtures")
    parser.add_argument("--full", action="store_true", help="a row per case; without it the worst case per metric")
    arguments = parser.parse_args()
    names = sorted(module.name for module in pkgutil.iter_modules([os.path.join(HERE, "families")]))
    failed = 0
    print("| metric | official tool | input | its number | ours | difference |")
    print("|---|---|---|---:|---:|---:|")
    for name in arguments.only or names:
        shown = {}
        for row in rows_of(name, arguments):
            family, case, figure, theirs, mine = row
            figure = getattr(family, "group", str)(figure)
            row = (family, case, figure, theirs, mine)
            key = (figure, case if arguments.full else None)
            before = shown.get(key)
            if before is None or difference(theirs, mine) > difference(*before[3:]):
                shown[key] = row
        for (figure, _), (family, case, _, theirs, mine) in shown.items():
            apart = difference(theirs, mine)
            why = getattr(family, "NOTES", {}).get(figure)
            if apart > family.TOLERANCE and why is None:
                failed += 1
            note = f" ({why})" if why and apart > family.TOLERANCE else ""
            print(f"| {name} {figure} | {family.TOOL} | {case} | {theirs:.12g} | {mine:.12g} | {apart:.1e}{note} |")
        sys.stdout.flush()
    if failed:
        print(f"{failed} figures differ by more than their tolerance", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
