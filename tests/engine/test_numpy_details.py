"""The NumPy layers, what no judge asks: defaults, a fresh layer, words of refusals, and the solvers' own arithmetic."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from regcheck.numpy_layers import layer_norm as layer_norm_module
from regcheck.numpy_layers.batch_norm import BatchNorm
from regcheck.numpy_layers.dropout import ChannelDropout, Dropout, DropPath
from regcheck.numpy_layers.inputs import affine_parameters, compute_dtype
from regcheck.numpy_layers.layer_norm import LayerNorm
from regcheck.numpy_layers.minimiser import FISTA, CoordinateDescent, duality_gap, soft_threshold
from regcheck.numpy_layers.penalties import ElasticNet

RNG = np.random.default_rng()

DEFAULTS = {
    BatchNorm: {"ndim": 0, "eps": 1e-5, "momentum": 0.1, "affine": True},
    LayerNorm: {"eps": 1e-5, "affine": True},
    Dropout: {},
    ChannelDropout: {"ndim": 0},
    DropPath: {},
    ElasticNet: {"l1": 0.0, "l2": 0.0},
    FISTA: {"l1": 0.0, "l2": 0.0, "tolerance": 1e-10, "steps": 100_000},
    CoordinateDescent: {"l1": 0.0, "l2": 0.0, "tolerance": 1e-10, "steps": 100_000},
}


@pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)
def test_defaults_are_those_of_the_field(kind) -> None:
    parameters = inspect.signature(kind).parameters.values()
    assert {p.name: p.default for p in parameters if p.default is not p.empty} == DEFAULTS[kind]


def test_a_fresh_layer_maps_by_one_and_nothing_and_has_seen_no_data() -> None:
    layer = BatchNorm(2)
    assert {k: v.tolist() for k, v in layer.parameters.items()} == {"scale": [1, 1], "shift": [0, 0]}
    assert {k: v.tolist() for k, v in layer.state.items()} == {"running_mean": [0, 0], "running_var": [1, 1]}
    assert LayerNorm((2, 3)).parameters["scale"].shape == (2, 3)
    assert affine_parameters((2,), affine=False) == BatchNorm(2, affine=False).parameters == {}


@pytest.mark.parametrize(("ndim", "shape"), [(0, (4, 3, 1)), (1, (4, 3)), (2, (4, 3, 5))])
def test_batch_norm_says_how_many_axes_it_wants(ndim: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"Expected {ndim + 2} axes \(N, C, \*spatial\)\. Received: shape"):
        BatchNorm(3, ndim).forward(np.zeros(shape), training=True)


def test_dropouts_of_channels_and_samples_say_what_axes_they_want() -> None:
    with pytest.raises(ValueError, match=r"Expected 4 axes \(N, C, \*spatial\)\. Received: 3"):
        ChannelDropout(0.5, 2).forward(np.zeros((4, 3, 2)), training=True)
    with pytest.raises(ValueError, match=r"Expected an axis of samples, \(N, \*\)\. Received: a scalar"):
        DropPath(0.5).forward(np.zeros(()), training=True)


def test_a_refusal_shows_the_shape_that_would_do() -> None:
    with pytest.raises(ValueError, match=r"Expected shape \(4, 3, 7\)\. Received: shape \(4, 2, 7\)"):
        BatchNorm(3, 1).forward(np.zeros((4, 2, 7)), training=True)
    with pytest.raises(ValueError, match=r"Expected shape \(5, 4, 3\)\. Received: shape \(5, 4, 2\)"):
        LayerNorm((4, 3)).forward(np.zeros((5, 4, 2)), training=True)
    with pytest.raises(ValueError, match=r"Expected shape \(4, 3\)\. Received: shape \(3,\)"):
        LayerNorm((4, 3)).forward(np.zeros(3), training=True)


@pytest.mark.parametrize(("wrong", "named"), [([1.0], "list"), (np.zeros(2, int), "int64"), (1.0, "float")])
def test_a_refusal_names_what_it_was_given(wrong: object, named: str) -> None:
    with pytest.raises(TypeError, match=rf"Invalid `w`\. .* Received: {named}\."):
        ElasticNet(1.0).gradient(wrong)


def test_cotangents_of_another_dtype_are_refused() -> None:
    for layer in (BatchNorm(3), LayerNorm((3,)), Dropout(0.5)):
        layer.forward(np.ones((4, 3)), training=True)
        with pytest.raises(TypeError, match="Invalid `cotangent`"):
            layer.backward(np.ones((4, 3), int))


def test_half_precision_is_computed_in_single() -> None:
    kinds = [compute_dtype("x", np.zeros(1, dtype)).name for dtype in ("float16", "float32", "float64")]
    assert kinds == ["float32", "float32", "float64"]


@pytest.mark.parametrize("height", [1, 2, 100])
def test_layer_norm_works_on_blocks_of_rows_that_together_are_all(height: int, monkeypatch) -> None:
    x = RNG.standard_normal((7, 5))
    whole = LayerNorm((5,)).forward(x, training=True)
    monkeypatch.setattr(layer_norm_module, "BLOCK_BYTES", height * 5 * x.itemsize)
    blocks = [x[block] for block in layer_norm_module._blocks(x)]
    assert [len(block) for block in blocks] == [min(height, 7)] * (7 // height) + [7 % height] * (7 % height > 0)
    assert np.array_equal(LayerNorm((5,)).forward(x, training=True), whole)


def test_a_block_fits_the_second_level_cache_and_holds_a_row_at_least() -> None:
    assert layer_norm_module.BLOCK_BYTES == 2**19
    assert len(list(layer_norm_module._blocks(np.zeros((3, 2**17))))) == 3
    assert list(layer_norm_module._blocks(np.zeros((3, 0)))) == [slice(0, 2**19)]


def test_the_soft_threshold() -> None:
    v = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    assert soft_threshold(v, 1.0).tolist() == [-2, 0, 0, 0, 0, 0, 2]


def gap(a, b, w, l1: float, l2: float) -> float:
    """The smaller of both gaps by the formulas of `duality_gap`, the lasso's over the matrix itself."""
    r = b - a @ w
    primal = r @ r / 2 + l1 * np.abs(w).sum() + l2 * w @ w
    duals = []
    if l2:
        over = np.maximum(np.abs(a.T @ r) - l1, 0)
        duals.append(b @ r - r @ r / 2 - np.square(over).sum() / (4 * l2))
    if l1:
        k = a.shape[1]
        matrix, right = np.vstack([a, np.sqrt(2 * l2) * np.eye(k)]), np.concatenate([b, np.zeros(k)])
        residual = right - matrix @ w
        theta = residual * min(1.0, l1 / np.abs(matrix.T @ residual).max())
        duals.append(right @ theta - theta @ theta / 2)
    return float(primal - max(duals))


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.3), (0.3, 0.2), (30.0, 0.2), (3.0, 4.0)])
def test_the_duality_gap(l1: float, l2: float) -> None:
    for _ in range(20):
        a, b, w = RNG.standard_normal((5, 3)), RNG.standard_normal(5), RNG.standard_normal(3)
        found = duality_gap(a, b, w, l1, l2)
        assert found == pytest.approx(gap(a, b, w, l1, l2), rel=1e-9, abs=1e-9)
        assert found >= 0


