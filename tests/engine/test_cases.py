"""Cases of the normalisations: what they hold, that they replay, and that they can be cut."""

from __future__ import annotations

import functools

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st

from regcheck import cases, shrink
from regcheck.cases import fill
from regcheck.property import Plan

DTYPES = ("float16", "float32", "float64")
FAMILIES = {"layer_norm": cases.layer_norm, "batch_norm": cases.batch_norm}
RECIPES = [
    cases.Recipe(squares="any"),
    cases.Recipe(data="moderate", affine=True),
    cases.Recipe(data="constant", squares="input"),
    cases.Recipe(lengths=(1,), spatial=(1,)),
]
quietly = hypothesis.settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), database=None)


def drawn(family, dtype, recipe=None, **declares):
    return st.one_of(FAMILIES[family](Plan(family, dtype, declares=declares), recipe))


def every(family):
    """Cases of every recipe and dtype."""
    return st.one_of([drawn(family, dtype, recipe) for dtype in DTYPES for recipe in RECIPES])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_case_is_finite_of_its_dtype_and_named_in_all_its_axes(family):
    @quietly
    @hypothesis.given(every(family))
    def holds(case):
        for name, array in case.arrays.items():
            assert array.dtype == case.dtype
            assert np.all(np.isfinite(array)), name
            assert len(case.dims[name]) == array.ndim
        assert case["x"].size <= cases.MANY_ELEMENTS or case.count() == 1
        assert ("scale" in case.arrays) == case.config.affine
        assert case.count() <= max(*cases.ROWS, *cases.MANY_ROWS)

    holds()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_case_can_be_cut_along_every_axis(family):
    @quietly
    @hypothesis.given(every(family), st.randoms(use_true_random=False))
    def holds(case, random):
        for dim, size in case.sizes().items():
            case = shrink.take(case, dim, [random.randrange(size)])
        assert set(case.sizes().values()) == {1}
        assert case.config.channels == 1 if family == "batch_norm" else set(case.config.shape) == {1}

    holds()


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_draws_give_equal_data(family):
    @quietly
    @hypothesis.given(st.data())
    def holds(data):
        seed = data.draw(st.integers(0, 2**32 - 1))
        made = [fill.rows(fill.generator(seed), (5, 7), "float32", 1e-5, fill.MODERATE) for _ in range(2)]
        assert made[0].tobytes() == made[1].tobytes()

    holds()


def kinds(dtype, n=33, count=4000):
    rng = fill.generator(int(np.random.default_rng().integers(2**32)))
    reach = cases.Recipe().reach(Plan("layer_norm", dtype), n)
    return fill.rows(rng, (count, n), dtype, 1e-5, reach).astype(np.longdouble)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_hostile(dtype):
    x = kinds(dtype)
    mean, std = np.abs(x.mean(axis=1)), x.std(axis=1)
    with np.errstate(all="ignore"):
        ratio = mean / std
    assert np.mean(std == 0) > 0.05, "constants"
    assert np.mean(np.all(x == 0, axis=1)) > 0.01, "zeros"
    assert np.mean((x == np.rint(x)).all(axis=1)) > 0.1, "integers"
    assert np.mean(ratio > 5) > 0.15, "mean far above std"
    assert np.mean((std < 0.1) & (std > 0)) > 0.05, "small"
    if dtype != "float16":
        assert np.max(ratio[std > 0]) > 1e3
        assert np.max(np.abs(x)) > 1e10
        assert np.min(np.abs(x)[x != 0]) < 1e-10


@pytest.mark.parametrize(("dtype", "declares", "limit"), [("float16", {}, 65504 / 4), ("float32", {}, 3.5e38 / 4)])
def test_squares_can_be_summed_in_the_type_computed_in(dtype, declares, limit):
    @quietly
    @hypothesis.given(drawn("layer_norm", dtype, **declares))
    def holds(case):
        flat = case["x"].reshape(len(case["x"]), -1).astype(float)
        assert np.all(flat.shape[1] * np.max(flat**2, axis=1) <= limit * 1.01)

    holds()


@pytest.mark.parametrize(
    ("recipe", "declares"), [(cases.Recipe(squares="any"), {}), (cases.Recipe(), {"compute_dtype": "float32"})]
)
def test_half_precision_goes_over_its_whole_range_where_that_is_asked_or_declared(recipe, declares):
    seen = []

    @quietly
    @hypothesis.given(drawn("layer_norm", "float16", recipe, **declares))
    def look(case):
        seen.append(float(np.max(np.abs(case["x"]))))

    look()
    assert max(seen) > 1000


def test_one_value_per_group_is_drawn_where_it_gives_the_shift():
    sizes = functools.partial(cases.Recipe().sizes)
    assert 1 in sizes(Plan("layer_norm", "float32"))
    assert 1 not in sizes(Plan("layer_norm", "float32", declares={"single_value_batch": "error"}))
    assert 1 not in cases.Recipe(least=2).sizes(Plan("layer_norm", "float32"))


def test_parameters_are_distinct_and_never_neutral():
    rng = fill.generator(int(np.random.default_rng().integers(2**32)))
    made = fill.parameters(rng, (100,), "float32")
    assert len(set(made["scale"].tolist())) > 90
    assert not np.any(made["scale"] == 1)
    assert np.any(made["scale"] < 0)
    assert not np.any(made["scale"] == 0)


def test_batches_of_a_sequence_differ_in_size():
    seen = set()

    @quietly
    @hypothesis.given(drawn("batch_norm", "float32"))
    def look(case):
        seen.add(len(case["x"]) == len(case["x2"]))

    look()
    assert False in seen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_rows_are_what_they_are_called(dtype):
    rng = fill.generator(int(np.random.default_rng().integers(2**32)))
    largest = float(np.finfo(dtype).max)
    lost, large = fill.lost_rows(rng, (200, 5), dtype), fill.overflowing_rows(rng, (20_000, 5), dtype)
    with np.errstate(over="ignore"):
        assert np.mean(np.isinf(np.square(large).sum(axis=1))) > 0.9
    assert np.all(np.abs(large) <= largest / 8)
    assert np.all(np.ptp(lost, axis=1) <= 200 * np.finfo(dtype).eps * np.abs(lost).max(axis=1))
