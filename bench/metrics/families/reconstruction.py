"""Clouds by SciPy's nearest neighbours and the published formulas; pictures by scikit-image; LPIPS by its formula in
NumPy with random weights (trained ones are not shipped)."""

import numpy as np
from scipy.spatial import cKDTree
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

TOOL = "scikit-image 0.26.0 (PSNR, SSIM); scipy 1.17.1 and published formulas (clouds, LPIPS)"
TOLERANCE = 1e-9
# Inputs, outputs, side, stride, padding, pool before: AlexNet's shape.
ALEXNET = [(3, 64, 11, 4, 2, False), (64, 192, 5, 1, 2, True), (192, 384, 3, 1, 1, True), (384, 256, 3, 1, 1, False), (256, 256, 3, 1, 1, False)]


def cloud(rng, count, noise):
    points = rng.uniform(0, 5, (count, 3))
    points[:, 2] = 0.2 * np.sin(points[:, 0]) + rng.normal(0, noise, count)
    normals = rng.normal(0, 0.1, (count, 3)) + [0, 0, 1]
    return np.round(np.hstack([points, normals / np.linalg.norm(normals, axis=1, keepdims=True)]), 6)


def cases():
    rng = np.random.default_rng(61)
    yield "clouds, 400 and 300 points", {"truth": cloud(rng, 400, 0), "estimate": cloud(rng, 300, 0.1), "thresholds": [0.05, 0.1, 0.2]}
    twice = np.vstack([cloud(rng, 20, 0)] * 2)
    yield "clouds, duplicates and one point", {"truth": twice, "estimate": cloud(rng, 1, 0), "thresholds": [1e-6, 100.0]}
    for size, name in (((24, 31, 3), "8 bits, three channels"), ((16, 16, 1), "8 bits, one channel")):
        truth = rng.integers(0, 256, size)
        estimate = np.clip(truth + rng.normal(0, 20, size), 0, 255).round()
        yield f"picture, {name}", {"size": size, "truth": truth.ravel(), "estimate": estimate.ravel(), "range": 255.0}
    flat = np.full((12, 12, 1), 0.5)
    yield "picture, flat and equal", {"size": flat.shape, "truth": flat.ravel(), "estimate": flat.ravel(), "range": 1.0}


def large():
    rng = np.random.default_rng(62)
    yield "clouds, 20000 points", {"truth": cloud(rng, 20000, 0), "estimate": cloud(rng, 20000, 0.1), "thresholds": [0.05, 0.1, 0.2]}
    weights = [(rng.normal(0, (2 / (i * s * s)) ** 0.5, (o, i, s, s)), rng.normal(0, 0.1, o)) for i, o, s, *_ in ALEXNET]
    yield "AlexNet's shape, random weights, 64x80", {
        "size": [64, 80], "truth": rng.random((64, 80, 3)).ravel(), "estimate": rng.random((64, 80, 3)).ravel(),
        "convolutions": [(w.ravel(), b) for w, b in weights], "channel_weights": [rng.random(len(b)) for _, b in weights],
    }


def clouds(given):
    truth, estimate = np.array(given["truth"]), np.array(given["estimate"])
    there, to_truth = cKDTree(truth[:, :3]).query(estimate[:, :3])
    back, to_estimate = cKDTree(estimate[:, :3]).query(truth[:, :3])
    cosine = lambda a, b: np.abs((a[:, 3:] * b[:, 3:]).sum(1)).mean()
    figures = {
        "accuracy_m": there.mean(), "completeness_m": back.mean(), "accuracy_median_m": np.median(there),
        "chamfer_m": (there.mean() + back.mean()) / 2, "chamfer_squared_m2": (there**2).mean() + (back**2).mean(),
        "normal_consistency": (cosine(estimate, truth[to_truth]) + cosine(truth, estimate[to_estimate])) / 2,
    }
    for t in given["thresholds"]:
        precision, recall = (there < t).mean(), (back < t).mean()
        figures[f"F-score@{t:g}" if t >= 1e-3 else f"F-score@{t:.6f}"] = 2 * precision * recall / max(precision + recall, 1e-300)
    return figures


def pictures(given):
    truth, estimate = (np.array(given[side], dtype=float).reshape(given["size"]) for side in ("truth", "estimate"))
    with np.errstate(divide="ignore"):
        psnr = peak_signal_noise_ratio(truth, estimate, data_range=given["range"])
    similar = lambda **options: structural_similarity(truth, estimate, data_range=given["range"], channel_axis=2, **options)
    return {
        "PSNR": psnr,
        "SSIM": similar(),
        "SSIM gaussian": similar(gaussian_weights=True, sigma=1.5),
        "SSIM Wang 2004": similar(gaussian_weights=True, sigma=1.5, use_sample_covariance=False),
    }


def lpips(given):
    def features(samples):
        x = (2 * np.array(samples).reshape(*given["size"], 3).transpose(2, 0, 1) - 1)
        x = (x - np.array([-0.030, -0.088, -0.188])[:, None, None]) / np.array([0.458, 0.448, 0.450])[:, None, None]
        for (i, o, side, stride, padding, pool), (weights, bias) in zip(ALEXNET, given["convolutions"]):
            windows = lambda x, side, stride: np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
            if pool:
                x = windows(x, 3, 2).max((-1, -2))
            padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
            kernel = np.array(weights).reshape(o, i, side, side)
            x = np.einsum("ihwkl,oikl->ohw", windows(padded, side, stride), kernel, optimize=True) + np.array(bias)[:, None, None]
            x = np.maximum(x, 0)
            yield x / (np.sqrt((x**2).sum(0, keepdims=True)) + 1e-10)

    total = 0.0
    for a, b, weights in zip(features(given["truth"]), features(given["estimate"]), given["channel_weights"]):
        total += (np.array(weights)[:, None, None] * (a - b) ** 2).sum(0).mean()
    return {"LPIPS": total}


def official(given):
    if "thresholds" in given:
        return clouds(given)
    return lpips(given) if "convolutions" in given else pictures(given)
