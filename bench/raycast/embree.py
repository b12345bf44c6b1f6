"""Our ray kernel beside Embree: the same triangles and the same coherent rays, one thread each.

    python bench/raycast/embree.py [--rays BINARY] [--repeats 10]

BINARY is the example `rays` of ommatidia-world; without it cargo builds it. It makes a street with more
than a million triangles, times one 704x396 picture's rays, and leaves triangles, rays and distances for
Embree. Embree gets each ray from the PyPI package's loop over `rtcIntersect1`, in its robust build; its
time includes that loop, which is compiled. Prints rays a second of processor time, the ratio, and how
many distances agree.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh


def ours(binary: list[str], folder: str) -> dict[str, float]:
    """Millions of rays a second, by what the example calls the way of casting."""
    environment = os.environ | {"RAYON_NUM_THREADS": "1"}
    said = subprocess.run(
        [*binary, folder, "0"], env=environment, check=True, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^kernel, (.*): ([0-9.]+) M rays/s", said, re.MULTILINE)
    return {way: float(rate) for way, rate in found}


def embree(folder: Path, repeats: int) -> tuple[float, np.ndarray]:
    """Millions of rays a second, and distances (infinite where nothing is met)."""
    triangles = np.fromfile(folder / "triangles.f32", np.float32).reshape(-1, 3, 3)
    directions = np.fromfile(folder / "directions.f32", np.float32).reshape(-1, 3)
    origin = np.fromfile(folder / "origin.f32", np.float32)
    scene = rtcore_scene.EmbreeScene()
    mesh = TriangleMesh(scene, triangles)
    origins = np.ascontiguousarray(np.broadcast_to(origin, directions.shape))
    scene.run(origins[:1], directions[:1], query="DISTANCE")  # builds the tree
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        distances = scene.run(origins, directions, query="DISTANCE")
        best = min(best, time.process_time() - start)
    del mesh
    distances = np.asarray(distances, np.float32)
    return len(directions) / best / 1e6, np.where(distances > 1e30, np.inf, distances)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rays", help="the example's binary")
    arguments.add_argument("--repeats", type=int, default=10)
    given = arguments.parse_args()
    build = "cargo run --release -q -p ommatidia-world --example rays --".split()
    with tempfile.TemporaryDirectory() as folder:
        rates = ours([given.rays] if given.rays else build, folder)
        peer, theirs = embree(Path(folder), given.repeats)
        mine = np.fromfile(Path(folder) / "distances.f32", np.float32)
    for way, rate in rates.items():
        print(f"{way}: {rate:.2f} M rays/s, {rate / peer:.2f} times Embree's")
    print(f"Embree, single rays: {peer:.2f} M rays/s")
    both = np.isfinite(mine) & np.isfinite(theirs)
    off = np.abs(mine[both] - theirs[both]) <= 1e-4 * (1 + theirs[both])
    same_hits = np.mean(np.isfinite(mine) == np.isfinite(theirs))
    print(f"both meet something or nothing: {same_hits:.6f}; distances within 1e-4: {off.mean():.6f}")


if __name__ == "__main__":
    main()
