"""Every bound is the formula of its derivation, term by term, written here a second time with plain numbers.

u and η are made so large that no term is lost in the rounding of another.
"""

from __future__ import annotations

import math
import types

import numpy as np
import pytest

from regcheck import bounds
from regcheck.bounds import Arithmetic, Standard
from regcheck.reference.normalisation import normalise, with_statistics
from regcheck.reference.penalties import Strengths, sums

RNG = np.random.default_rng()  # the data is new each time; a formula holds on all of it
CLOSE = 1e-12
EPS = 0.3
AR = Arithmetic(u=0.011, u_out=0.023, eta=0.0017, eta_out=0.00031)
U, UO, ETA, ETAO = AR.u, AR.u_out, AR.eta, AR.eta_out


def numbers(*shape: int) -> np.ndarray:
    """Of both signs, none near 0."""
    return RNG.uniform(0.5, 2.0, shape) * RNG.choice([-1.0, 1.0], shape)


def same(found: np.ndarray, expected: object) -> None:
    wanted = np.asarray(expected, float)
    assert np.asarray(found, float) == pytest.approx(np.broadcast_to(wanted, np.shape(found)), rel=CLOSE, abs=0)


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def group(x: np.ndarray) -> tuple[float, float, float, list[float], float]:
    """(mean, variance, s, z, mean |x|) of some values."""
    values = x.tolist()
    mu = mean(values)
    var = mean([(v - mu) ** 2 for v in values])
    s = 1 / math.sqrt(var + EPS)
    return mu, var, s, [(v - mu) * s for v in values], mean([abs(v) for v in values])


def relative(n: int, s: float, lost: float = 0.0) -> float:
    return (n / 2 + 8) * U + lost**2 / 2 + 2 * ETA * s**2


def absolute(n: int, a: float, z: float, s: float, off: float) -> float:
    return U * (n + 3) * a + abs(z) * off + ETA * ((n + 4) * s + 4)


def limit(x: np.ndarray, s: float) -> float:
    n, peak = len(x), max(abs(v) for v in x.tolist())
    _, var, _, _, size = group(x)
    if 0 < math.sqrt(var) <= max(math.sqrt(2) * U * peak, math.sqrt(12 * (n + 2) * U) * n * U * size):
        return math.inf
    once = U * n * size * s + 4 * U * peak * s
    return math.sqrt(n) * (1 + (n / 2 + 8) * U + UO) + once + ETA * (n + 8) * s + ETAO


@pytest.mark.parametrize("apart", [0.01, 0.06, 1.0])
def test_the_limit_claims_nothing_where_a_right_variance_may_be_lost(apart: float) -> None:
    x = np.array([[2.0, 2.0 + apart, 2.0]])
    found = bounds.standard(normalise(x, (1,), EPS), AR).limit[0]
    same(found, limit(x[0], group(x[0])[2]))
    assert np.isinf(found).all() == (apart < 1)


def test_a_value_standardised_by_its_own_group() -> None:
    x = numbers(3, 5)
    found = bounds.standard(normalise(x, (1,), EPS), AR)
    for i, row in enumerate(x):
        _, var, s, z, size = group(row)
        lost = 6 * U * size * s
        off = relative(5, s, lost)
        same(found.a[i], size * s)
        same(found.s[i], off + lost * math.sqrt(var) * s)
        same(found.z[i], [absolute(5, size * s, value, s, off) for value in z])
        same(found.limit[i], limit(row, s))


def uncentred(x: np.ndarray) -> tuple[float, list[float]]:
    """(s, z) of some values from which no mean is subtracted."""
    s = 1 / math.sqrt(mean([v * v for v in x.tolist()]) + EPS)
    return s, [v * s for v in x.tolist()]


def test_a_value_divided_by_the_root_mean_square_of_its_group() -> None:
    x = numbers(3, 5)
    found = bounds.standard(normalise(x, (1,), EPS, centred=False), AR)
    for i, row in enumerate(x):
        s, z = uncentred(row)
        off = relative(5, s, 6 * U)
        same(found.s[i], off)
        same(found.z[i], [absolute(4, 0.0, value, s, off) for value in z])
        same(found.limit[i], math.sqrt(5) * (1 + 8 * U + 2 * ETA * s**2 + UO) + ETA * (8 * s + 4) + ETAO)
    assert not found.a.any()


@pytest.mark.parametrize(("n", "judged"), [(3, True), (4, False), (5, False)])
def test_without_a_mean_the_length_alone_says_where_accuracy_can_be_claimed(n: int, judged: bool) -> None:  # noqa: FBT001
    far = normalise(np.full((1, n), 1e6), (1,), EPS, centred=False)
    assert bounds.standard(far, Arithmetic(0.05, 0.05, 0, 0)).judged.tolist() == [[judged] * n]


