"""Derives the constants that the tests of `analyzer/src/statistic/` compare with, from scipy, statsmodels and mpmath.

Usage: python tests/statistics.py [--write]   (needs numpy, scipy, statsmodels and mpmath)

Without --write, compares with tests/analyzer/statistics/oracle.json: exit status 1 when a value differs.
"""

import json
import math
import pathlib
import sys
import warnings

import mpmath
import numpy
import scipy
import statsmodels
from scipy import optimize, special, stats
from scipy.spatial import distance
from statsmodels.stats import multitest, proportion

FILE = pathlib.Path(__file__).parent / "analyzer/statistics/oracle.json"

# Another release of these packages may differ in the last digits, not more.
SAME = 1e-10


def cases():
    """(function, arguments, values) of everything compared."""
    yield from probabilities()
    yield from intervals()
    yield from kolmogorov()
    yield from anderson_darling()
    yield from distances()
    yield from tests_on_counts()
    yield from adjusted()
    yield from least_squares()


def probabilities():
    for x, df in [(60, 39), (1e-3, 1), (3.84, 1), (0.2, 2.5), (100, 39), (39, 39), (700, 39), (5200, 5000), (1e6, 1e6)]:
        yield "chi_squared.survival", [x, df], stats.chi2.sf(x, df)
        yield "chi_squared.cdf", [x, df], stats.chi2.cdf(x, df)
    for p, df in [(0.05, 39), (0.05, 1), (1e-9, 3), (0.99, 0.7), (0.001, 5000), (0.5, 399)]:
        yield "chi_squared.upper_quantile", [p, df], stats.chi2.isf(p, df)
    for x, df, ncp in [(508, 39, 400), (300, 39, 400), (700, 39, 400), (2, 1, 0.5), (30, 9, 0), (1e4, 399, 9000)]:
        yield "noncentral_chi_squared.cdf", [x, df, ncp], stats.ncx2.cdf(x, df, ncp)
        yield "noncentral_chi_squared.survival", [x, df, ncp], noncentral_survival(x, df, ncp)
    for p, df, ncp in [(0.95, 39, 400), (0.05, 39, 400), (0.5, 1, 2), (0.95, 399, 1e4), (0.95, 9, 80), (0.001, 9, 80)]:
        yield "noncentral_chi_squared.quantile", [p, df, ncp], stats.ncx2.ppf(p, df, ncp)
        yield "noncentral_chi_squared.upper_quantile", [1 - p, df, ncp], stats.ncx2.ppf(p, df, ncp)
    for a, x in [(0.5, 0.1), (0.5, 9), (20, 12), (20, 50), (3e4, 3.01e4), (1e6, 0.999e6)]:
        yield "incomplete_gamma.lower", [a, x], special.gammainc(a, x)
        yield "incomplete_gamma.upper", [a, x], special.gammaincc(a, x)
    for k, mean in [(0, 3), (7, 3), (200, 200), (260, 200), (1_000_000, 1_000_500)]:
        yield "saddle_point.poisson", [k, mean], poisson(k, mean)
    for k, n, p in [(0, 9, 0.1), (9, 9, 0.3), (3, 9, 0.25), (480, 1000, 0.5), (31_000, 1_000_000, 0.03)]:
        yield "saddle_point.binomial", [k, n, p], binomial(k, n, p)
    for q in [1e-12, 1e-4, 0.025, 0.3, 0.5, 0.9, 0.9995]:
        yield "normal.quantile", [q], stats.norm.ppf(q)
    for z in [-7, -1.96, 0, 0.3, 2.5]:
        yield "normal.cdf", [z], stats.norm.cdf(z)


