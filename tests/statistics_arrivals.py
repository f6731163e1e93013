"""Knots of a rate curve by an independent estimator, for `tests/analyzer/statistics/arrivals.rs`.

Counts by bin of five minutes are Poisson with mean exposure x a piecewise-linear rate with a knot every half hour of
the week: statsmodels fits that as a generalised linear model with identity link. Needs numpy and statsmodels.
"""

import numpy as np
import statsmodels.api as sm

BINS = 2016
KNOTS = 336


def count(b):
    day, of_day = divmod(b, 288)
    n = 60 + 20 * day + abs((of_day + 41 * day) % 288 - 144) + (b * b * 31 + 7 * b) % 17 - 8
    return n // 2 if 500 <= b < 560 else n


exposure = np.array([150.0 if 500 <= b < 560 else 300.0 for b in range(BINS)])
n = np.array([count(b) for b in range(BINS)], dtype=float)
design = np.zeros((BINS, KNOTS))
for b in range(BINS):
    knot, into = divmod(b, 6)
    share = (into + 0.5) / 6
    design[b, knot] += exposure[b] * (1 - share)
    design[b, (knot + 1) % KNOTS] += exposure[b] * share

family = sm.families.Poisson(link=sm.families.links.Identity())
# Starting at the rates of the bins keeps all means positive.
start = np.array([(n / exposure)[min(6 * k, BINS - 1)] for k in range(KNOTS)])
fit = sm.GLM(n, design, family=family).fit(start_params=start, maxiter=200, tol=1e-12)
print("converged", fit.converged, "smallest knot", fit.params.min(), "total", fit.fittedvalues.sum() / n.sum())
for knot in (0, 47, 48, 84, 92, 150, 239, 335):
    print(f"({knot}, {fit.params[knot]:.9}),")