def test_a_value_standardised_by_a_group_whose_sums_are_exact() -> None:
    x = numbers(3, 7)
    found = bounds.standard_exact(normalise(x, (1,), EPS), AR)
    for i, row in enumerate(x):
        _, _, s, z, size = group(row)
        same(found.a[i], size * s)
        same(found.s[i], relative(4, s))
        same(found.z[i], [absolute(4, size * s, value, s, relative(4, s)) for value in z])
        same(found.limit[i], limit(row, s))


def test_a_value_standardised_by_recorded_statistics() -> None:
    x, mu, var = numbers(3, 5), numbers(3, 1), RNG.uniform(0.5, 2, (3, 1))
    norm = with_statistics(x, np.longdouble(mu), np.longdouble(var), (1,), EPS)
    found = bounds.standard_recorded(norm, AR)
    for i in range(3):
        s = 1 / math.sqrt(var[i, 0] + EPS)
        a = [(abs(v) + abs(mu[i, 0])) * s for v in x[i].tolist()]
        same(found.a[i], a)
        same(found.s[i], relative(4, s))
        z = [(v - mu[i, 0]) * s for v in x[i].tolist()]
        same(found.z[i], [absolute(4, *each, s, relative(4, s)) for each in zip(a, z, strict=True)])
    assert np.all(np.isposinf(found.limit))


@pytest.mark.parametrize(("u", "judged"), [(0.124, True), (0.125, False), (0.126, False)])
def test_accuracy_can_be_claimed_while_less_than_a_quarter_is_lost(u: float, judged: bool) -> None:  # noqa: FBT001
    alone = normalise(np.ones((1, 1)), (1,), 1.0)  # n = 1, s = 1, A = 1: 2uA is lost
    assert bounds.standard(alone, Arithmetic(u, u, 0, 0)).judged.tolist() == [[judged]]


@pytest.mark.parametrize(("u", "judged"), [(0.0499, True), (0.05, False), (0.0501, False)])
def test_where_no_sum_rounds_five_roundings_may_not_lose_a_quarter(u: float, judged: bool) -> None:  # noqa: FBT001
    alone, ar = normalise(np.ones((1, 1)), (1,), 1.0), Arithmetic(u, u, 0, 0)
    assert bounds.standard_exact(alone, ar).judged.tolist() == [[judged]]
    zero, one = np.zeros((1, 1), np.longdouble), np.ones((1, 1), np.longdouble)
    recorded = with_statistics(np.ones((1, 1)), zero, zero, (1,), 1.0)
    assert bounds.standard_recorded(recorded, ar).judged.tolist() == [[judged]]
    shifted = with_statistics(np.zeros((1, 1)), one, zero, (1,), 1.0)
    assert bounds.standard_recorded(shifted, ar).judged.tolist() == [[judged]]


@pytest.mark.parametrize("scaled", [True, False])
def test_the_affine_map(scaled: bool) -> None:  # noqa: FBT001
    z, b, y, scale = numbers(4), RNG.uniform(0.5, 2, 4), numbers(4), numbers(4)
    found = bounds.affine(Standard(b, b, b, b > 0, b), z, y, AR, scale if scaled else None)
    gamma = np.abs(scale).tolist() if scaled else [1.0] * 4
    same(
        found,
        [gamma[i] * (b[i] + 2 * U * abs(z[i])) + (U + UO) * abs(y[i]) + (1 + gamma[i]) * ETA + ETAO for i in range(4)],
    )


def test_the_gradient_of_the_input() -> None:
    x, g, b, off = numbers(3, 5), numbers(3, 5), RNG.uniform(0.5, 2, (3, 5)), RNG.uniform(0.1, 0.2, (3, 1))
    norm = normalise(x, (1,), EPS)
    found = bounds.input_gradient(norm, Standard(b, off, b, b > 0, b), g, AR)
    for i in range(3):
        _, _, s, z, size = group(x[i])
        gs = g[i].tolist()
        m1, m2 = mean(gs), mean([p * q for p, q in zip(gs, z, strict=True)])
        dm1 = 9 * U * mean([abs(p) for p in gs])
        dm2 = 9 * U * mean([abs(p * q) for p, q in zip(gs, z, strict=True)])
        dm2 += 2 * mean([abs(p) * q for p, q in zip(gs, b[i].tolist(), strict=True)])
        moved = mean([abs(p * q) / s for p, q in zip(gs, z, strict=True)])
        expected = []
        for j in range(5):
            dx = s * (gs[j] - m1 - z[j] * m2)
            lost = dm1 + (abs(z[j]) + b[i, j]) * dm2 + 2 * abs(m2) * b[i, j]
            lost += (4 * U + off[i, 0]) * (abs(gs[j]) + abs(m1) + abs(z[j] * m2))
            tiny = ETA * (9 * s + 4 + 4 * (abs(x[i, j]) + size)) + ETAO + 2 * ETA * abs(z[j]) / s * moved
            expected.append(s * lost + UO * abs(dx) + tiny)
        same(found[i], expected)