def noncentral_survival(x, df, ncp):
    """The mixture with forty digits: scipy's is 1 - cdf in part of its range."""
    with mpmath.workdps(40):
        half, y, mean = mpmath.mpf(df) / 2, mpmath.mpf(x) / 2, mpmath.mpf(ncp) / 2
        weight, central, total = mpmath.exp(-mean), mpmath.gammainc(half, y, regularized=True), mpmath.mpf(0)
        step = mpmath.exp(half * mpmath.log(y) - y - mpmath.loggamma(half + 1))
        for j in range(int(mean + 12 * math.sqrt(ncp) + 60)):
            total += weight * central
            weight *= mean / (j + 1)
            central += step
            step *= y / (half + j + 1)
        return float(total)


def poisson(k, mean):
    with mpmath.workdps(40):
        return float(mpmath.exp(k * mpmath.log(mean) - mean - mpmath.loggamma(k + 1)))


def binomial(k, n, p):
    with mpmath.workdps(40):
        return float(mpmath.binomial(n, k) * mpmath.mpf(p) ** k * (1 - mpmath.mpf(p)) ** (n - k))


def intervals():
    for successes, n, confidence in [(30, 200, 0.95), (0, 12, 0.95), (12, 12, 0.9), (3, 1000, 0.99), (410.5, 1e6, 0.95)]:
        low, high = proportion.proportion_confint(successes, n, 1 - confidence, "wilson")
        # Without a success the lower end is zero, of which rounding leaves 3e-17.
        yield "interval.wilson", [successes, n, confidence], [low if successes else 0, high]
    for a, n, b, m, confidence in [(56, 70, 48, 80, 0.95), (9, 10, 3, 10, 0.95), (0, 30, 5, 40, 0.9), (300, 1e4, 250, 1e4, 0.95)]:
        ends = proportion.confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff", alpha=1 - confidence)
        yield "interval.newcombe", [a, n, b, m, confidence], list(ends)


def kolmogorov():
    for x in [0.2, 0.5, 0.8, 0.83, 1.2, 2.0, 5.0]:
        yield "kolmogorov.limit_survival", [x], stats.kstwobign.sf(x)
    for d, n in [
        (0.05, 1000), (0.6, 1), (0.3, 10), (0.12, 10), (0.06, 10), (0.7, 10), (0.95, 10), (0.1, 140), (0.17, 140),
        (0.03, 1000), (0.02, 1000), (0.001, 1000), (0.04, 3000), (0.006, 10_000), (0.002, 200_000), (0.0049, 200_000),
    ]:
        yield "kolmogorov.one_sample_survival", [d, n], float(stats.kstwo.sf(d, n))
    for (d, n) in [(0.05, 1000), (0.04, 1000), (0.1, 150), (0.12, 150), (0.03, 400), (0.35, 20), (0.15, 60)]:
        yield "kolmogorov.one_sample_survival.exact", [d, n], exact_kolmogorov(d, n)
    for n, m in [(20, 30), (50, 50), (150, 101), (900, 1000)]:
        a, b = uniform(n, 1), uniform(m, 2, 1.3)
        found = stats.ks_2samp(a, b, method="exact")
        yield "kolmogorov.two_samples", [a, b], [found.statistic, found.pvalue]
    for n in [5, 60, 500]:
        values = uniform(n, 3, 1.05)
        found = stats.ks_1samp(values, lambda x: numpy.clip(x, 0, 1), method="exact")
        yield "kolmogorov.one_sample", [values], [found.statistic, found.pvalue]


def exact_kolmogorov(d, n):
    """Durbin's matrix (Marsaglia, Tsang & Wang 2003) with 64 bits: the truth, where scipy settles for less.

    All terms are positive, so that nothing is lost but the rounding of each step.
    """
    real = numpy.longdouble
    nd = real(n) * real(d)
    k = int(numpy.ceil(nd))
    h, m = k - nd, 2 * k - 1
    factorial = numpy.cumprod(numpy.concatenate([[real(1)], numpy.arange(1, m + 1, dtype=real)]))
    matrix = numpy.array([[real(0) if i - j + 1 < 0 else 1 / factorial[i - j + 1] for j in range(m)] for i in range(m)])
    for i in range(m):
        matrix[i, 0] -= h ** (i + 1) / factorial[i + 1]
        matrix[m - 1, i] -= h ** (m - i) / factorial[m - i]
    matrix[m - 1, 0] += max(2 * h - 1, real(0)) ** m / factorial[m]
    row = numpy.zeros(m, dtype=real)
    row[k - 1] = 1
    for i in range(1, n + 1):
        row = row @ matrix * i / n
    return float(1 - row[k - 1])


