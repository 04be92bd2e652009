"""The NumPy layers of this project, declared as a third party would; NumPy is imported in the factories alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck.implementation import Declared, implements

if TYPE_CHECKING:
    from regcheck.families import (
        BatchNormConfig,
        DropoutConfig,
        GroupNormConfig,
        InstanceNormConfig,
        LayerNormConfig,
        MinimiserConfig,
        PenaltyConfig,
        PriorConfig,
        RMSNormConfig,
        WeightDecayConfig,
    )
    from regcheck.numpy_layers.alpha_dropout import AlphaDropout, ChannelAlphaDropout
    from regcheck.numpy_layers.batch_norm import BatchNorm
    from regcheck.numpy_layers.dropout import ChannelDropout, Dropout, DropPath
    from regcheck.numpy_layers.gaussian_dropout import GaussianDropout
    from regcheck.numpy_layers.group_norm import GroupNorm, InstanceNorm
    from regcheck.numpy_layers.layer_norm import LayerNorm
    from regcheck.numpy_layers.minimiser import FISTA, CoordinateDescent
    from regcheck.numpy_layers.penalties import ElasticNet
    from regcheck.numpy_layers.priors import Gaussian, Laplace
    from regcheck.numpy_layers.rms_norm import RMSNorm
    from regcheck.numpy_layers.weight_decay import SGD, AdamW

_NORM = {
    "compute_dtype": Declared("float32", "regcheck/numpy_layers/inputs.py, compute_dtype: float32 for float16"),
    "batch_invariance": Declared("bitwise", "every sample is a row of its own memory and is summed by itself"),
}
_ADAPTIVE = Declared("adaptive", "Loshchilov and Hutter 2019, algorithm 2: m̂/(√v̂ + ε)")
_SOLVER = {"tolerance": Declared(1e-10, "regcheck/numpy_layers/minimiser.py ends at this duality gap")}


@implements("layer_norm", framework="numpy", name="numpy.layer_norm", declares=_NORM)
def layer_norm(config: LayerNormConfig) -> LayerNorm:
    """Two-pass layer normalisation."""
    from regcheck.numpy_layers.layer_norm import LayerNorm  # noqa: PLC0415

    return LayerNorm(config.shape, eps=config.eps, affine=config.affine)


@implements("rms_norm", framework="numpy", name="numpy.rms_norm", declares=_NORM)
def rms_norm(config: RMSNormConfig) -> RMSNorm:
    """RMS normalisation."""
    from regcheck.numpy_layers.rms_norm import RMSNorm  # noqa: PLC0415

    return RMSNorm(config.shape, eps=config.eps, affine=config.affine)


@implements("batch_norm", framework="numpy", name="numpy.batch_norm", declares=_NORM)
def batch_norm(config: BatchNormConfig) -> BatchNorm:
    """Two-pass batch normalisation with the unbiased running variance."""
    from regcheck.numpy_layers.batch_norm import BatchNorm  # noqa: PLC0415

    return BatchNorm(config.channels, config.ndim, eps=config.eps, momentum=config.momentum, affine=config.affine)


@implements("group_norm", framework="numpy", name="numpy.group_norm", declares=_NORM)
def group_norm(config: GroupNormConfig) -> GroupNorm:
    """Two-pass group normalisation."""
    from regcheck.numpy_layers.group_norm import GroupNorm  # noqa: PLC0415

    return GroupNorm(config.channels, config.groups, config.ndim, eps=config.eps, affine=config.affine)


@implements("instance_norm", framework="numpy", name="numpy.instance_norm", declares=_NORM)
def instance_norm(config: InstanceNormConfig) -> InstanceNorm:
    """Two-pass instance normalisation."""
    from regcheck.numpy_layers.group_norm import InstanceNorm  # noqa: PLC0415

    return InstanceNorm(config.channels, config.ndim, eps=config.eps, affine=config.affine)


@implements("dropout", framework="numpy", name="numpy.dropout")
def dropout(config: DropoutConfig) -> Dropout:
    """Inverted dropout with a generator of its own."""
    from regcheck.numpy_layers.dropout import Dropout  # noqa: PLC0415

    return Dropout(config.rate)


@implements("channel_dropout", framework="numpy", name="numpy.channel_dropout")
def channel_dropout(config: DropoutConfig) -> ChannelDropout:
    """Inverted dropout of whole channels."""
    from regcheck.numpy_layers.dropout import ChannelDropout  # noqa: PLC0415

    return ChannelDropout(config.rate, config.ndim)


@implements("drop_path", framework="numpy", name="numpy.drop_path")
def drop_path(config: DropoutConfig) -> DropPath:
    """Inverted dropout of whole samples."""
    from regcheck.numpy_layers.dropout import DropPath  # noqa: PLC0415

    return DropPath(config.rate)


@implements("alpha_dropout", framework="numpy", name="numpy.alpha_dropout")
def alpha_dropout(config: DropoutConfig) -> AlphaDropout:
    """Alpha dropout with a generator of its own."""
    from regcheck.numpy_layers.alpha_dropout import AlphaDropout  # noqa: PLC0415

    return AlphaDropout(config.rate)


@implements("channel_alpha_dropout", framework="numpy", name="numpy.channel_alpha_dropout")
def channel_alpha_dropout(config: DropoutConfig) -> ChannelAlphaDropout:
    """Alpha dropout of whole channels."""
    from regcheck.numpy_layers.alpha_dropout import ChannelAlphaDropout  # noqa: PLC0415

    return ChannelAlphaDropout(config.rate, config.ndim)


@implements("gaussian_dropout", framework="numpy", name="numpy.gaussian_dropout")
def gaussian_dropout(config: DropoutConfig) -> GaussianDropout:
    """Gaussian dropout with a generator of its own."""
    from regcheck.numpy_layers.gaussian_dropout import GaussianDropout  # noqa: PLC0415

    return GaussianDropout(config.rate)


@implements("l1", framework="numpy", name="numpy.l1")
def l1(config: PenaltyConfig) -> ElasticNet:
    """λ·Σ|w|."""
    from regcheck.numpy_layers.penalties import ElasticNet  # noqa: PLC0415

    return ElasticNet(l1=config.l1)


@implements("l2", framework="numpy", name="numpy.l2")
def l2(config: PenaltyConfig) -> ElasticNet:
    """λ·Σw², without ½."""
    from regcheck.numpy_layers.penalties import ElasticNet  # noqa: PLC0415

    return ElasticNet(l2=config.l2)


@implements("elastic_net", framework="numpy", name="numpy.elastic_net")
def elastic_net(config: PenaltyConfig) -> ElasticNet:
    """l1·Σ|w| + l2·Σw²."""
    from regcheck.numpy_layers.penalties import ElasticNet  # noqa: PLC0415

    return ElasticNet(l1=config.l1, l2=config.l2)


@implements("minimiser", framework="numpy", name="numpy.fista", declares=_SOLVER, dtypes=("float64",))
def fista(config: MinimiserConfig) -> FISTA:
    """Accelerated proximal gradient."""
    from regcheck.numpy_layers.minimiser import FISTA  # noqa: PLC0415

    return FISTA(l1=config.l1, l2=config.l2)


@implements("minimiser", framework="numpy", name="numpy.coordinate_descent", declares=_SOLVER, dtypes=("float64",))
def coordinate_descent(config: MinimiserConfig) -> CoordinateDescent:
    """Cyclic coordinate descent."""
    from regcheck.numpy_layers.minimiser import CoordinateDescent  # noqa: PLC0415

    return CoordinateDescent(l1=config.l1, l2=config.l2)


@implements("laplace_prior", framework="numpy", name="numpy.laplace")
def laplace(config: PriorConfig) -> Laplace:
    """exp(−|w|/b)/(2b)."""
    from regcheck.numpy_layers.priors import Laplace  # noqa: PLC0415

    return Laplace(config.scale)


@implements("gaussian_prior", framework="numpy", name="numpy.gaussian")
def gaussian(config: PriorConfig) -> Gaussian:
    """exp(−w²/(2σ²))/(σ√(2π))."""
    from regcheck.numpy_layers.priors import Gaussian  # noqa: PLC0415

    return Gaussian(config.scale)


@implements("weight_decay", framework="numpy", name="numpy.sgd")
def sgd(config: WeightDecayConfig) -> SGD:
    """Gradient descent."""
    from regcheck.numpy_layers.weight_decay import SGD  # noqa: PLC0415

    return SGD(config.learning_rate, config.decay)


@implements("weight_decay", framework="numpy", name="numpy.sgd.momentum")
def sgd_momentum(config: WeightDecayConfig) -> SGD:
    """Gradient descent with momentum, in which no decay takes part."""
    from regcheck.numpy_layers.weight_decay import SGD  # noqa: PLC0415

    return SGD(config.learning_rate, config.decay, momentum=0.9)


@implements("weight_decay", framework="numpy", name="numpy.adamw", declares={"optimiser": _ADAPTIVE})
def adamw(config: WeightDecayConfig) -> AdamW:
    """AdamW."""
    from regcheck.numpy_layers.weight_decay import AdamW  # noqa: PLC0415

    return AdamW(config.learning_rate, config.decay)
