"""TensorFlow's operations, declared as a third party would; TensorFlow is imported in the factories alone.

Documentation: https://www.tensorflow.org/api_docs/python/tf/nn. "Seen" means measured with TensorFlow 2.21 on a CPU.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from regcheck.implementation import Declared, Deviation, Unsupported, implements

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import tensorflow as tf

    from regcheck.families import BatchNormConfig, DropoutConfig, MinimiserConfig, PenaltyConfig

    Array = np.ndarray[Any, np.dtype[Any]]

STOCK_CLASSES: dict[str, str] = {}
_FLUSHED = {
    "subnormals": Declared("flushed", "tsl/platform/denormal.h, ScopedFlushDenormal; seen: 1e-40·1 = 0 in float32")
}
_EMPTY = {"common.empty-batch": "an empty batch is accepted in training, and the moving averages become NaN"}
# tf.nn.moments takes the variance about stop_gradient(mean) (nn_impl.py), with the note that it "does not change the
# gradient", which is so; the gradient's own derivative it does change. The fused operation is right.
_STOPPED = {
    f"batch_norm.second-derivative-{mode}": (
        "the variance is taken about a mean that is a constant when it is differentiated twice: "
        "reports/findings/tensorflow-moments-second-derivative.md"
    )
    for mode in ("reverse-over-reverse", "forward-over-reverse", "reverse-over-forward")
}
# nn_ops._dropout draws its uniform numbers in the dtype of x. In half they are multiples of 2^-10, so that the rate
# becomes the next such multiple (seen: 0.0019 for 0.001).
_HALF_RATE = (
    "uniform numbers are drawn in half precision, so that a rate becomes the next multiple of 2^-10: "
    "reports/findings/tensorflow-dropout-half-rate.md"
)
_RATE = {"dropout.rate": Deviation(_HALF_RATE, strata=("float16",))}


@implements("l1", name="tensorflow.norm", framework="tensorflow", declares=_FLUSHED)
def l1(config: PenaltyConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """l1·‖w‖₁ by tf.norm."""
    import tensorflow as tf  # noqa: PLC0415

    return lambda w: config.l1 * tf.norm(w, ord=1)


_HALVED = Declared(
    "0.5", 'tf.nn.l2_loss: "Computes half the L2 norm of a tensor without the sqrt: output = sum(t ** 2) / 2"'
)


@implements("l2", name="tensorflow.l2_loss", framework="tensorflow", declares={"l2_factor": _HALVED, **_FLUSHED})
def l2(config: PenaltyConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """l2·½Σw² by tf.nn.l2_loss."""
    import tensorflow as tf  # noqa: PLC0415

    return lambda w: config.l2 * tf.nn.l2_loss(w)


_GLOBAL = Declared("process", 'tf.random.set_seed: "Sets the global random seed", from which tf.nn.dropout draws')


@implements(
    "dropout",
    name="tensorflow.dropout",
    framework="tensorflow",
    declares={"random_stream": _GLOBAL, **_FLUSHED},
    deviations=_RATE,
)
def dropout(config: DropoutConfig) -> Callable[[tf.Tensor, bool], tf.Tensor]:
    """tf.nn.dropout, drawing from the process' generator; its mask selects (`where`)."""
    import tensorflow as tf  # noqa: PLC0415

    _refuse_rate_one("tf.nn.dropout", config)
    return lambda x, training: tf.nn.dropout(x, config.rate) if training else x


@implements("dropout", name="tensorflow.stateless_dropout", framework="tensorflow", declares=_FLUSHED, deviations=_RATE)
def stateless_dropout(config: DropoutConfig) -> Callable[..., tf.Tensor]:
    """tf.nn.experimental.stateless_dropout."""
    import tensorflow as tf  # noqa: PLC0415

    _refuse_rate_one("tf.nn.experimental.stateless_dropout", config)

    def layer(x: tf.Tensor, training: bool, seed: int) -> tf.Tensor:  # noqa: FBT001
        return tf.nn.experimental.stateless_dropout(x, config.rate, seed=[seed, 0]) if training else x

    return layer