def anderson_darling():
    warnings.simplefilter("ignore")
    for shifts in [(1.0, 1.25), (1.0, 1.1, 1.3), (1.0, 1.02, 1.3, 1.25)]:
        for places in [6, 1]:
            samples = [[round(x, places) for x in uniform(30 + 7 * i, 10 + i, shift)] for i, shift in enumerate(shifts)]
            try:
                found = stats.anderson_ksamp(samples, variant="midrank")
            except TypeError:
                found = stats.anderson_ksamp(samples, midrank=True)
            yield "anderson_darling.k_samples", samples, [found.statistic, found.pvalue]
    for a2 in [0.2, 0.7, 1.933, 2.492, 3.857, 8.0]:
        yield "anderson_darling.limit_survival", [a2], weighted_squares(a2)
    for n in [10, 200]:
        values = uniform(n, 5, 0.97)
        terms = [(2 * i + 1) * (math.log(low) + math.log1p(-high)) for i, (low, high) in enumerate(zip(sorted(values), sorted(values, reverse=True)))]
        yield "anderson_darling.one_sample", [values], [-n - sum(terms) / n, weighted_squares(-n - sum(terms) / n)]


def weighted_squares(a2):
    """P(Σ Z_j²/(j(j+1)) > a2), the limit of A², by inverting its characteristic function (Gil-Pelaez 1951)."""
    nodes, weights = numpy.polynomial.legendre.leggauss(60)
    # The characteristic function falls off as exp(-π sqrt(t)/2), so that nothing is left at t = 700.
    edges = numpy.linspace(0, 700, 701)
    t = ((edges[1:] + edges[:-1])[:, None] + nodes * (edges[1:] - edges[:-1])[:, None]) / 2
    w = numpy.pi / 2 * numpy.sqrt(1 + 8j * t)
    # The square root of -2πit/cos(w), whose logarithm is continuous in this form.
    log = (numpy.log(2 * numpy.pi * t) - 0.5j * numpy.pi + 1j * w - numpy.log((1 + numpy.exp(2j * w)) / 2)) / 2
    integrand = numpy.imag(numpy.exp(log - 1j * t * a2)) / t
    return 0.5 + float((integrand @ weights).sum() / 2 / numpy.pi)


def distances():
    pairs = [([3, 5, 0, 2], [1, 9, 4, 6]), ([0.2, 0.3, 0.5], [0.25, 0.25, 0.5]), (list(range(1, 41)), list(range(40, 0, -1)))]
    for a, b in pairs:
        p, q = numpy.array(a) / sum(a), numpy.array(b) / sum(b)
        n, m = sum(a), sum(b)
        mixed = (p * n + q * m) / (n + m)
        yield "divergence.total_variation", [a, b], distance.cityblock(p, q) / 2
        yield "divergence.jensen_shannon", [a, b], distance.jensenshannon(p, q) ** 2
        yield "divergence.jensen_shannon_pooled", [a, b], (n * stats.entropy(p, mixed) + m * stats.entropy(q, mixed)) / (n + m)
        if min(a + b) > 0:
            yield "divergence.population_stability", [a, b], stats.entropy(p, q) + stats.entropy(q, p)
    for n, m in [(20, 30), (7, 7)]:
        a, b = uniform(n, 1), uniform(m, 2, 1.3)
        weights = uniform(n, 3), uniform(m, 4)
        yield "wasserstein.of_samples", [a, b], stats.wasserstein_distance(a, b)
        yield "wasserstein.of_weighted", [a, weights[0], b, weights[1]], stats.wasserstein_distance(a, b, *weights)


