"""A failing case is cut down on its literal values, and stays a case."""

from __future__ import annotations

import numpy as np

from regcheck import Case
from regcheck.families import BatchNormConfig, GroupNormConfig, LayerNormConfig
from regcheck.shrink import alone, shrink, take


def batch() -> Case:
    """Eight samples of five features."""
    rng = np.random.default_rng()
    arrays = {"x": rng.normal(size=(8, 5)).astype("f4"), "scale": rng.normal(size=5).astype("f4")}
    return Case(LayerNormConfig((5,)), "float32", arrays, {"x": ("N", "F0"), "scale": ("F0",)}, ("N",), {})


def test_arrays_that_share_an_axis_are_cut_together_and_the_config_fits() -> None:
    cut = take(batch(), "F0", [1, 3])
    assert cut["x"].shape == (8, 2)
    assert cut["scale"].shape == (2,)
    assert cut.config == LayerNormConfig((2,))


def test_channels_refit_the_config() -> None:
    case = Case(BatchNormConfig(3), "float32", {"x": np.ones((4, 3), "f4")}, {"x": ("N", "C")}, ("C",), {})
    assert take(case, "C", [0]).config.channels == 1


def test_a_flagged_case_comes_out_of_its_batch() -> None:
    case = batch()
    single = alone(case, {"N": 6, "F0": 2})
    assert single["x"].tobytes() == case["x"][6:7].tobytes()


def test_the_smallest_failing_case_is_found() -> None:
    case = batch()
    case["x"][4, 2] = 700.25

    def fails(candidate: Case) -> bool:
        return bool((candidate["x"] > 600).any())

    small = shrink(case, fails)
    assert small["x"].shape == (1, 1)
    assert small["x"][0, 0] in (700.0, 700.2, 700.25, np.float32(700.2))
    assert fails(small)


def test_no_more_calls_than_allowed() -> None:
    calls: list[Case] = []

    def fails(candidate: Case) -> bool:
        calls.append(candidate)
        return candidate["x"].shape == (8, 5)

    shrink(batch(), fails, 25)
    assert len(calls) == 25


def test_a_size_that_the_config_refuses_is_kept() -> None:
    config = GroupNormConfig(4, 4)
    case = Case(config, "float32", {"x": np.ones((2, 4), "f4")}, {"x": ("N", "C")}, ("N",), {})
    small = shrink(case, lambda _: True)
    assert small["x"].shape == (1, 4)
    assert small.config == config
