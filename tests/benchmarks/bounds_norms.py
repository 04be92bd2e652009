"""Chunks of rows for the normalisations: data, oracle, bounds, and what every implementation makes of them."""

import dataclasses
from dataclasses import dataclass, replace

import bounds_algorithms as algorithms
import numpy as np
from bounds_tally import Seen, over

from regcheck import bounds, cases, reference
from regcheck.cases import fill
from regcheck.cases.norms import EPS, MOMENTA
from regcheck.property import Plan
from regcheck.reference.normalisation import Normalised, input_gradient, normalise, with_statistics
from regcheck.reference.precision import oracle_roundoff

BATCH = 7  # rows over which the parameters of layer_norm and rms_norm have one gradient
SAMPLES = ("layer_norm", "rms_norm")


@dataclass(frozen=True)
class Kind:
    """A dtype that rows are stored in and one that is computed in. NumPy holds bfloat16 in float32."""

    dtype: str
    compute: str = "input"

    @property
    def name(self):
        """As the table has it."""
        return self.dtype if self.compute == "input" else f"{self.dtype} in {self.compute}"

    @property
    def held(self):
        """The dtype that NumPy holds rows in."""
        return "float32" if self.dtype == "bfloat16" else self.dtype

    @property
    def most(self):
        """The largest number of the dtype."""
        return (2 - 2.0**-7) * 2.0**127 if self.dtype == "bfloat16" else float(np.finfo(self.dtype).max)

    @property
    def inner(self):
        """The dtype that is computed in."""
        return self.dtype if self.compute == "input" else self.compute

    def arithmetic(self, subnormals="kept"):
        """What the bounds allow. bfloat16 has 8 bits, and float32's exponents: subnormal numbers down to 2⁻¹³³."""
        if self.dtype != "bfloat16":
            return bounds.arithmetic(self.dtype, self.compute, subnormals)
        inner, u, eta = bounds.arithmetic("float32", subnormals=subnormals), 2.0**-8, 2.0**-133
        half = bounds.Arithmetic(u + oracle_roundoff("float32"), u + oracle_roundoff("float32"), eta, eta)
        return half if self.compute == "input" else dataclasses.replace(half, u=inner.u, eta=inner.eta)


KINDS = (Kind("float32"), Kind("float64"), Kind("float16"), Kind("float16", "float32"))
BFLOAT16 = (Kind("bfloat16"), Kind("bfloat16", "float32"))  # PyTorch's alone


@dataclass(frozen=True)
class Chunk:
    """x (n, groups) with its oracle; γ and β broadcast against it; `old` are recorded statistics (groups,).

    `lost`: groups that differ in their last bits alone, of which only y's limit is looked at.
    """

    family: str
    kind: Kind
    eps: float
    weight: float
    unbiased: bool
    x: np.ndarray
    dy: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    old: dict
    norm: Normalised
    lost: bool

    @property
    def n(self):
        """Values of a group."""
        return len(self.x)

    @property
    def factor(self):
        """What the recorded variance is multiplied by."""
        return self.n / (self.n - 1) if self.unbiased else 1.0


def draw(rng, family, kind, n, groups, *, lost=False):  # noqa: PLR0913  (what a chunk is of)
    """A chunk by the cases' own recipe."""
    half = {"compute_dtype": kind.compute} if kind.compute != "input" else {}
    plan = Plan(family, kind.held, declares=half)
    eps, weight = float(rng.choice(EPS)), float(rng.choice(MOMENTA))
    squares = "compute" if family in SAMPLES else "input"
    recipe = cases.Recipe(data="lost" if lost else "hostile", squares=squares)
    x = np.ascontiguousarray(recipe.rows(rng, (groups, n), plan, eps).T)
    dy = np.ascontiguousarray(fill.cotangent(rng, (groups, n), kind.held).T)
    shape = (n, 1) if family in SAMPLES else (groups,)
    arrays = [x, dy, *fill.parameters(rng, shape, kind.held).values()]
    if family == "rms_norm":
        arrays[3] = np.zeros_like(arrays[3])
    old = fill.statistics(rng, groups, kind.held)
    if kind.dtype == "bfloat16":
        arrays, old = [_to_bfloat16(v) for v in arrays], {name: _to_bfloat16(v) for name, v in old.items()}
    unbiased = n > 1 and bool(rng.random() < 1 / 2)
    norm = normalise(arrays[0], (0,), eps, centred=family != "rms_norm")
    return Chunk(family, kind, eps, weight, unbiased, *arrays, old, norm, lost)