def test_the_gradient_of_the_input_from_which_no_mean_is_subtracted() -> None:
    x, g, b, off = numbers(3, 5), numbers(3, 5), RNG.uniform(0.5, 2, (3, 5)), RNG.uniform(0.1, 0.2, (3, 1))
    norm = normalise(x, (1,), EPS, centred=False)
    found = bounds.input_gradient(norm, Standard(b, off, b, b > 0, b), g, AR)
    for i in range(3):
        (s, z), gs = uncentred(x[i]), g[i].tolist()
        m2 = mean([p * q for p, q in zip(gs, z, strict=True)])
        dm2 = 9 * U * mean([abs(p * q) for p, q in zip(gs, z, strict=True)])
        dm2 += mean([abs(p) * q for p, q in zip(gs, b[i].tolist(), strict=True)])
        moved = mean([abs(p * q) for p, q in zip(gs, x[i].tolist(), strict=True)])
        expected = []
        for j in range(5):
            lost = (abs(z[j]) + b[i, j]) * dm2 + abs(m2) * b[i, j]
            lost += (4 * U + off[i, 0]) * (abs(gs[j]) + abs(z[j] * m2))
            tiny = ETA * (9 * s + 4 + 4 * abs(x[i, j]) + 2 * abs(x[i, j]) * moved) + ETAO
            expected.append(s * lost + UO * abs(s * (gs[j] - z[j] * m2)) + tiny)
        same(found[i], expected)


def test_the_gradient_of_the_input_of_recorded_statistics() -> None:
    x, dx, gamma, off = numbers(1, 5), numbers(5), numbers(5), RNG.uniform(0.1, 0.2, 5)
    norm, standard = normalise(x, (1,), EPS), Standard(off, off, off, off > 0, off)
    s = group(x[0])[2]
    for scale in (None, gamma):
        found = bounds.recorded_gradient(norm, standard, dx, AR, scale)[0]
        tiny = [ETA * (3 + (1 + (1 if scale is None else abs(scale[i]))) * s) + ETAO for i in range(5)]
        same(found, [abs(dx[i]) * (off[i] + 3 * U + UO) + tiny[i] for i in range(5)])


def test_the_gradients_of_scale_and_shift_are_bounded_by_sums_over_the_other_axes() -> None:
    x, dy, b, a = numbers(4, 3, 2), numbers(4, 3, 2), RNG.uniform(0.5, 2, (4, 3, 2)), RNG.uniform(0.5, 2, (4, 3, 2))
    norm = normalise(x, (1,), EPS)
    z = np.asarray(norm.z, float)
    scale = bounds.scale_gradient(norm, Standard(b, b, a, b > 0, b), dy, (0, 2), AR)
    shift = bounds.shift_gradient(dy, (0, 2), AR)
    for j in range(3):
        at = [(i, j, k) for i in range(4) for k in range(2)]
        lost = math.fsum(abs(dy[p]) * (10 * U * (abs(z[p]) + 2 * a[p]) + b[p]) for p in at)
        same(scale[j], lost + UO * abs(math.fsum(dy[p] * z[p] for p in at)) + 10 * ETA + ETAO)
        size = math.fsum(abs(dy[p]) for p in at)
        same(shift[j], 8 * U * size + UO * abs(math.fsum(dy[p] for p in at)) + ETAO)


def test_running_statistics() -> None:
    x, old, weight, factor = numbers(5, 3), numbers(3), 0.3, 1.25
    norm = normalise(x, (0,), EPS)
    means = bounds.running_mean(norm, old, weight, AR)
    variances = bounds.running_variance(norm, old, weight, factor, AR)
    for j in range(3):
        mu, var, _, _, size = group(x[:, j])
        tiny = 4 * (ETA + ETAO)
        same(means[j], weight * 6 * U * size + 4 * (U + UO) * (abs(old[j]) + abs(mu)) + tiny)
        delta = 6 * U * size
        own = 9 * U * var + delta**2 + delta * math.sqrt(var) + 3 * ETA
        same(variances[j], weight * factor * own + 4 * (U + UO) * (abs(old[j]) + factor * var) + tiny)


L1, L2 = 0.7, 0.4


