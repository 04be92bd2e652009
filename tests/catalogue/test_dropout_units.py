"""The laws of dropouts of whole channels and samples hold for right layers, and accuse the layers that break them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from regcheck_properties import channel_dropout, drop_path
from regcheck_properties.dropouts import declared, law, multiplying

from regcheck import Case
from regcheck.cases import dropout as cases
from regcheck.families import DropoutConfig
from regcheck.judge import CellJudge, Settings
from regcheck.numpy_layers.dropout import ChannelDropout, DropPath
from regcheck.property import Plan

AXES = {"channel_dropout": 2, "drop_path": 1}
RIGHT = {
    "channel_dropout": lambda config: ChannelDropout(config.rate, config.ndim),
    "drop_path": lambda config: DropPath(config.rate),
}
LAWS = {law.id: law for module in (channel_dropout, drop_path) for law in module.PROPERTIES}


class Faulty:
    """A dropout whose masks are `draw(rng, shape, config)`, entries of them broadcast."""

    def __init__(self, config, draw):
        self.config, self.draw = config, draw
        self.seed(int(np.random.default_rng().integers(2**31)))

    def seed(self, value):
        self.stream = np.random.default_rng(value)

    def forward(self, x, training):
        p = self.config.rate
        self.mask = self.draw(self.stream, x.shape) >= p if training else np.ones(x.shape, bool)
        self.factor = 1 / (1 - p) if training and p < 1 else 1.0
        return self.backward(x)["x"]

    def backward(self, cotangent):
        with np.errstate(all="ignore"):
            return {
                "x": np.where(self.mask, (cotangent * self.factor).astype(cotangent.dtype), cotangent.dtype.type(0))
            }


def units(stream, shape, axes, *, changed=lambda drawn: drawn):
    drawn = changed(stream.random(shape[:axes]))
    return drawn.reshape(*drawn.shape, *(1,) * (len(shape) - axes))


def last_kept(drawn):
    drawn[..., -1] = 1
    return drawn


def pairs(drawn):
    return np.repeat(drawn[::2], 2, axis=0)[: len(drawn)]


DRAWS = {
    "entries": lambda s, shape: s.random(shape),
    "samples": lambda s, shape: units(s, shape, 1),
    "channels of the first sample": lambda s, shape: units(s, (1, *shape[1:]), 2),
    "pairs of channels": lambda s, shape: units(s, shape, 2, changed=lambda drawn: pairs(drawn.T).T),
    "all channels but the last": lambda s, shape: units(s, shape, 2, changed=last_kept),
    "one for the batch": lambda s, shape: s.random((1,) * len(shape)),
    "pairs of samples": lambda s, shape: units(s, shape, 1, changed=pairs),
    "all samples but the last": lambda s, shape: units(s, shape, 1, changed=last_kept),
}
BROKEN = [
    ("channel_dropout.whole-channels", "entries"),
    ("channel_dropout.samples-independent", "channels of the first sample"),
    ("channel_dropout.channels-independent", "samples"),
    ("channel_dropout.channels-independent", "pairs of channels"),
    ("channel_dropout.every-channel-drops", "all channels but the last"),
    ("channel_dropout.mask-independence", "pairs of channels"),
    ("drop_path.whole-samples", "entries"),
    ("drop_path.samples-independent", "one for the batch"),
    ("drop_path.every-sample-drops", "all samples but the last"),
    ("drop_path.mask-independence", "pairs of samples"),
]


def judge(name, layer, session):
    family = name.partition(".")[0]
    about = {"name": "it", "framework": "numpy", "family": family, "dtypes": None}
    return CellJudge(LAWS[name], session(layer, family, {}), about, Settings("quick"), None).judge().cell


@pytest.mark.parametrize("name", LAWS)
def test_a_right_layer_passes(name, session):
    cell = judge(name, RIGHT[name.partition(".")[0]], session)
    assert (cell.verdict, cell.reason) == ("passed", "")


@pytest.mark.parametrize(("name", "draw"), BROKEN)
def test_a_layer_that_draws_otherwise_fails(name, draw, session):
    assert judge(name, lambda config: Faulty(config, DRAWS[draw]), session).verdict == "failed"


@pytest.mark.parametrize("name", [name for name, draw in BROKEN if draw == "entries"])
def test_a_layer_that_keeps_everything_shows_no_unit_and_is_not_said_to_be_right(name, session):
    cell = judge(name, lambda config: Faulty(config, lambda _, shape: np.ones(shape)), session)
    assert cell.verdict == "inconclusive"


@pytest.mark.parametrize("family", AXES)
def test_both_families_are_judged_by_all_that_dropout_is_but_the_order_of_one_axis(family):
    from regcheck_properties import dropout  # noqa: PLC0415

    own = {name.partition(".")[2] for name in LAWS if name.startswith(f"{family}.")}
    missing = {
        law.id.partition(".")[2].replace("entries", cases.UNITS[family].plural) for law in dropout.PROPERTIES
    } - own
    assert missing == ({"mask-order-as-declared"} if family == "drop_path" else set())


@pytest.mark.parametrize("family", AXES)
def test_statistical_laws_draw_as_many_units_as_their_power_needs(family):
    unit = cases.UNITS[family]
    assert unit.axes == AXES[family]
    for shape, calls in cases.ARRANGEMENTS[unit]:
        assert math.prod(unit.shape(shape)) >= 67_000, shape
        assert calls in {2, 8}
    for ndim in range(4):
        shape = unit.many(64, 32, DropoutConfig(0.5, ndim))
        assert math.prod(unit.shape(shape)) == 64 * 32
        assert unit.first(np.zeros(shape)).shape == unit.shape(shape)


def test_channels_are_drawn_with_the_numbers_of_axes_that_the_layer_takes():
    assert cases.ndims(Plan("channel_dropout", "float32", axes=(3,))) == (3,)
    assert sorted(cases.ndims(Plan("channel_dropout", "float32"))) == [0, 1, 2, 3]
    assert cases.ndims(Plan("drop_path", "float32")) == (0,)


def test_a_law_of_dropouts_speaks_of_the_unit_of_its_family():
    @law("no-{unit}", cases=cases.rates, level="core", formula="0 {units}")
    def nothing(family, layers, case):
        """No {unit} of all {units}."""
        return family, layers, case

    (found,) = declared(multiplying("drop_path"), (nothing,))
    assert (found.id, found.title, found.formula) == ("drop_path.no-sample", "No sample of all samples.", "0 samples")
    case = Case(DropoutConfig(0.5), "float32")
    assert found.law(None, case)[0].unit is cases.SAMPLE
