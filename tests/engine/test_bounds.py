"""Errors of straightforward NumPy normalisations stay within their bounds on hostile data; bad algorithms do not."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import bounds, cases, reference
from regcheck.cases import fill
from regcheck.property import Plan
from regcheck.reference import precision
from regcheck.reference.normalisation import input_gradient, normalise

DTYPES = ("float16", "float32", "float64")
LENGTHS = (2, 3, 5, 8, 17, 33, 128)
ROWS = 400
EPS = (1e-5, 1e-2)


def summed(x):
    """Sums from left to right, the order with the largest errors."""
    total = x[:, :1].copy()
    for k in range(1, x.shape[1]):
        total += x[:, k : k + 1]
    return total


def two_pass(x, eps):
    n = x.dtype.type(x.shape[1])
    mean = summed(x) / n
    var = summed((x - mean) ** 2) / n
    return mean, var, 1 / np.sqrt(var + x.dtype.type(eps))


def pairwise(x, eps):
    mean = x.mean(axis=1, keepdims=True)
    var = ((x - mean) ** 2).mean(axis=1, keepdims=True)
    return mean, var, 1 / np.sqrt(var + x.dtype.type(eps))


def welford(x, eps):
    mean, squares = x[:, :1].copy(), np.zeros_like(x[:, :1])
    for k in range(1, x.shape[1]):
        step = x[:, k : k + 1] - mean
        mean = mean + step / x.dtype.type(k + 1)
        squares = squares + step * (x[:, k : k + 1] - mean)
    var = squares / x.dtype.type(x.shape[1])
    return mean, var, 1 / np.sqrt(var + x.dtype.type(eps))


def one_pass(x, eps):
    n = x.dtype.type(x.shape[1])
    mean = summed(x) / n
    var = np.maximum(summed(x * x) / n - mean * mean, 0)
    return mean, var, 1 / np.sqrt(var + x.dtype.type(eps))


def subtracted(x, mean, s, gamma, beta):
    return (x - mean) * s * gamma + beta


def folded(x, mean, s, gamma, beta):
    k = gamma * s
    return x * k + (beta - mean * k)


def batches(dtype):
    """Yield (rng, x, eps): some hundreds of hostile rows of each length."""
    rng = fill.generator(int(np.random.default_rng().integers(2**32)))
    for n in LENGTHS:
        for eps in EPS:
            reach = cases.Recipe().reach(Plan("layer_norm", dtype), n)
            yield rng, fill.rows(rng, (ROWS, n), dtype, eps, reach), eps


def over(observed, exact, bound):
    with np.errstate(all="ignore"):
        error = np.abs(observed.astype(exact.dtype) - exact) / bound
    return np.where(np.isnan(error), np.inf, error)


def worst(dtype, statistics, apply):
    """(largest error/bound, share of rows beyond the bound) of y."""
    ratios, ar = [], bounds.arithmetic(dtype)
    for rng, x, eps in batches(dtype):
        gamma, beta = fill.parameters(rng, x.shape, dtype).values()
        norm = normalise(x, (1,), eps)
        standard = bounds.standard(norm, ar)
        exact = reference.widen(gamma) * norm.z + reference.widen(beta)
        bound = bounds.affine(standard, norm.z, exact, ar, gamma)
        with np.errstate(all="ignore"):
            mean, _, s = statistics(x, eps)
            y = apply(x, mean, s, gamma, beta)
        ratios.append(np.max(np.where(standard.judged, over(y, exact, bound), 0), axis=1))
    joined = np.concatenate(ratios)
    return float(joined.max()), float(np.mean(joined > 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistics", [two_pass, pairwise, welford])
def test_a_right_output_stays_within_its_bound_and_not_far_below(dtype, statistics):
    peak, _ = worst(dtype, statistics, subtracted)
    assert 0.05 < peak < 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_folded_output_stays_within_its_bound(dtype):
    peak, _ = worst(dtype, two_pass, folded)
    assert 0.05 < peak < 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_variance_of_one_pass_is_flagged_in_a_tenth_of_all_rows(dtype):
    peak, share = worst(dtype, one_pass, subtracted)
    assert peak > 100
    assert share > 0.1


def shifted(x, eps):
    n, d = x.dtype.type(x.shape[1]), x - x[:, :1]
    mean = summed(d) / n
    var = np.maximum(summed(d * d) / n - mean * mean, 0)
    return x[:, :1] + mean, var, 1 / np.sqrt(var + x.dtype.type(eps))


def test_a_pass_shifted_by_the_first_value_is_not_covered_and_errs_by_how_far_out_that_is():
    ar, n, eps = bounds.arithmetic("float32"), 128, 1e-5
    x = np.random.default_rng().standard_normal((ROWS, n)).astype("float32")
    x[:, 0] += np.geomspace(1, 1e4, ROWS)  # D/σ comes near √n
    norm = normalise(x, (1,), eps)
    standard = bounds.standard(norm, ar)
    mean, _, s = shifted(x, eps)
    z = (x - mean) * s
    spread = np.sqrt(norm.var + (norm.x[:, :1] - norm.mean) ** 2) * norm.s
    more = (n + 2) * ar.u * (1.5 * spread**2 * np.abs(norm.z) + spread)
    assert np.max(over(z, norm.z, standard.z)) > 1
    assert np.max(over(z, norm.z, standard.z + more)) < 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistics", [two_pass, welford])
def test_right_gradients_stay_within_their_bounds(dtype, statistics):
    ar, peaks = bounds.arithmetic(dtype), []
    for rng, x, eps in batches(dtype):
        dy = fill.cotangent(rng, x.shape, dtype)
        gamma = fill.parameters(rng, x.shape[1:], dtype)["scale"]
        norm = normalise(x, (1,), eps)
        standard, n = bounds.standard(norm, ar), x.dtype.type(x.shape[1])
        with np.errstate(all="ignore"):
            mean, _, s = statistics(x, eps)
            z, g = (x - mean) * s, dy * gamma
            dx = s * (g - summed(g) / n - z * (summed(g * z) / n))
        wide = reference.widen(dy)
        wide_g = wide * reference.widen(gamma)
        limit = bounds.input_gradient(norm, standard, wide_g, ar)
        peaks.append(np.max(np.where(standard.judged, over(dx, input_gradient(norm, wide_g), limit), 0)))
        rows = np.all(standard.judged, axis=1)
        kept = normalise(x[rows], (1,), eps)
        dgamma, dbeta = summed((dy * z)[rows].T).ravel(), summed(dy[rows].T).ravel()
        exact = np.sum(wide[rows] * kept.z, axis=0), np.sum(wide[rows], axis=0)
        limits = (
            bounds.scale_gradient(kept, bounds.standard(kept, ar), wide[rows], (0,), ar),
            bounds.shift_gradient(wide[rows], (0,), ar),
        )
        peaks += [np.max(over(a, b, c)) for a, b, c in zip((dgamma, dbeta), exact, limits, strict=True)]
    assert 0.01 < max(peaks) < 1


def test_a_chain_rule_whose_cube_of_s_underflows_stays_within_its_bound():
    peaks, ar, eps = [], bounds.arithmetic("float32"), 1e-5
    rng = np.random.default_rng()
    for n in LENGTHS:
        x = (rng.standard_normal((ROWS, n)) * 10.0 ** rng.uniform(14, 15, (ROWS, 1))).astype("float32")
        g = rng.standard_normal(x.shape).astype("float32")
        norm = normalise(x, (1,), eps)
        mean, _, s = two_pass(x, eps)
        d = x - mean
        variance = summed(g * d) * (-s * s * s / 2)
        dx = g * s + variance * (2 * d / x.dtype.type(n)) - s * summed(g) / x.dtype.type(n)
        wide = reference.widen(g)
        limit = bounds.input_gradient(norm, bounds.standard(norm, ar), wide, ar)
        peaks.append(np.max(over(dx, input_gradient(norm, wide), limit)))
    assert 0.3 < max(peaks) < 1


def test_a_gradient_in_inference_stays_within_its_bound_where_its_first_product_underflows():
    ar, rng, eps = bounds.arithmetic("float16"), np.random.default_rng(), 1e-5
    x = rng.standard_normal((1, 1000)).astype("float16")
    dy, gamma = (rng.standard_normal(x.shape) * 1e-7).astype("float16"), rng.uniform(0.5, 2, x.shape).astype("float16")
    mean, var = np.zeros((1, 1)), np.zeros((1, 1))
    norm = reference.normalisation.with_statistics(x, mean, var, (1,), eps)
    dx = (dy * gamma) * (1 / np.sqrt(var.astype("float16") + np.float16(eps)))
    exact = reference.widen(dy) * reference.widen(gamma) * norm.s
    limit = bounds.recorded_gradient(norm, bounds.standard_recorded(norm, ar), exact, ar)
    assert 0.2 < np.max(over(dx, exact, limit)) < 1


def test_a_gradient_in_inference_stays_within_its_bound_where_its_cotangent_is_flushed():
    ar, rng, eps = bounds.arithmetic("float16", subnormals="flushed"), np.random.default_rng(), 1e-2
    normal = np.finfo("float16").smallest_normal
    dy = rng.uniform(-2 * normal, 2 * normal, (1, 1000)).astype("float16")
    gamma = rng.uniform(0.5, 8, dy.shape).astype("float16")
    norm = reference.normalisation.with_statistics(dy, np.zeros((1, 1)), np.zeros((1, 1)), (1,), eps)
    kept = np.where(np.abs(dy) < normal, 0, dy).astype("float16")
    dx = kept * gamma * (1 / np.sqrt(np.float16(eps)))
    exact = reference.widen(dy) * reference.widen(gamma) * norm.s
    standard = bounds.standard_recorded(norm, ar)
    errors = [np.max(over(dx, exact, bounds.recorded_gradient(norm, standard, exact, ar, g))) for g in (gamma, None)]
    assert 0.2 < errors[0] < 1 < errors[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistics", [two_pass, pairwise, welford])
def test_right_running_statistics_stay_within_their_bounds(dtype, statistics):
    ar, peaks, weight = bounds.arithmetic(dtype), [], 0.1
    w = np.dtype(dtype).type(1) - np.dtype(dtype).type(1 - weight)
    for rng, x, eps in batches(dtype):
        recorded = fill.statistics(rng, len(x), dtype)
        old = reference.batch_norm.running(*recorded.values())
        norm = normalise(np.ascontiguousarray(x.T), (0,), eps)
        m = norm.n
        with np.errstate(all="ignore"):
            mean, var, _ = statistics(x, eps)
            new = mean.ravel(), var.ravel() * x.dtype.type(m / (m - 1))
            seen = [(1 - w) * before + w * now for before, now in zip(recorded.values(), new, strict=True)]
        exact = reference.batch_norm.update(old, norm, weight, unbiased=True)
        mean_bound = bounds.running_mean(norm, old.mean, weight, ar)
        var_bound = bounds.running_variance(norm, old.var, weight, m / (m - 1), ar)
        judged = (m + 1) * ar.u * norm.magnitude.ravel() * norm.s.ravel() < 1 / 4
        peaks.append(np.max(over(seen[0], exact.mean, mean_bound)))
        peaks.append(np.max(np.where(judged, over(seen[1], exact.var, var_bound), 0)))
    assert 0.05 < max(peaks) < 1


def corrected(x, eps):
    n = x.dtype.type(x.shape[1])
    mean = summed(x) / n
    var = np.maximum(summed((x - mean) ** 2) - summed(x - mean) ** 2 / n, 0) / n
    return mean, var, 1 / np.sqrt(var + x.dtype.type(eps))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_all_digits_are_lost_right_algorithms_keep_the_limit_and_one_pass_does_not(dtype):
    ar, peaks = bounds.arithmetic(dtype), {f: [] for f in (two_pass, pairwise, welford, corrected, one_pass)}
    rng = fill.generator(int(np.random.default_rng().integers(2**32)))
    for n in LENGTHS:
        x = fill.lost_rows(rng, (ROWS, n), dtype)
        norm = normalise(x, (1,), 1e-5)
        standard = bounds.standard(norm, ar)
        for statistics, found in peaks.items():
            mean, _, s = statistics(x, 1e-5)
            seen = np.abs(((x - mean) * s).astype(norm.z.dtype)) / standard.limit
            found.append(np.max(np.where(standard.judged, 0, seen)))
    assert max(peaks.pop(one_pass)) > 100
    assert all(max(found) < 1 for found in peaks.values())


def test_nothing_is_claimed_of_long_rows_whose_corrected_variance_is_lost():
    ar, x = bounds.arithmetic("float32"), np.full((2, 4097), 1e7, "float32")
    x[:, ::2] += np.array([[3], [3000]], "float32")
    lost, kept = bounds.standard(normalise(x, (1,), 1e-5), ar).limit.ravel()
    assert lost == np.inf
    assert kept < np.inf


def test_nothing_is_claimed_of_neighbouring_numbers_whose_variance_merged_runs_lose():
    ar, x = bounds.arithmetic("float32"), np.array([[1, 1, 3, 2, 2, 2, 2, 2]], "float32") + np.float32(1e7)
    runs = [welford(x[:, i::4], 1e-5) for i in range(4)]
    assert all(mean[0] == x[0, -1] and var[0] == 0 for mean, var, _ in runs)
    assert np.all(bounds.standard(normalise(x, (1,), 1e-5), ar).limit == np.inf)


def test_nothing_is_claimed_of_neighbouring_numbers_whose_variance_welford_loses():
    ar, x = bounds.arithmetic("float32"), np.array([[1e7 + 1, 1e7 + 2], [1e7, 1e7 + 3], [1e7, 1e7]], "float32")
    mean, var, _ = welford(x, 1e-5)
    assert mean[0] == x[0, 1]
    assert var[0] == 0
    assert np.isfinite(bounds.standard(normalise(x, (1,), 1e-5), ar).limit).ravel().tolist() == [False, True, True]


def test_recorded_statistics_bound_both_forms_of_inference():
    for dtype in ("float32", "float64"):
        ar = bounds.arithmetic(dtype)
        for rng, x, eps in batches(dtype):
            mean, var = (v[:, np.newaxis] for v in fill.statistics(rng, len(x), dtype).values())
            gamma, beta = fill.parameters(rng, (len(x), 1), dtype).values()
            wide = (reference.widen(v) for v in (mean, var))
            norm = reference.normalisation.with_statistics(x, *wide, (1,), eps)
            standard = bounds.standard_recorded(norm, ar)
            y = reference.widen(gamma) * norm.z + reference.widen(beta)
            bound = bounds.affine(standard, norm.z, y, ar, gamma)
            s = 1 / np.sqrt(var + x.dtype.type(eps))
            for apply in (subtracted, folded):
                assert np.max(over(apply(x, mean, s, gamma, beta), y, bound)) < 1


def test_float16_computed_in_float32_is_held_to_a_narrower_bound():
    wide, narrow = bounds.arithmetic("float16"), bounds.arithmetic("float16", "float32")
    assert narrow.u < wide.u / 1000
    assert narrow.u_out == wide.u_out
    assert bounds.arithmetic("float32", "float32") == bounds.arithmetic("float32")


def test_flushed_subnormals_widen_what_underflows_alone():
    kept, flushed = bounds.arithmetic("float32"), bounds.arithmetic("float32", subnormals="flushed")
    assert (flushed.u, flushed.u_out) == (kept.u, kept.u_out)
    assert flushed.eta == float(np.finfo("float32").smallest_normal) > kept.eta


def test_an_oracle_no_wider_than_the_layer_adds_its_own_error(monkeypatch):
    before = bounds.arithmetic("float64")
    monkeypatch.setattr(precision.np, "longdouble", np.float64)
    after = bounds.arithmetic("float64")
    assert after.u == pytest.approx(2 * 2.0**-53)
    assert before.u < after.u


def test_an_ill_conditioned_group_is_labelled():
    ar = bounds.arithmetic("float32")
    x = np.array([[1e7, 1e7 + 1, 1e7 + 2], [1.0, 2.0, 3.0]], "float32")
    standard = bounds.standard(normalise(x, (1,), 1e-5), ar)
    assert standard.judged.tolist() == [[False] * 3, [True] * 3]


def test_a_sum_that_is_exact_is_held_to_a_bound_that_does_not_grow_with_its_length():
    ar = bounds.arithmetic("float32")
    norms = [normalise(np.full((1, n), 3.0, "float32"), (1,), 1e-2) for n in (2, 128)]
    short, long = (bounds.standard_exact(norm, ar).z for norm in norms)
    assert long.max() < 2 * short.max()
    assert bounds.standard(norms[1], ar).z.max() > 10 * long.max()
