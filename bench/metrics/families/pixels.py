"""Depth, disparity and optical flow, against the definitions of Eigen et al. 2014, KITTI 2015 and Sintel in NumPy."""

import numpy as np

TOOL = "published formulas, NumPy"
TOLERANCE = 1e-9


def case(seed, pixels, noise, broken):
    rng = np.random.default_rng(seed)
    single = lambda values: np.float32(np.round(values, 3)).astype(float)
    depth = np.exp(rng.uniform(-0.5, 5, pixels))
    disparity = rng.uniform(0.5, 120, pixels)
    flow = rng.normal(size=(2, pixels)) * np.exp(rng.uniform(0, 4, pixels))
    spoil = lambda values, with_: np.where(rng.random(pixels) < broken, rng.choice(with_, pixels), values)
    around = lambda values: values * (1 + noise * rng.normal(size=pixels))
    return {
        "depth": [single(spoil(depth, [0.0, 100.0])), single(spoil(around(depth), [0.0, -1.0, np.nan, np.inf]))],
        "disparity": [single(spoil(disparity, [0.0])), single(spoil(around(disparity), [0.0, np.nan, -2.0]))],
        "flow": [
            single(spoil(flow[0], [np.nan])), single(flow[1]),
            single(spoil(around(flow[0]), [np.nan, np.inf])), single(around(flow[1])),
        ],
        "foreground": rng.random(pixels) < 0.3,
        "occluded": rng.random(pixels) < 0.2,
    }


def cases():
    yield "good", case(1, 250, 0.02, 0.0)
    yield "bad, with holes", case(2, 250, 0.2, 0.3)
    yield "exact", case(3, 50, 0.0, 0.1)


def official(given):
    figures = {}
    array = lambda values: np.array([float(v) for v in values])
    truth, estimate = map(array, given["depth"])
    judged = (truth >= 1e-3) & (truth <= 80) & np.isfinite(estimate) & (estimate > 0)
    d, e = truth[judged], estimate[judged]
    ratio = np.maximum(d / e, e / d)
    figures |= {
        "depth abs_rel": np.mean(np.abs(e - d) / d),
        "depth sq_rel": np.mean((e - d) ** 2 / d),
        "depth rmse": np.sqrt(np.mean((e - d) ** 2)),
        "depth rmse_log": np.sqrt(np.mean((np.log(e) - np.log(d)) ** 2)),
    } | {f"depth delta{k}": np.mean(ratio < 1.25**k) for k in (1, 2, 3)}
    foreground, occluded = np.array(given["foreground"]), np.array(given["occluded"])
    truth, estimate = map(array, given["disparity"])
    valid, there = np.isfinite(truth) & (truth > 0), np.isfinite(estimate) & (estimate > 0)
    error = np.abs(estimate - truth)
    with np.errstate(all="ignore"):
        wrong = (error > 3) & (error / truth > 0.05)
    figures |= {
        "disparity d1": np.mean(wrong[valid & there]),
        "disparity d1_bg": np.mean(wrong[valid & there & ~foreground]),
        "disparity d1_fg": np.mean(wrong[valid & there & foreground]),
        "disparity d1_all": np.mean((wrong | ~there)[valid]),
        "disparity epe": np.mean(error[valid & there]),
    }
    u, v, a, b = map(array, given["flow"])
    valid, there = np.isfinite(u) & np.isfinite(v), np.isfinite(a) & np.isfinite(b)
    with np.errstate(all="ignore"):
        error, speed = np.hypot(a - u, b - v), np.hypot(u, v)
        wrong = (error > 3) & (error / speed > 0.05)
        mean = lambda of: np.mean(error[valid & there & of])
        figures |= {
            "flow epe": mean(True),
            "flow epe_matched": mean(~occluded),
            "flow epe_unmatched": mean(occluded),
            "flow epe_s0_10": mean(speed < 10),
            "flow epe_s10_40": mean((speed >= 10) & (speed < 40)),
            "flow epe_s40_plus": mean(speed >= 40),
            "flow fl": np.mean(wrong[valid & there]),
            "flow fl_bg": np.mean(wrong[valid & there & ~foreground]),
            "flow fl_fg": np.mean(wrong[valid & there & foreground]),
            "flow fl_all": np.mean((wrong | ~there)[valid]),
        }
    return figures