def test_the_value_of_a_penalty() -> None:
    w = numbers(2, 5)
    found = bounds.penalty_value(Strengths(L1, L2), sums(w), AR)
    argument = bounds.penalty_argument(Strengths(L1, L2), sums(w), AR)
    for i, row in enumerate(w.tolist()):
        size, squares, peak = math.fsum(map(abs, row)), math.fsum(v * v for v in row), max(map(abs, row))
        linear, quadratic = 8 * U / (1 - 8 * U), 12 * U / (1 - 12 * U)
        tiny = ETA * 6 * (1 + L1 + L2 + peak) + ETAO
        same(found[i], linear * L1 * size + quadratic * L2 * squares + tiny)
        moved = UO * (L1 * size + 2.1 * L2 * squares)
        same(argument[i], moved + ETAO * 5 * (L1 + 2.1 * L2 * peak))


@pytest.mark.parametrize(("u", "finite"), [(1 / 17, True), (1 / 12, False), (1 / 9, False)])
def test_a_sum_so_long_that_every_digit_is_lost_has_no_bound(u: float, finite: bool) -> None:  # noqa: FBT001
    sum_of_five = sums(np.ones((1, 5)))  # (n + 7)u reaches 1 at u = 1/12
    found = bounds.penalty_value(Strengths(1.0, 1.0), sum_of_five, Arithmetic(u, u, 0, 0))
    assert np.isfinite(found).all() == finite


def test_the_gradient_of_a_penalty() -> None:
    w = numbers(5)
    length = math.sqrt(math.fsum(v * v for v in w.tolist()))
    tiny = ETA * (2 + 4 * L2 * (1 + length)) + ETAO
    found = bounds.penalty_gradient(Strengths(L1, L2), w, AR)
    same(found, [4 * U * L1 + 6 * U * 2 * L2 * abs(v) + tiny for v in w.tolist()])


@pytest.mark.parametrize("step", [0.1, 3.0])
def test_a_proximal_map(step: float) -> None:
    w, prox = numbers(5), numbers(5)
    t, d = step * L1, 1 + 2 * step * L2
    found = bounds.penalty_prox(Strengths(L1, L2), step, w, prox, AR)
    same(
        found,
        [
            3 * U * min(t, abs(v) + 3 * U * t) / d + 8 * U * abs(p) + 4 * ETA + ETAO
            for v, p in zip(w.tolist(), prox.tolist(), strict=True)
        ],
    )


def test_what_a_minimiser_may_miss() -> None:
    a, b = numbers(2, 4, 3), numbers(2, 4)
    unit = 2.0**-53
    excess = bounds.minimiser_excess(1e-16, a, b)
    blur = bounds.correlation_blur(a, b, L1)
    for i in range(2):
        half = math.fsum(v * v for v in b[i].tolist()) / 2
        same(excess[i], (1e-16 + 4 * (4 + 3 + 4) * unit) * half)
        for j in range(3):
            size = math.fsum(abs(a[i, k, j] * b[i, k]) for k in range(4))
            same(blur[i, j], 8 * unit * (size + L1))
    same(bounds.minimiser_excess(1e-16, a[0], b[0]), excess[0])
    assert pytest.approx(2.0**-26.5, rel=CLOSE, abs=0) == bounds.TOLERANCE


def test_how_far_an_excess_may_reach() -> None:
    e, h = RNG.uniform(0.5, 2, 4), RNG.uniform(0.5, 2, 4)
    root = [math.sqrt(2 * p / q) for p, q in zip(e.tolist(), h.tolist(), strict=True)]
    same(bounds.coordinate_step(e, h), root)
    same(bounds.minimiser_distance(e, h), root)
    same(bounds.strength_slack(e, 0.3), [2 * v / 0.3 for v in e.tolist()])


FINFO = {"float16": (2.0**-11, 2.0**-24, 2.0**-14), "float32": (2.0**-24, 2.0**-149, 2.0**-126)}
FINFO |= {"float64": (2.0**-53, 2.0**-1074, 2.0**-1022)}


@pytest.mark.parametrize("dtype", FINFO)
@pytest.mark.parametrize("subnormals", ["kept", "flushed"])
@pytest.mark.parametrize("compute", ["input", "float32"])
def test_the_arithmetic_of_a_dtype(dtype: str, subnormals: str, compute: str) -> None:
    own, wider = FINFO[dtype], FINFO["float32"] if (dtype, compute) == ("float16", "float32") else FINFO[dtype]
    which = 1 if subnormals == "kept" else 2
    declared = {"compute_dtype": compute, "subnormals": subnormals}
    layers = types.SimpleNamespace(declared=declared.__getitem__)
    found = bounds.declared_arithmetic(layers, dtype)
    oracle = float(np.finfo(np.longdouble).eps) / 2 if dtype == "float64" else 2.0**-53
    assert found == Arithmetic(wider[0] + oracle, own[0] + oracle, wider[which], own[which])