def test_the_duality_gap_of_a_residual_without_correlations() -> None:
    a, b = np.array([[1.0], [0.0]]), np.array([0.0, 2.0])
    assert duality_gap(a, b, np.zeros(1), 0.5, 0.0) == 0.0


@pytest.mark.parametrize("solver", [FISTA, CoordinateDescent])
def test_a_solver_says_what_it_did_not_reach(solver) -> None:
    a, b = RNG.standard_normal((6, 3)), RNG.standard_normal(6)
    with pytest.raises(RuntimeError, match=r"relative duality gap of 0 in 7 steps\. Raise `steps`"):
        solver(1e-3, steps=7, tolerance=0.0).minimise(a, b)
    with pytest.raises(ValueError, match=r"Received: shapes \(6, 3\) and \(2,\)"):
        solver(0.5).minimise(a, b[:2])
    with pytest.raises(ValueError, match="Expected A"):
        solver(0.5).minimise(a[:, 0], b)


@pytest.mark.parametrize("solver", [FISTA, CoordinateDescent])
@pytest.mark.parametrize("strengths", [(0.5, 0.0), (0.0, 0.5)])
def test_a_problem_without_rows_or_columns_is_solved_by_zeros(solver, strengths) -> None:
    found = [solver(*strengths).minimise(np.zeros(s), np.zeros(s[0])).tolist() for s in ((0, 2), (2, 0), (2, 2))]
    assert found == [[0, 0], [], [0, 0]]


def test_fista_gains_by_its_momentum_and_by_its_restarts(monkeypatch) -> None:
    a = np.vander(np.linspace(0, 1, 30), 6)
    b = a @ np.arange(6.0)
    looks = []
    solved = FISTA._solved

    def counted(self, *problem) -> bool:
        looks.append(1)
        return solved(self, *problem)

    monkeypatch.setattr(FISTA, "_solved", counted)
    FISTA(1e-3, 1e-4).minimise(a, b)
    assert len(looks) < 150  # 116; 182 without the restart, and without momentum 10 000 do not suffice
