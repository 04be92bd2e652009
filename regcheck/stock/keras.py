"""Keras' layers on TensorFlow, declared as a third party would; Keras is imported in the factories alone.

Documentation: https://keras.io/api/layers. "Seen" means measured with Keras 3.15 on TensorFlow 2.21 on a CPU.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from regcheck.implementation import Declared, Deviation, Unsupported, implements

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import numpy as np
    import tensorflow as tf

    from regcheck.families import (
        BatchNormConfig,
        DropoutConfig,
        GroupNormConfig,
        InstanceNormConfig,
        LayerNormConfig,
        MinimiserConfig,
        PenaltyConfig,
        RMSNormConfig,
        WeightDecayConfig,
    )

    Array = np.ndarray[Any, np.dtype[Any]]

STOCK_CLASSES = {
    "keras.regularizers:L1": "l1",
    "keras.regularizers:L2": "l2",
    "keras.regularizers:L1L2": "elastic_net",
    "keras.optimizers:SGD": "sgd",
    "keras.optimizers:Adam": "adam",
    "keras.optimizers:AdamW": "adamw",
    "keras.layers:Dropout": "dropout",
    "keras.layers:SpatialDropout1D": "channel_dropout_1d",
    "keras.layers:SpatialDropout2D": "channel_dropout_2d",
    "keras.layers:SpatialDropout3D": "channel_dropout_3d",
    "keras.layers:AlphaDropout": "alpha_dropout",
    "keras.layers:GaussianDropout": "gaussian_dropout",
    "keras.layers:BatchNormalization": "batch_norm",
    "keras.layers:LayerNormalization": "layer_norm",
    "keras.layers:RMSNormalization": "rms_norm",
    "keras.layers:GroupNormalization": "group_norm",
}

_FLUSHED = {
    "subnormals": Declared("flushed", "tsl/platform/denormal.h, ScopedFlushDenormal; seen: 1e-40·1 = 0 in float32")
}
# A single value has variance 0 and gives β.
_BATCH_NORM = {
    "running_variance": Declared(
        "biased",
        "keras/src/layers/normalization/batch_normalization.py: `moving_variance` takes in the variance of `_moments`, "
        "which divides by m",
    ),
    "compute_dtype": Declared(
        "float32",
        'keras/src/layers/normalization/batch_normalization.py: "BN is prone to overflow with float16/bfloat16 inputs, '
        'so we upcast to float32"',
    ),
    "batch_invariance": Declared(
        "bitwise",
        "inference multiplies and adds elementwise; seen: 12 168 samples of 1 to 257 channels, both axes, three dtypes",
    ),
    **_FLUSHED,
}

# A row's bits do depend on the batch (seen: 157 of 1 054 rows in float32).
_LAYER_NORM = {
    "compute_dtype": Declared(
        "float32", 'keras/src/ops/nn.py, _layer_normalization: "Computes in at least float32 precision"'
    ),
    **_FLUSHED,
}
# keras.ops.moments is tf.nn.moments: "squared_difference(y, stop_gradient(mean))" (nn_impl.py), with the note that
# "stop_gradient does not change the gradient", which is so; the gradient's own derivative it does change.
_STOPPED = (
    "the variance is taken about a mean that is a constant to differentiation: the gradient is right, its own is not: "
    "reports/findings/tensorflow-moments-second-derivative.md"
)
_MODES = ("reverse-over-reverse", "forward-over-reverse", "reverse-over-forward")
_MOMENTS = {
    family: dict.fromkeys([f"{family}.second-derivative-{mode}" for mode in _MODES], _STOPPED)
    for family in ("batch_norm", "layer_norm", "group_norm", "instance_norm")
}
_BATCH_DEVIATIONS = {
    **_MOMENTS["batch_norm"],
    "common.empty-batch": (
        "an empty batch is accepted in training, and the moving averages become NaN: "
        "reports/findings/keras-batch-norm-empty-batch.md"
    ),
}
# random.dropout is tf.nn.experimental.stateless_dropout, which draws its uniform numbers in the dtype of x. In half
# they are multiples of 2^-10, so that the rate becomes the next such multiple (seen: 0.0020 for 0.001).
_HALF_RATE = (
    "uniform numbers are drawn in half precision, so that a rate becomes the next multiple of 2^-10: "
    "reports/findings/tensorflow-dropout-half-rate.md"
)
_RATE, _CHANNEL_RATE, _SAMPLE_RATE = (
    {f"{family}.rate": Deviation(_HALF_RATE, strata=("float16",))}
    for family in ("dropout", "channel_dropout", "drop_path")
)

# keras/src/regularizers/regularizers.py: `ops.cast(self.l2, dtype=x.dtype) * …`, and the backend's tf.cast makes
# a Python number a float32 tensor first: 0.3 becomes 0.30000001192092896 beside float64 weights.
_STRENGTH = Deviation(
    "a strength is rounded to float32 before it meets float64 weights: reports/findings/keras-regularizer-strength.md",
    strata=("float64",),
)
_LINEAR = ("value-matches-definition", "linear-in-strength", "gradient-matches-definition")
_L1 = dict.fromkeys([f"l1.{law}" for law in (*_LINEAR, "gradient-jump", "minimum-at-zero")], _STRENGTH)
_TWICE = tuple(f"second-derivative-{mode}" for mode in _MODES)
_L2 = dict.fromkeys(
    [f"l2.{law}" for law in (*_LINEAR, *_TWICE, "no-gradient-jump", "l2-factor-as-declared")], _STRENGTH
)
_BOTH = ("gradient-jump", "minimum-at-zero", "l2-factor-as-declared", "without-l1-is-l2", "without-l2-is-l1")
_L1L2 = dict.fromkeys([f"elastic_net.{law}" for law in (*_LINEAR, *_TWICE, *_BOTH)], _STRENGTH)


@implements("l1", name="keras.L1", framework="keras", declares=_FLUSHED, deviations=_L1)
def l1(config: PenaltyConfig) -> keras.regularizers.Regularizer:
    """keras.regularizers.L1."""
    import keras  # noqa: PLC0415

    return keras.regularizers.L1(config.l1)


@implements("l2", name="keras.L2", framework="keras", declares=_FLUSHED, deviations=_L2)
def l2(config: PenaltyConfig) -> keras.regularizers.Regularizer:
    """keras.regularizers.L2, "computed as loss = l2 * reduce_sum(square(x))": no ½."""
    import keras  # noqa: PLC0415

    return keras.regularizers.L2(config.l2)


@implements("elastic_net", name="keras.L1L2", framework="keras", declares=_FLUSHED, deviations=_L1L2)
def elastic_net(config: PenaltyConfig) -> keras.regularizers.Regularizer:
    """keras.regularizers.L1L2."""
    import keras  # noqa: PLC0415

    return keras.regularizers.L1L2(config.l1, config.l2)


@implements("dropout", name="keras.Dropout", framework="keras", declares=_FLUSHED, deviations=_RATE)
def dropout(config: DropoutConfig) -> keras.Layer:
    """keras.layers.Dropout; its mask selects (`where`), and its seed generator is its own."""
    import keras  # noqa: PLC0415

    return keras.layers.Dropout(config.rate)


# keras/src/layers/regularization/spatial_dropout.py: dropout with the noise shape (N, 1, …, C), channels last.
@implements(
    "channel_dropout", name="keras.SpatialDropout1D", framework="keras", declares=_FLUSHED, deviations=_CHANNEL_RATE
)
def channel_dropout_1d(config: DropoutConfig) -> keras.Layer:
    """keras.layers.SpatialDropout1D, of (N, L, C)."""
    return _channel_dropout(1, config)


@implements(
    "channel_dropout", name="keras.SpatialDropout2D", framework="keras", declares=_FLUSHED, deviations=_CHANNEL_RATE
)
def channel_dropout_2d(config: DropoutConfig) -> keras.Layer:
    """keras.layers.SpatialDropout2D, of (N, H, W, C)."""
    return _channel_dropout(2, config)


@implements(
    "channel_dropout", name="keras.SpatialDropout3D", framework="keras", declares=_FLUSHED, deviations=_CHANNEL_RATE
)
def channel_dropout_3d(config: DropoutConfig) -> keras.Layer:
    """keras.layers.SpatialDropout3D, of (N, D, H, W, C)."""
    return _channel_dropout(3, config)


def _channel_dropout(ndim: int, config: DropoutConfig) -> keras.Layer:
    import keras  # noqa: PLC0415

    if config.ndim != ndim:
        msg = f"keras.layers.SpatialDropout{ndim}D takes {ndim} spatial axes, not {config.ndim}"
        raise Unsupported(msg)
    layer: type[keras.layers.SpatialDropout1D] = getattr(keras.layers, f"SpatialDropout{ndim}D")
    return layer(config.rate)


@implements("drop_path", name="keras.Dropout.samples", framework="keras", declares=_FLUSHED, deviations=_SAMPLE_RATE)
def drop_path(config: DropoutConfig) -> keras.Layer:
    """keras.layers.Dropout with a `noise_shape` of whole samples, (N, 1, …), of inputs of any rank."""
    import keras  # noqa: PLC0415

    class WholeSamples(keras.layers.Dropout):  # type: ignore[misc]  # Keras is not installed where types are checked
        def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
            self.noise_shape = (None, *(1,) * (len(inputs.shape) - 1))
            return super().call(inputs, training=training)

    return WholeSamples(config.rate)


# Its uniform numbers are float32 whatever the dtype of x, so that half precision has the right rate.
_ALPHA_DROPOUT = {
    "dropped_nonfinite": Declared(
        "nan",
        "keras/src/layers/regularization/alpha_dropout.py: `x = inputs * kept_idx + alpha_p * (1 - kept_idx)`, "
        "and ∞·0 is NaN",
    ),
    **_FLUSHED,
}


@implements("alpha_dropout", name="keras.AlphaDropout", framework="keras", declares=_ALPHA_DROPOUT)
def alpha_dropout(config: DropoutConfig) -> keras.Layer:
    """keras.layers.AlphaDropout."""
    import keras  # noqa: PLC0415

    return keras.layers.AlphaDropout(config.rate)


@implements("gaussian_dropout", name="keras.GaussianDropout", framework="keras", declares=_FLUSHED)
def gaussian_dropout(config: DropoutConfig) -> keras.Layer:
    """keras.layers.GaussianDropout: "standard deviation `sqrt(rate / (1 - rate))`"."""
    import keras  # noqa: PLC0415

    return keras.layers.GaussianDropout(config.rate)


@implements(
    "batch_norm", name="keras.BatchNormalization", framework="keras", declares=_BATCH_NORM, deviations=_BATCH_DEVIATIONS
)
def batch_norm(config: BatchNormConfig) -> keras.Layer:
    """keras.layers.BatchNormalization over the last axis."""
    return _batch_norm(config, axis=-1)


@implements(
    "batch_norm",
    name="keras.BatchNormalization.axis1",
    framework="keras",
    declares=_BATCH_NORM,
    deviations=_BATCH_DEVIATIONS,
)
def batch_norm_axis1(config: BatchNormConfig) -> keras.Layer:
    """keras.layers.BatchNormalization over axis 1."""
    return _batch_norm(config, axis=1)


def _batch_norm(config: BatchNormConfig, axis: int) -> keras.Layer:
    import keras  # noqa: PLC0415

    return keras.layers.BatchNormalization(
        axis=axis,
        momentum=1 - config.momentum,  # "moving_mean = moving_mean * momentum + mean(batch) * (1 - momentum)"
        epsilon=config.eps,
        center=config.affine,
        scale=config.affine,
    )


@implements(
    "layer_norm",
    name="keras.LayerNormalization",
    framework="keras",
    declares=_LAYER_NORM,
    deviations=_MOMENTS["layer_norm"],
)
def layer_norm(config: LayerNormConfig) -> keras.Layer:
    """keras.layers.LayerNormalization over the trailing axes."""
    import keras  # noqa: PLC0415

    axes = list(range(-len(config.shape), 0))
    return keras.layers.LayerNormalization(axis=axes, epsilon=config.eps, center=config.affine, scale=config.affine)


# A row's bits depend on the batch (seen: 102 of 792 rows in three dtypes).
_RMS_NORM = {
    "compute_dtype": Declared(
        "float32",
        'keras/src/ops/nn.py, _rms_normalization: "Computes in at least float32 precision for stability in half '
        'precision training"',
    ),
    **_FLUSHED,
}
# keras/src/ops/nn.py, _rms_normalization: `outputs = backend.numpy.multiply(outputs, scale)`; the layer has no
# `input_spec`.
_BROADCAST = {"common.wrong-shape-raises": "the number of features is not checked: one feature, or one γ, is broadcast"}


@implements("rms_norm", name="keras.RMSNormalization", framework="keras", declares=_RMS_NORM, deviations=_BROADCAST)
def rms_norm(config: RMSNormConfig) -> keras.Layer:
    """keras.layers.RMSNormalization over the trailing axes."""
    if not config.affine:
        msg = "keras.layers.RMSNormalization always has a scale"
        raise Unsupported(msg)
    import keras  # noqa: PLC0415

    return keras.layers.RMSNormalization(axis=list(range(-len(config.shape), 0)), epsilon=config.eps)


# The result is x·inv − mean·inv with inv = γ/√(σ² + ε).
_GROUP_NORM = {
    "compute_dtype": Declared(
        "float32",
        'keras/src/layers/normalization/group_normalization.py: "GN is prone to overflow with float16/bfloat16 inputs, '
        'so we upcast to float32"',
    ),
    **_FLUSHED,
}


@implements(
    "group_norm",
    name="keras.GroupNormalization",
    framework="keras",
    declares=_GROUP_NORM,
    deviations=_MOMENTS["group_norm"],
)
def group_norm(config: GroupNormConfig) -> keras.Layer:
    """keras.layers.GroupNormalization over the last axis."""
    return _group_norm(config, config.groups)


@implements(
    "instance_norm",
    name="keras.GroupNormalization.instances",
    framework="keras",
    declares=_GROUP_NORM,
    deviations=_MOMENTS["instance_norm"],
)
def instance_norm(config: InstanceNormConfig) -> keras.Layer:
    """keras.layers.GroupNormalization: "identical to Instance Normalization … via `groups=-1`"."""
    return _group_norm(config, -1)


def _group_norm(config: GroupNormConfig | InstanceNormConfig, groups: int) -> keras.Layer:
    import keras  # noqa: PLC0415

    return keras.layers.GroupNormalization(groups, epsilon=config.eps, center=config.affine, scale=config.affine)


class FollowTheLeader:
    """keras.optimizers.Ftrl on ½‖Aw − b‖², the penalties being the optimiser's own."""

    def __init__(self, l1: float, l2: float) -> None:
        self.l1, self.l2 = l1, l2

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) float64 for A (n, k) and b (n,). Raises ValueError for other shapes."""
        import numpy as np  # noqa: PLC0415

        from regcheck.stock._problem import checked  # noqa: PLC0415

        a, b = checked(a, b)
        curvature = float(np.linalg.norm(a, 2)) ** 2 if a.size else 0.0
        return np.array(_following(self.l1, self.l2, a.shape[1])(a, b, curvature or 1.0).numpy())


ACCUMULATED = 0.1  # Ftrl's own initial_accumulator_value


@functools.cache
def _following(l1: float, l2: float, k: int, steps: int = 300) -> Callable[..., tf.Tensor]:
    """(A, b, ‖A‖²) -> w: a descent of so many steps from 0, as one traced function.

    A step divides the gradient by √accumulator/η: with η = √accumulator/‖A‖² at the start it never overshoots. With a
    larger η the first steps multiply rounding errors, until the result depends on the order of the columns.
    """
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    w = keras.Variable(keras.ops.zeros(k), dtype="float64")
    optimiser = keras.optimizers.Ftrl(
        l1_regularization_strength=l1, l2_regularization_strength=l2, initial_accumulator_value=ACCUMULATED
    )
    optimiser.build([w])
    start = [(variable, variable.numpy()) for variable in (w, *optimiser.variables)]
    signature = [tf.TensorSpec(shape, tf.float64) for shape in ([None, k], [None], [])]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def follow(a: tf.Tensor, b: tf.Tensor, curvature: tf.Tensor) -> tf.Tensor:
        for variable, value in start:
            variable.assign(value)
        optimiser.learning_rate.assign(ACCUMULATED**0.5 / curvature)
        for _ in tf.range(steps):
            residual = tf.linalg.matvec(a, w.value) - b
            optimiser.apply([tf.linalg.matvec(a, residual, transpose_a=True)], [w])
        return tf.identity(w.value)

    found: Callable[..., tf.Tensor] = follow
    return found


# keras/src/optimizers/ftrl.py: the accumulated squares of past gradients divide the linear term, while the penalties
# stay as they are beside a sum of gradients that grows: their weight against the data is not that of the objective.
_FADING = Deviation("gradients accumulate beside the penalties, so that w does not minimise the penalised objective")
_UNSOLVED = (
    "zero-crossing",
    "all-zero-threshold",
    "l1-picks-one",
    "l2-groups",
    "l2-never-zero",
    "kkt",
    "near-minimum",
    "closed-form",
    "constrained-form",
    "monotone-in-strength",
    "scale-equivariant",
    "stability",
)


@implements(
    "minimiser",
    name="keras.Ftrl",
    framework="keras",
    deviations=dict.fromkeys([f"minimiser.{law}" for law in _UNSOLVED], _FADING),
    dtypes=("float64",),
)
def ftrl(config: MinimiserConfig) -> FollowTheLeader:
    """keras.optimizers.Ftrl."""
    return FollowTheLeader(config.l1, config.l2)


# keras/src/optimizers/base_optimizer.py, _apply_weight_decay: `variable.assign(variable - variable * wd * lr)`, for
# every optimiser, before its own step.
_ADAPTIVE = {
    "optimiser": Declared(
        "adaptive", "keras/src/optimizers/adam.py: the step is m·alpha/(√v + epsilon), v the average of g²"
    ),
    **_FLUSHED,
}
# The same file keeps the learning rate in `backend.Variable(learning_rate, ..., dtype=backend.floatx())`: beside
# float64 weights 0.3 becomes 0.30000001192092896.
_RATE_IN_SINGLE = Deviation(
    "the learning rate is rounded to float32 before it meets float64 weights", strata=("float64",)
)
_DECAYS = dict.fromkeys(
    [f"weight_decay.{law}" for law in ("shrinks-by-its-share", "decay-as-declared")], _RATE_IN_SINGLE
)
_DESCENDS = _DECAYS | dict.fromkeys(
    [f"weight_decay.{law}" for law in ("matches-definition", "optimiser-as-declared")], _RATE_IN_SINGLE
)


@implements("weight_decay", name="keras.optimizers.SGD", framework="keras", declares=_FLUSHED, deviations=_DESCENDS)
def sgd(config: WeightDecayConfig) -> keras.optimizers.Optimizer:
    """keras.optimizers.SGD."""
    import keras  # noqa: PLC0415

    return keras.optimizers.SGD(config.learning_rate, weight_decay=config.decay)


@implements(
    "weight_decay", name="keras.optimizers.SGD.momentum", framework="keras", declares=_FLUSHED, deviations=_DESCENDS
)
def sgd_momentum(config: WeightDecayConfig) -> keras.optimizers.Optimizer:
    """keras.optimizers.SGD with momentum, in which no decay takes part."""
    import keras  # noqa: PLC0415

    return keras.optimizers.SGD(config.learning_rate, momentum=0.9, weight_decay=config.decay)


@implements("weight_decay", name="keras.optimizers.Adam", framework="keras", declares=_ADAPTIVE, deviations=_DECAYS)
def adam(config: WeightDecayConfig) -> keras.optimizers.Optimizer:
    """keras.optimizers.Adam: decoupled, unlike what the name means elsewhere."""
    import keras  # noqa: PLC0415

    return keras.optimizers.Adam(config.learning_rate, weight_decay=config.decay)


@implements("weight_decay", name="keras.optimizers.AdamW", framework="keras", declares=_ADAPTIVE, deviations=_DECAYS)
def adamw(config: WeightDecayConfig) -> keras.optimizers.Optimizer:
    """keras.optimizers.AdamW."""
    import keras  # noqa: PLC0415

    return keras.optimizers.AdamW(config.learning_rate, weight_decay=config.decay)
