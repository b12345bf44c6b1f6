"""Writes what OpenCV's solvers answer to a few fixed problems.

    python bench/reference/solvers.py crates/geometry/tests/fixtures/opencv_solvers.json

Made with OpenCV 5.0.0 and NumPy; the test `opencv_solvers` compares ours with it.
"""

import json
import sys

import cv2
import numpy as np

K = np.array([[700.0, 0.0, 640.0], [0.0, 710.0, 360.0], [0.0, 0.0, 1.0]])


def rotation(random, angle_rad):
    axis = random.normal(size=3)
    return cv2.Rodrigues(axis / np.linalg.norm(axis) * angle_rad)[0]


def pixels(points):
    return (points / points[:, 2:]) @ K.T[:, :2]


def exact(values):
    """Rounds to 1/256: some of OpenCV's functions convert their input to 32 bits."""
    return np.round(values * 256.0) / 256.0


def two_views(random, count, sigma_px, plane=False):
    depth = random.uniform(4.0, 20.0, count)
    first = np.stack([random.uniform(-0.8, 0.8, count), random.uniform(-0.45, 0.45, count), np.ones(count)], 1)
    if plane:
        depth = 10.0 / (first @ np.array([0.1, -0.2, 1.0]))
    points = first * depth[:, None]
    r, t = rotation(random, 0.15), random.normal(size=3) * 0.5
    one, other = pixels(points), pixels(points @ r.T + t)
    noise = random.normal(scale=sigma_px, size=(2, count, 2))
    return exact(one + noise[0]), exact(other + noise[1])


def main(path):
    random = np.random.default_rng(20)
    cases = {"opencv": cv2.__version__, "k": K.tolist()}

    def record(name, count, solve):
        cases[name] = [solve() for _ in range(count)]

    def five_point():
        one, other = two_views(random, 5, 0.5)
        found, _ = cv2.findEssentialMat(one, other, K, method=cv2.RANSAC, prob=0.999, threshold=1.0)
        found = found.reshape(-1, 3, 3)
        return {"first": one.tolist(), "second": other.tolist(), "essentials": found.tolist()}

    def seven_point():
        one, other = two_views(random, 7, 0.5)
        found, _ = cv2.findFundamentalMat(one, other, cv2.FM_7POINT)
        return {"first": one.tolist(), "second": other.tolist(), "matrices": found.reshape(-1, 3, 3).tolist()}

    def eight_point():
        one, other = two_views(random, 12, 0.5)
        found, _ = cv2.findFundamentalMat(one, other, cv2.FM_8POINT)
        return {"first": one.tolist(), "second": other.tolist(), "matrices": [found.tolist()]}

    def homography():
        one, other = two_views(random, 4, 0.5, plane=True)
        h, _ = cv2.findHomography(one, other, 0)
        _, rotations, translations, normals = cv2.decomposeHomographyMat(h, K)
        return {
            "first": one.tolist(),
            "second": other.tolist(),
            "matrix": h.tolist(),
            "motions": [
                {"rotation": r.tolist(), "translation": t.ravel().tolist(), "normal": n.ravel().tolist()}
                for r, t, n in zip(rotations, translations, normals)
            ],
        }

    def p3p():
        points = np.stack([random.uniform(-4, 4, 3), random.uniform(-2, 2, 3), random.uniform(5, 15, 3)], 1)
        r, t = rotation(random, 2.0), random.normal(size=3)
        image = exact(pixels(points) + random.normal(scale=0.5, size=(3, 2)))
        world = exact((points - t) @ r)
        _, rvecs, tvecs = cv2.solveP3P(world, image, K, None, cv2.SOLVEPNP_P3P)
        poses = [{"rotation": cv2.Rodrigues(v)[0].tolist(), "translation": s.ravel().tolist()} for v, s in zip(rvecs, tvecs)]
        return {"points": world.tolist(), "pixels": image.tolist(), "poses": poses}

    def pnp():
        count = 20
        points = np.stack([random.uniform(-4, 4, count), random.uniform(-2, 2, count), random.uniform(5, 15, count)], 1)
        r, t = rotation(random, 2.0), random.normal(size=3)
        image = exact(pixels(points) + random.normal(scale=0.5, size=(count, 2)))
        world = exact((points - t) @ r)
        _, rvec, tvec = cv2.solvePnP(world, image, K, None, flags=cv2.SOLVEPNP_SQPNP)
        rvec, tvec = cv2.solvePnPRefineLM(world, image, K, None, rvec, tvec)
        return {
            "points": world.tolist(),
            "pixels": image.tolist(),
            "poses": [{"rotation": cv2.Rodrigues(rvec)[0].tolist(), "translation": tvec.ravel().tolist()}],
        }

    def similarity():
        source = np.round(random.normal(size=(10, 3)) * 4.0, 4)
        target = 2.5 * source @ rotation(random, 2.0).T + random.normal(size=3) + random.normal(scale=0.1, size=(10, 3))
        target = np.round(target, 4)
        matrix, scale = cv2.estimateAffine3D(source, target, force_rotation=True)
        return {"source": source.tolist(), "target": target.tolist(), "rotation": matrix[:, :3].tolist(),
                "translation": matrix[:, 3].tolist(), "scale": scale}

    record("five_point", 12, five_point)
    record("seven_point", 8, seven_point)
    record("eight_point", 4, eight_point)
    record("homography", 6, homography)
    record("p3p", 12, p3p)
    record("pnp", 4, pnp)
    record("similarity", 4, similarity)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(cases, file, indent=None, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