def _to_bfloat16(values):
    """float32 rounded to 8 bits, to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


class Judge:
    """The exact results of a chunk and their bounds, for one treatment of subnormal numbers."""

    def __init__(self, chunk, subnormals="kept", arithmetic=None):
        self.chunk = chunk
        self.ar = arithmetic or chunk.kind.arithmetic(subnormals)
        self.norm, self.standard = chunk.norm, bounds.standard(chunk.norm, self.ar)
        self.most = chunk.kind.most

    def judged(self, quantity, results):
        """(error/bound, judged) of each result of a quantity, or of two that go together."""
        rules = {
            "y": self.output,
            "dx": self.input_gradient,
            "y in inference": lambda y: self.output(y, *self.recorded()),
            "dx in inference": self.recorded_gradient,
            "dγ": lambda scale: next(self.parameter_gradients(scale, scale)),  # where there is no β
        }
        if quantity in rules:
            return [rules[quantity](*results)]
        return (self.parameter_gradients if quantity == "dγ, dβ" else self.running)(*results)

    def output(self, y, norm=None, standard=None):
        """(error/bound, judged) of y."""
        norm, standard = norm or self.norm, standard or self.standard
        gamma, beta = reference.widen(self.chunk.gamma), reference.widen(self.chunk.beta)
        exact = gamma * norm.z + beta
        bound = bounds.affine(standard, norm.z, exact, self.ar, gamma)
        if self.chunk.lost:
            return self._limited(y, exact, beta)
        return over(y, exact, bound), standard.judged & (np.abs(exact) + bound < self.most)

    def _limited(self, y, exact, beta):
        """As the catalogue has it: how far y may be from β, so from its exact value, where nothing more is claimed."""
        reach = np.abs(reference.widen(self.chunk.gamma)) * self.standard.limit
        limit = np.abs(exact - beta) + reach + 2 * (self.ar.u + self.ar.u_out) * (reach + np.abs(beta))
        return over(y, exact, limit), ~self.standard.judged & np.isfinite(limit)

    def recorded(self):
        """As the chunk's own, with the recorded statistics."""
        mean, var = (reference.widen(v)[np.newaxis] for v in self.chunk.old.values())
        norm = with_statistics(self.chunk.x, mean, var, (0,), self.chunk.eps)
        return norm, bounds.standard_recorded(norm, self.ar)

    def input_gradient(self, dx):
        """(error/bound, judged) of dx."""
        g = reference.widen(self.chunk.dy) * reference.widen(self.chunk.gamma)
        exact, bound = input_gradient(self.norm, g), bounds.input_gradient(self.norm, self.standard, g, self.ar)
        return over(dx, exact, bound), self.standard.judged & (np.abs(exact) + bound < self.most)

    def recorded_gradient(self, dx):
        """(error/bound, judged) of dx where the statistics are recorded."""
        norm, standard = self.recorded()
        gamma = reference.widen(self.chunk.gamma)
        exact = reference.widen(self.chunk.dy) * gamma * norm.s
        bound = bounds.recorded_gradient(norm, standard, exact, self.ar, gamma)
        return over(dx, exact, bound), np.abs(exact) < self.most / 2

    def parameter_gradients(self, scale, shift):
        """(error/bound, judged) of dγ and of dβ."""
        dy, z, standard = self._summed()
        axes = (0,) if self.chunk.family == "batch_norm" else (1,)
        norm, wide = replace(self.norm, z=z), reference.widen(dy)
        judged = np.all(np.broadcast_to(standard.judged, z.shape), axis=axes)
        yield over(scale, (wide * z).sum(axis=axes), bounds.scale_gradient(norm, standard, wide, axes, self.ar)), judged
        shift_bound = bounds.shift_gradient(wide, axes, self.ar)
        yield over(shift, wide.sum(axis=axes), shift_bound), np.ones(judged.shape, bool)

    def _summed(self):
        """dy, z and their bounds, (m, groups) for batch_norm and (n, BATCH, groups) for the others."""
        if self.chunk.family == "batch_norm":
            return self.chunk.dy, self.norm.z, self.standard
        fold = batches
        standard = self.standard._replace(
            z=fold(self.standard.z), a=fold(self.standard.a), judged=fold(self.standard.judged)
        )
        return fold(self.chunk.dy), fold(self.norm.z), standard

    def running(self, mean, var):
        """(error/bound, judged) of the running mean and the running variance."""
        chunk, old = self.chunk, reference.batch_norm.running(*self.chunk.old.values())
        exact = reference.batch_norm.update(old, self.norm, chunk.weight, unbiased=chunk.unbiased)
        limits = (
            bounds.running_mean(self.norm, old.mean, chunk.weight, self.ar),
            bounds.running_variance(self.norm, old.var, chunk.weight, chunk.factor, self.ar),
        )
        for seen, want, bound in zip((mean, var), exact, limits, strict=True):
            yield over(seen, want, bound), np.abs(want) + bound < self.most


