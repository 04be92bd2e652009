"""Each law of alpha dropout, of entries and of channels, holds for a right layer, and accuses one that breaks it."""

from __future__ import annotations

import numpy as np
import plain_alpha_dropout as faulty
import pytest
from regcheck_properties import alpha_dropout, alpha_values, channel_alpha_dropout

from regcheck import Case, bounds
from regcheck.families import DropoutConfig
from regcheck.numpy_layers.alpha_dropout import AlphaDropout, ChannelAlphaDropout
from regcheck.reference import alpha_dropout as reference

LAWS = {law.id: law for law in (*alpha_dropout.PROPERTIES, *channel_alpha_dropout.PROPERTIES)}
ENTRIES = {law.id: law for law in alpha_dropout.PROPERTIES}
NEEDS = "affine-on-mask backward-mask mask-independent-of-values reseed-replays seeds-differ"
NEEDS += " random-stream-as-declared mask-order-as-declared"


def layer(config):
    return AlphaDropout(config.rate)


def channels(config):
    return ChannelAlphaDropout(config.rate, config.ndim)


class Bare:
    """Forward alone: neither gradient nor seed."""

    def __init__(self, config):
        self.own = AlphaDropout(config.rate)

    def forward(self, x, training):
        return self.own.forward(x, training)


@pytest.mark.parametrize("name", LAWS)
def test_a_right_layer_passes(verdict, name):
    cell = verdict(LAWS[name], channels if name.startswith("channel") else layer, examples=20)
    assert (cell.verdict, cell.reason) == ("passed", "")


def test_a_layer_without_seed_and_gradient_is_judged_on_the_rest(verdict):
    verdicts = {name: verdict(law, Bare, examples=9).verdict for name, law in ENTRIES.items()}
    missing = {f"alpha_dropout.{name}" for name in NEEDS.split()}
    assert verdicts == {name: "not-applicable" if name in missing else "passed" for name in ENTRIES}


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("shape", [(), (2, 5)])
def test_no_law_raises_on_a_result_of_another_shape(verdict, name, shape):
    class Wrong(AlphaDropout):
        def __init__(self, config):
            super().__init__(config.rate)

        def _apply(self, x, kept):
            return np.ones(shape, x.dtype)

        _gradient = _apply

    cell = verdict(ENTRIES[name], Wrong, examples=9)
    assert cell.verdict in {"failed", "passed"} or "spoiled results" in cell.reason


@pytest.mark.parametrize("value", ["zero", "nan"])
def test_a_wrong_declaration_fails(verdict, value):
    wrong = faulty.AlphaDropout if value == "nan" else faulty.MaskMultiplies
    law = ENTRIES["alpha_dropout.dropped-nonfinite-as-declared"]
    assert verdict(law, wrong, dropped_nonfinite=value).verdict == "failed"
    assert verdict(law, wrong, dropped_nonfinite={"nan": "zero", "zero": "nan"}[value]).verdict == "passed"


@pytest.mark.parametrize("name", ["keeps-mean", "keeps-variance"])
def test_moments_off_by_the_stated_effect_are_found(session, name):
    class Off(faulty.AlphaDropout):
        """Two hundredths of a standard deviation up, and two percent wider."""

        def _applied(self, x, kept):
            return 1.02 * super()._applied(x, kept) + 0.02

    case = Case(DropoutConfig(0.3), "float32", values={"seed": 5})
    found = LAWS[f"alpha_dropout.{name}"].law(session(Off, "alpha_dropout", {}), case)
    assert found.error > 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("rate", [0.01, 0.5, 0.99])
def test_the_bounds_hold_where_every_operation_rounds(dtype, rate):
    own, ar = np.dtype(dtype).type, bounds.arithmetic(dtype)
    x = np.random.default_rng().standard_normal(10_000).astype(dtype)
    a = ((1 - rate) * (1 + rate * reference.SATURATION**2)) ** -0.5
    b = -a * reference.SATURATION * rate
    exact = reference.constants(rate)
    kept = own(a) * x + own(b)
    dropped = own(a) * own(reference.SATURATION) + own(b)
    other = own(-1) * own(-a * reference.SATURATION) + own(b)
    wide = x.astype(np.longdouble)
    assert np.all(np.abs(kept - (exact.a * wide + exact.b)) <= bounds.alpha_kept(wide, rate, ar))
    assert max(abs(v - exact.dropped) for v in (dropped, other)) <= bounds.alpha_dropped(rate, ar)
    assert np.all(np.abs(own(a) * x - exact.a * wide) <= bounds.alpha_gradient(exact.a * wide, ar))


def test_what_is_near_the_saturation_shows_no_mask_and_all_else_does():
    x = np.array([reference.SATURATION, -1.65, -1.6, 0.0, 1.0, -2.0, 1e30], np.float32)
    shown = alpha_values.family("alpha_dropout").visible(x)
    assert shown.tolist() == [1, 1, *x[2:].tolist()]


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.9])
def test_the_log_moments_are_those_of_mean_0_and_variance_1(rate):
    for log_moment in (reference.log_moment(rate), reference.log_moment_of_square(rate)):
        step = 1e-3
        slope = (log_moment(step) - log_moment(-step)) / (2 * step)
        curvature = (log_moment(step) + log_moment(-step)) / step**2
        assert slope == pytest.approx(0, abs=1e-5)
        assert curvature == pytest.approx(1, abs=1e-3)
