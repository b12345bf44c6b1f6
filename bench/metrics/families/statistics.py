"""Bootstrap intervals and exchange tests, against SciPy's on the same resamples."""

import numpy as np
from scipy import stats

TOOL = "scipy 1.17.1 stats.bootstrap, stats.permutation_test"
TOLERANCE = 1e-9
RESAMPLES = 150


def cases():
    rng = np.random.default_rng(11)
    for name, values in (
        ("9 skewed values", rng.exponential(size=9)),
        ("13 values around 0", rng.normal(0.1, 1.0, size=13)),
        ("8 values with ties", np.round(rng.normal(size=8), 1)),
    ):
        drawn = np.random.default_rng(len(values)).integers(0, len(values), (RESAMPLES, len(values)))
        yield name, {"values": values, "resamples": drawn, "confidence": 0.9}


def official(given):
    values = np.array(given["values"])
    figures = {}
    for name, method in (("percentile", "percentile"), ("bca", "BCa")):
        # The same generator from the same seed draws the resamples of the input.
        found = stats.bootstrap(
            (values,), np.mean, n_resamples=RESAMPLES, confidence_level=given["confidence"], method=method,
            rng=np.random.default_rng(len(values)), vectorized=True,
        ).confidence_interval
        figures[f"{name}_low"], figures[f"{name}_high"] = found.low, found.high
    zeros = np.zeros_like(values)
    test = stats.permutation_test(
        (values, zeros), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples",
        n_resamples=np.inf, vectorized=True,
    )
    figures["permutation_p"] = test.pvalue
    return figures