def _refuse_rate_one(name: str, config: DropoutConfig) -> None:
    if config.rate == 1:
        msg = f"{name} takes a rate in [0, 1), not 1"
        raise Unsupported(msg)


# The fused operation returns the batch variance with Bessel's correction (fused_batch_norm_op.cc,
# `rest_size_adjust`), where one value per channel divides by max(m − 1, 1). No float64: "T: Must be one of the
# following types: half, bfloat16, float32".
_FUSED = {
    "compute_dtype": Declared(
        "float32", 'tf.raw_ops.FusedBatchNormV3: "U: The data type for the scale, offset, mean, and variance", float32'
    ),
    "batch_invariance": Declared("bitwise", "seen: 2 028 samples alone and in a batch"),
    **_FLUSHED,
}


@implements(
    "batch_norm",
    name="tensorflow.fused_batch_norm",
    framework="tensorflow",
    declares=_FUSED,
    deviations=_EMPTY,
    dtypes=("float16", "float32"),
)
def fused_batch_norm(config: BatchNormConfig) -> tf.Module:
    """tf.compat.v1.nn.fused_batch_norm of (N, H, W, C) and (N, D, H, W, C)."""
    import tensorflow as tf  # noqa: PLC0415

    if config.ndim not in {2, 3}:
        msg = f"tf.compat.v1.nn.fused_batch_norm takes 2 or 3 spatial axes, not {config.ndim}"
        raise Unsupported(msg)

    def normalise(layer: Any, x: tf.Tensor, training: bool) -> tf.Tensor:  # noqa: FBT001
        affine = (layer.gamma, layer.beta) if config.affine else (tf.ones(x.shape[-1]), tf.zeros(x.shape[-1]))
        wide = [tf.cast(v, tf.float32) for v in (*affine, layer.moving_mean, layer.moving_variance)]
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            *wide,
            epsilon=config.eps,
            data_format="NHWC" if config.ndim == 2 else "NDHWC",
            is_training=training,
            exponential_avg_factor=config.momentum,
        )
        if training:
            layer.moving_mean.assign(tf.cast(mean, x.dtype))
            layer.moving_variance.assign(tf.cast(variance, x.dtype))
        return y

    return _module(config, normalise)


# Not in half precision, where x·k + (β − mean·k), the form of tf.nn.batch_normalization, overflows for quite ordinary x
# (seen: x = 300 ± 1).
_MOMENTS = {
    "running_variance": Declared("biased", 'tf.nn.moments: "Calculates the mean and variance of x", divided by m'),
    "batch_invariance": Declared("bitwise", "seen: 6 084 samples alone and in a batch"),
    **_FLUSHED,
}


@implements(
    "batch_norm",
    name="tensorflow.batch_normalization",
    framework="tensorflow",
    declares=_MOMENTS,
    deviations={**_EMPTY, **_STOPPED},
    dtypes=("float32", "float64"),
)
def batch_normalization(config: BatchNormConfig) -> tf.Module:
    """tf.nn.batch_normalization with tf.nn.moments, the moving averages being kept by hand."""
    import tensorflow as tf  # noqa: PLC0415

    def normalise(layer: Any, x: tf.Tensor, training: bool) -> tf.Tensor:  # noqa: FBT001
        if training:
            mean, variance = tf.nn.moments(x, list(range(x.shape.rank - 1)))
            layer.moving_mean.assign_add(config.momentum * (mean - layer.moving_mean))
            layer.moving_variance.assign_add(config.momentum * (variance - layer.moving_variance))
        else:
            mean, variance = layer.moving_mean, layer.moving_variance
        return tf.nn.batch_normalization(x, mean, variance, layer.beta, layer.gamma, config.eps)

    return _module(config, normalise)


