"""The NumPy layers: the plain protocol, dropout, penalties and minimisers (`test_numpy_norms.py`: normalisations)."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck.families import MinimiserConfig
from regcheck.implementation import implementations_in
from regcheck.numpy_layers import dropout as dropout_module
from regcheck.numpy_layers.batch_norm import BatchNorm
from regcheck.numpy_layers.dropout import ChannelDropout, Dropout, DropPath
from regcheck.numpy_layers.layer_norm import LayerNorm
from regcheck.numpy_layers.minimiser import FISTA, CoordinateDescent, duality_gap
from regcheck.numpy_layers.penalties import ElasticNet
from regcheck.reference import minimiser as minimiser_oracle
from regcheck.stock import numpy as stock

DTYPES = ("float16", "float32", "float64")
RNG = np.random.default_rng()


def draw(shape, dtype, mean=3.0):
    return (mean + RNG.standard_normal(shape)).astype(dtype)


def with_parameters(layer, shape, dtype):
    layer.parameters = {"scale": draw(shape, dtype), "shift": draw(shape, dtype)}
    return layer


# --- what every layer has in common


def layers():
    """A layer of every kind that has a forward, and the shape of an input for it."""
    return [
        (LayerNorm((5,)), (4, 5)),
        (LayerNorm((2, 3), affine=False), (4, 2, 3)),
        (BatchNorm(3), (4, 3)),
        (BatchNorm(3, 2, affine=False), (4, 3, 2, 5)),
        (Dropout(0.3), (4, 5)),
        (Dropout(0.0), (4, 5)),
        (Dropout(1.0), (4, 5)),
        (ChannelDropout(0.3), (4, 5)),
        (ChannelDropout(0.3, 2), (4, 5, 2, 3)),
        (DropPath(0.3), (4, 5)),
        (DropPath(0.3), (4,)),
    ]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_results_have_the_input_s_shape_and_dtype_and_share_no_memory_with_it(dtype, training):
    for layer, shape in layers():
        x, cotangent = draw(shape, dtype), draw(shape, dtype)
        before = x.tobytes(), cotangent.tobytes()
        y, dx = layer.forward(x, training), layer.backward(cotangent)["x"]
        assert (y.shape, y.dtype, dx.shape, dx.dtype) == (shape, x.dtype, shape, x.dtype)
        assert not np.may_share_memory(y, x)
        assert not np.may_share_memory(dx, cotangent)
        assert (x.tobytes(), cotangent.tobytes()) == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_parameters_and_state_keep_the_dtype_that_is_assigned(dtype):
    norm = with_parameters(BatchNorm(3, momentum=0.25), 3, dtype)
    norm.state = {k: v.astype(dtype) for k, v in norm.state.items()}
    norm.forward(draw((4, 3), dtype), training=True)
    gradients = norm.backward(draw((4, 3), dtype))
    assert {v.dtype for v in (*norm.state.values(), *gradients.values())} == {np.dtype(dtype)}


@pytest.mark.parametrize("wrong", [np.arange(3), [1.0], np.zeros(3, complex), np.zeros(3, bool)])
def test_what_is_no_float_array_is_refused(wrong):
    for call in (LayerNorm((3,)).forward, BatchNorm(3).forward, Dropout(0.5).forward):
        with pytest.raises(TypeError, match="Expected an array of float16, float32 or float64"):
            call(wrong, training=True)
    with pytest.raises(TypeError, match="Expected an array of float16, float32 or float64"):
        ElasticNet(1.0).value(wrong)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LayerNorm((3,)), (4, 2)),
        (LayerNorm((2, 3)), (3,)),
        (BatchNorm(3), (4, 2)),
        (BatchNorm(3), (4, 3, 1)),
        (BatchNorm(3, 1), (4, 3)),
        (ChannelDropout(0.3, 2), (4, 3, 2)),
        (ChannelDropout(0.3), (4, 3, 2)),
        (DropPath(0.3), ()),
    ],
)
def test_a_wrong_shape_is_refused(layer, shape):
    with pytest.raises(ValueError, match="Invalid `x`"):
        layer.forward(np.zeros(shape), training=True)


def test_backward_wants_a_forward_and_a_cotangent_of_its_shape():
    for layer, shape in layers():
        with pytest.raises(RuntimeError, match="backward needs a forward"):
            layer.backward(np.zeros(shape))
        layer.forward(np.zeros(shape), training=True)
        with pytest.raises(ValueError, match="Invalid `cotangent`"):
            layer.backward(np.zeros((*shape, 1)))


def test_an_empty_batch_gives_an_empty_result_and_leaves_the_state():
    for layer, shape in layers():
        before = {k: v.copy() for k, v in getattr(layer, "state", {}).items()}
        for training in (True, False):
            empty = np.zeros((0, *shape[1:]), np.float32)
            assert layer.forward(empty, training).shape == empty.shape
            assert layer.backward(empty)["x"].shape == empty.shape
        assert all(np.array_equal(v, layer.state[k]) for k, v in before.items())


# --- dropout


def test_dropout_replays_from_a_seed_and_differs_between_seeds_and_calls():
    layer, x = Dropout(0.5), np.ones((64, 64), np.float32)
    masks = []
    for seed in (1, 1, 2):
        layer.seed(seed)
        masks.append(layer.forward(x, training=True))
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert not np.array_equal(layer.forward(x, training=True), masks[2])
    assert not np.array_equal(Dropout(0.5).forward(x, training=True), Dropout(0.5).forward(x, training=True))


@pytest.mark.parametrize(
    ("layer", "shape", "extent"),
    [
        (ChannelDropout(0.5, 2), (40, 30, 3, 2), (2, 3)),
        (ChannelDropout(0.5), (40, 30), ()),
        (DropPath(0.5), (99, 5, 2), (1, 2)),
    ],
)
def test_a_channel_or_a_sample_drops_as_a_whole_forward_and_backward(layer, shape, extent):
    x = np.full(shape, np.nan)
    x[..., 0] = 1.0
    y = layer.forward(x, training=True)
    kept = layer.backward(np.ones(shape))["x"] != 0
    assert np.array_equal(kept.all(axis=extent), kept.any(axis=extent))
    assert 0 < np.count_nonzero(kept) < kept.size
    assert np.array_equal(y, np.where(kept, 2 * x, 0), equal_nan=True)
    assert np.array_equal(layer.backward(np.ones(shape))["x"], 2.0 * kept)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropped_values_are_zero_whatever_they_were_and_kept_ones_scaled(dtype):
    layer, x = Dropout(0.3), np.full((50, 50), np.nan, dtype)
    x[::2] = np.inf
    y = layer.forward(x, training=True)
    kept = layer.backward(np.ones_like(x))["x"] != 0
    assert np.all(y[~kept] == 0)
    assert np.array_equal(y[kept], x[kept], equal_nan=True)


def test_the_mask_does_not_depend_on_values_dtype_or_layout():
    layer, masks = Dropout(0.3), []
    for x in (draw((8, 9), "float16"), draw((8, 9), "float64", mean=-50), np.asfortranarray(draw((8, 9), "float32"))):
        layer.seed(7)
        layer.forward(x, training=True)
        masks.append(layer.backward(np.ones_like(x))["x"] != 0)
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], masks[2])


@pytest.mark.parametrize("rate", [0.1, 1 / 3, 2.0**-20, 1 - 2.0**-20, 0.5])
def test_a_tie_of_words_is_broken_with_what_the_words_cannot_tell(rate, monkeypatch):
    """With words of 2 bits nearly half the draws are ties; the rate must come out all the same."""
    monkeypatch.setattr(dropout_module, "WORD", 4)
    layer = Dropout(rate)
    layer._generator = Coarse(layer._generator)
    n = 200_000
    dropped = n - np.count_nonzero(layer.forward(np.ones(n, np.float32), training=True))
    assert abs(dropped - n * rate) < 7 * np.sqrt(n * rate * (1 - rate)) + 7


class Coarse:
    """A generator whose 16-bit words are 0, 1, 2 or 3."""

    def __init__(self, generator):
        self.random, self.generator = generator.random, generator

    def integers(self, low, high, size, dtype):
        return self.generator.integers(0, 4, 4 * size, dtype=np.uint16).view(dtype)


def test_inference_and_rate_0_are_the_identity_and_rate_1_is_0():
    x = draw((5, 4), "float32")
    assert np.array_equal(Dropout(0.7).forward(x, training=False), x)
    assert np.array_equal(Dropout(0.0).forward(x, training=True), x)
    gone = Dropout(1.0)
    assert not gone.forward(x * np.nan, training=True).any()
    assert not gone.backward(x)["x"].any()


# --- penalties and minimisers


def test_a_term_of_strength_0_cannot_overflow():
    huge = np.array([1e200, -1e200])
    assert ElasticNet(l1=0.5).value(huge) == 1e200
    assert np.array_equal(ElasticNet(l1=0.5).gradient(huge), [0.5, -0.5])
    assert ElasticNet(l2=0.5).value(huge) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_proximal_map_gives_exact_zeros_and_one_rounding_at_most_outside(dtype):
    w = np.array([0.0, 0.25, -0.5, 0.75, -2.0], dtype)
    assert ElasticNet(l1=1.0).prox(w, 0.5).tolist() == [0, 0, 0, 0.25, -1.5]
    assert ElasticNet(l1=1.0, l2=0.5).prox(w, 1.0).tolist() == [0, 0, 0, 0, -0.5]
    assert ElasticNet(l1=1.0).prox(w, 0.5).dtype == w.dtype


@pytest.mark.parametrize("solver", [FISTA, CoordinateDescent])
@pytest.mark.parametrize(("l1", "l2"), [(1.0, 0.0), (0.5, 0.5), (0.0, 0.5)])
def test_solvers_keep_their_promise(solver, l1, l2):
    for n, k in [(1, 1), (5, 3), (3, 6), (40, 8)]:
        a, b = RNG.standard_normal((n, k)), 3 * RNG.standard_normal(n)
        a[:, -1] = a[:, 0]
        minimiser = solver(l1, l2)
        w = minimiser.minimise(a, b)
        assert duality_gap(a, b, w, l1, l2) <= minimiser.tolerance * (b @ b) / 2


@pytest.mark.parametrize("solver", [FISTA, CoordinateDescent])
def test_solvers_at_the_edges(solver):
    a, b = RNG.standard_normal((6, 3)), RNG.standard_normal(6)
    assert np.allclose(solver().minimise(a, b), np.linalg.lstsq(a, b, rcond=None)[0])
    assert solver(0.5).minimise(np.zeros((4, 2)), b[:4]).tolist() == [0, 0]
    assert solver(0.5).minimise(a, 0 * b).tolist() == [0, 0, 0]
    assert solver(0.5).minimise(a[:0], b[:0]).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="Expected A"):
        solver(0.5).minimise(a, b[:2])
    with pytest.raises(RuntimeError, match="Raise `steps`"):
        solver(1e-3, steps=5, tolerance=0.0).minimise(a, b)


def test_the_two_dual_points_bound_the_excess():
    a, b = RNG.standard_normal((50, 4, 3)), RNG.standard_normal((50, 4))
    for config in (MinimiserConfig(0.5), MinimiserConfig(0.0, 0.5), MinimiserConfig(0.5, 0.5)):
        w = RNG.standard_normal((50, 3))
        excess = minimiser_oracle.objective(a, b, w, config) - minimiser_oracle.minimum(a, b, config)
        gaps = [duality_gap(*problem, config.l1, config.l2) for problem in zip(a, b, w, strict=True)]
        assert np.all(excess <= np.array(gaps) + 1e-12)


def test_the_stock_declares_every_numpy_layer_by_name():
    names = {found.name for _, found in implementations_in(stock)}
    assert names >= {
        "numpy.layer_norm",
        "numpy.rms_norm",
        "numpy.batch_norm",
        "numpy.dropout",
        "numpy.channel_dropout",
        "numpy.drop_path",
        "numpy.l1",
        "numpy.l2",
        "numpy.elastic_net",
        "numpy.fista",
        "numpy.coordinate_descent",
        "numpy.sgd",
        "numpy.sgd.momentum",
        "numpy.adamw",
        "numpy.laplace",
        "numpy.gaussian",
    }