def batches(values):
    """(n, groups) as (n, BATCH, groups/BATCH): sums over the middle are those of a batch."""
    return values[:, : values.shape[1] // BATCH * BATCH].reshape(len(values), BATCH, -1)


def told(judge, implementation, results):
    """What was seen of an implementation's results, each with the name of its quantity, or of two that go together."""
    chunk = judge.chunk
    for quantity, found in results:
        if chunk.lost and quantity != "y":
            continue
        for part, pair in zip(quantity.split(", "), judge.judged(quantity, found), strict=True):
            name = f"{part}, ill-conditioned" if chunk.lost else part
            yield Seen(chunk.family, name, chunk.kind.name, implementation, *pair)


# --- what NumPy implementations give


def observe(chunk, implementations=None):
    """What every NumPy implementation makes of the chunk."""
    judge, inner = Judge(chunk), chunk.kind.inner
    given = [v.astype(inner) for v in (chunk.x, chunk.dy, chunk.gamma, chunk.beta)]
    chosen = _all(chunk.family) if implementations is None else implementations
    for number, (name, (statistics, apply)) in enumerate(chosen.items()):
        with np.errstate(all="ignore"):
            found = list(_results(chunk, number, given, statistics, apply))
        yield from told(judge, name, found)


def _all(family):
    """Every implementation of a family, the bounds' claims apart."""
    return algorithms.UNCENTRED if family == "rms_norm" else {**algorithms.COVERED, **algorithms.NOT_COVERED}


def _results(chunk, number, given, statistics, apply):
    """(quantity, results) of one implementation; `number` chooses among forms of the smaller operations."""
    x, dy, gamma, beta = given
    mean, var = statistics(x)
    sigma = np.sqrt(var + x.dtype.type(chunk.eps))
    s, stored = 1 / sigma, lambda v: v.astype(chunk.kind.dtype)
    z = (x - mean) * s
    yield "y", (stored(apply(x, mean, sigma, gamma, beta)),)
    forms = algorithms.UNCENTRED_GRADIENTS if chunk.family == "rms_norm" else algorithms.GRADIENTS
    backward = forms[number % len(forms) if chunk.kind.inner != "float16" else 0]
    yield "dx", (stored(backward(x, mean, s, dy * gamma)),)
    dy_z, total = dy * z, algorithms.SUMS[number % len(algorithms.SUMS)]
    if chunk.family in SAMPLES:
        learnt = {"dγ": dy_z} if chunk.family == "rms_norm" else {"dγ": dy_z, "dβ": dy}
        yield ", ".join(learnt), tuple(stored(total(np.moveaxis(batches(v), 1, 0))) for v in learnt.values())
        return
    yield "dγ, dβ", (stored(total(dy_z)), stored(total(dy)))
    average = algorithms.AVERAGES[number % len(algorithms.AVERAGES)]
    old = [v.astype(x.dtype) for v in chunk.old.values()]
    new = mean, var * x.dtype.type(chunk.factor)
    weight = x.dtype.type(chunk.weight)
    yield "running mean, running variance", tuple(stored(average(a, b, weight)) for a, b in zip(old, new, strict=True))
    sigma = np.sqrt(old[1] + x.dtype.type(chunk.eps))
    yield "y in inference", (stored(apply(x, old[0], sigma, gamma, beta)),)
    s = 1 / sigma
    yield "dx in inference", (stored((dy * gamma) * s if number % 2 else dy * (gamma * s)),)