def _module(config: BatchNormConfig, normalise: Callable[[Any, tf.Tensor, bool], tf.Tensor]) -> tf.Module:
    """A tf.Module that creates its variables, in the dtype of its input, in its first call."""
    import tensorflow as tf  # noqa: PLC0415

    starts = {"moving_mean": 0, "moving_variance": 1, **({"gamma": 1, "beta": 0} if config.affine else {})}

    class BatchNorm(tf.Module):  # type: ignore[misc]  # TensorFlow is not installed where types are checked
        built, gamma, beta = False, None, None

        def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:  # noqa: FBT001
            if x.shape.rank != config.ndim + 2 or x.shape[-1] != config.channels:
                msg = f"Invalid input. Expected {config.channels} channels at the end. Received: shape {x.shape}."
                raise ValueError(msg)
            if not self.built:
                for name, value in starts.items():
                    filled = tf.fill([config.channels], tf.cast(value, x.dtype))
                    setattr(self, name, tf.Variable(filled, trainable=name in {"gamma", "beta"}, name=name))
            self.built = True
            return normalise(self, x, training)

    return BatchNorm()


class ProximalDescent:
    """Accelerated proximal gradient whose every step is tf.raw_ops.ResourceApplyProximalGradientDescent.

    The operation gives sign(v)·max(|v| − alpha·l1, 0)/(1 + alpha·l2) for v = var − alpha·delta: its l2 is the ½-scaled
    one, twice the document's.
    """

    def __init__(self, l1: float, l2: float, steps: int = 2000) -> None:
        self.l1, self.l2, self.steps = l1, l2, steps

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) float64 for A (n, k) and b (n,). Raises ValueError for other shapes."""
        import numpy as np  # noqa: PLC0415

        from regcheck.stock._problem import checked  # noqa: PLC0415

        a, b = checked(a, b)
        curvature = float(np.linalg.norm(a, 2)) ** 2 if a.size else 0.0
        alpha = 1 / curvature if curvature else 1.0
        return np.array(_descent()(a, b, alpha, self.l1, 2 * self.l2, self.steps).numpy())


@functools.cache
def _descent() -> Callable[..., tf.Tensor]:
    """(A, b, alpha, l1, l2, steps) -> w: the descent as one traced function."""
    import tensorflow as tf  # noqa: PLC0415

    var = tf.Variable(tf.zeros(1, tf.float64), shape=[None])
    number, count = tf.TensorSpec([], tf.float64), tf.TensorSpec([], tf.int32)
    vector, matrix = tf.TensorSpec([None], tf.float64), tf.TensorSpec([None, None], tf.float64)

    def step(a: tf.Tensor, b: tf.Tensor, ahead: tf.Tensor, **scalars: tf.Tensor) -> tf.Tensor:
        var.assign(ahead)
        delta = tf.linalg.matvec(a, tf.linalg.matvec(a, ahead) - b, transpose_a=True)
        tf.raw_ops.ResourceApplyProximalGradientDescent(var=var.handle, delta=delta, **scalars)
        return var.read_value()

    @tf.function(input_signature=[matrix, vector, number, number, number, count])  # type: ignore[untyped-decorator]
    def descend(  # noqa: PLR0913, PLR0917  (the operation's arguments)
        a: tf.Tensor, b: tf.Tensor, alpha: tf.Tensor, l1: tf.Tensor, l2: tf.Tensor, steps: tf.Tensor
    ) -> tf.Tensor:
        def advance(w: tf.Tensor, ahead: tf.Tensor, t: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
            new = step(a, b, ahead, alpha=alpha, l1=l1, l2=l2)
            settled = tf.reduce_all(tf.abs(new - ahead) <= 4e-16 * tf.reduce_max(tf.abs(new)))
            # O'Donoghue and Candès 2015: restart where the momentum points uphill
            t = tf.where(tf.tensordot(ahead - new, new - w, 1) > 0, tf.ones_like(t), t)
            following = (1 + tf.sqrt(1 + 4 * t * t)) / 2
            return new, new + (t - 1) / following * (new - w), following, settled

        start = tf.zeros(tf.shape(a)[1], tf.float64)
        state = (start, start, tf.ones([], tf.float64), tf.constant(value=False))
        return tf.while_loop(lambda *now: ~now[3], advance, state, maximum_iterations=steps)[0]

    found: Callable[..., tf.Tensor] = descend
    return found


@implements("minimiser", name="tensorflow.ProximalGradientDescent", framework="tensorflow", dtypes=("float64",))
def proximal_gradient_descent(config: MinimiserConfig) -> ProximalDescent:
    """tf.raw_ops.ResourceApplyProximalGradientDescent."""
    return ProximalDescent(config.l1, config.l2)