def tests_on_counts():
    for a, b in [([30, 50, 20, 8], [25, 70, 31, 2]), ([500, 0, 13], [430, 6, 9]), (list(range(10, 50)), list(range(50, 10, -1)))]:
        for name, kind in [("contingency.g_of_two", "log-likelihood"), ("contingency.pearson_of_two", "pearson")]:
            found = stats.chi2_contingency([a, b], correction=False, lambda_=kind)
            yield name, [a, b], [found.statistic, found.dof, found.pvalue]
    for observed, expected, fitted in [([18, 30, 12], [20, 25, 15], 0), ([18, 30, 12, 20], [20, 25, 15, 20], 1)]:
        found = stats.chisquare(observed, expected, ddof=fitted)
        yield "contingency.pearson_of_fit", [observed, expected, [fitted]], [found.statistic, len(observed) - 1 - fitted, found.pvalue]


def adjusted():
    for p_values in [[0.001, 0.01, 0.03, 0.04, 0.2], [0.04, 0.9, 0.001, 0.04, 0.0002, 0.5], [0.7], uniform(60, 8)]:
        yield "multiple.benjamini_hochberg", [p_values], list(multitest.multipletests(p_values, method="fdr_bh")[1])
        yield "multiple.holm", [p_values], list(multitest.multipletests(p_values, method="holm")[1])


def least_squares():
    """The dispersion spectrum of four time constants at seven scales, with more and with less of the short ones."""
    constants, scales = [3, 30, 300, 3000], [1, 10, 30, 60, 300, 900, 3600]
    rows = [[2 * c * (1 - (1 - math.exp(-tau / c)) * c / tau) for c in constants] for tau in scales]
    for spectrum in [[1.7, 7.6, 18, 30, 85, 159, 254], [1.0, 1.0, 1.1, 1.3, 3, 8, 20], [5, 5, 5, 5, 5, 5, 5]]:
        targets = [phi - 1 for phi in spectrum]
        yield "nnls.solve", [*rows, targets], list(optimize.nnls(numpy.array(rows), numpy.array(targets))[0])


def uniform(n, seed, power=1.0):
    """Numbers between 0 and 1 that need no generator: the fractional part of a sine, to six digits."""
    return [round(abs(math.modf(math.sin(seed * 1009 + i * 7.13) * 43758.5453)[0]) ** power * 0.999998 + 1e-6, 6) for i in range(n)]


def main():
    found = {
        "source": {
            "scipy": scipy.__version__,
            "statsmodels": statsmodels.__version__,
            "mpmath": mpmath.__version__,
        },
        "cases": [
            {"function": name, "arguments": arguments, "values": numpy.atleast_1d(values).tolist()}
            for name, arguments, values in cases()
        ],
    }
    if "--write" in sys.argv:
        rows = ",\n".join("  " + json.dumps(case) for case in found["cases"])
        FILE.write_text('{"source": ' + json.dumps(found["source"]) + ',\n "cases": [\n' + rows + "\n]}\n")
        return 0
    stored = json.loads(FILE.read_text())
    print("stored", stored["source"], "found", found["source"])
    differing = len(stored["cases"]) != len(found["cases"])
    for old, new in zip(stored["cases"], found["cases"]):
        same = old["function"] == new["function"] and old["arguments"] == json.loads(json.dumps(new["arguments"]))
        if not same or not numpy.allclose(old["values"], new["values"], rtol=SAME, atol=1e-300):
            differing = True
            print("differs:", new["function"], new["arguments"], old["values"], new["values"])
    print(len(found["cases"]), "cases,", "some differ" if differing else "all the same")
    return int(differing)


if __name__ == "__main__":
    sys.exit(main())
