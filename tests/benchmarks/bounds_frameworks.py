"""PyTorch's, Keras' and TensorFlow's own normalisations, on whole chunks and in this process."""

import functools
import importlib.util
import logging
import os

import numpy as np
from bounds_norms import SAMPLES, Judge, told

TORCH, KERAS, FUSED, MOMENTS = "PyTorch", "Keras on TensorFlow", "TensorFlow, fused", "TensorFlow, moments"
# What each promises where regcheck's stock declares it: PyTorch's batch_norm computes half precision in half.
KINDS = {
    ("layer_norm", TORCH): ("float32", "float64", "float16 in float32", "bfloat16 in float32"),
    ("rms_norm", TORCH): ("float32", "float64", "float16 in float32", "bfloat16 in float32"),
    ("batch_norm", TORCH): ("float32", "float64", "float16", "bfloat16"),
    ("layer_norm", KERAS): ("float32", "float64", "float16 in float32"),
    ("rms_norm", KERAS): ("float32", "float64", "float16 in float32"),
    ("batch_norm", KERAS): ("float32", "float64", "float16 in float32"),
    ("batch_norm", FUSED): ("float32", "float16 in float32"),
    ("batch_norm", MOMENTS): ("float32", "float64"),
}
# Their stock implementations say why no bound holds there: statistics kept in half between the passes.
UNCLAIMED = {("layer_norm", TORCH, "float16 in float32"): {"dx"}, ("layer_norm", TORCH, "bfloat16 in float32"): {"dx"}}


def installed():
    """(the frameworks that are there, those that are not)."""
    wanted = ("torch", "keras", "tensorflow")
    there = [name for name in wanted if importlib.util.find_spec(name)]
    if "tensorflow" not in there and "keras" in there:
        there.remove("keras")
    return there, [name for name in wanted if name not in there]


def observe(chunk):
    """What every installed framework makes of the chunk, in the kinds that it computes by a declared arithmetic."""
    there, _ = installed()
    frameworks = {TORCH: ("torch", _torch), KERAS: ("keras", _keras)}
    frameworks |= {name: ("tensorflow", functools.partial(_tensorflow, name)) for name in (FUSED, MOMENTS)}
    for name, (module, results) in frameworks.items():
        if module not in there or chunk.kind.name not in KINDS.get((chunk.family, name), ()):
            continue
        judge = Judge(chunk, "kept" if name == TORCH else "flushed")
        unclaimed = UNCLAIMED.get((chunk.family, name, chunk.kind.name), ())
        yield from told(judge, name, (found for found in results(chunk) if found[0] not in unclaimed))


# --- PyTorch


def _torch(chunk):
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    kind = getattr(torch, chunk.kind.dtype)

    def tensor(values, *, learns=False):
        return torch.from_numpy(np.ascontiguousarray(values)).to(kind).requires_grad_(learns)

    def array(values):
        values = values.detach()
        return (values.float() if kind == torch.bfloat16 else values).numpy()

    gamma, beta = (tensor(v.ravel(), learns=True) for v in (chunk.gamma, chunk.beta))
    if chunk.family in SAMPLES:
        x = tensor(chunk.x.T, learns=True)
        own = torch.nn.functional
        y = (
            own.rms_norm(x, (chunk.n,), gamma, chunk.eps)
            if chunk.family == "rms_norm"
            else own.layer_norm(x, (chunk.n,), gamma, beta, chunk.eps)
        )
        y.backward(tensor(chunk.dy.T))
        yield "y", (array(y).T,)
        yield "dx", (array(x.grad).T,)
        return
    mean, var = old = [tensor(v.copy()) for v in chunk.old.values()]  # updated in place
    x = tensor(chunk.x, learns=True)
    y = torch.nn.functional.batch_norm(x, mean, var, gamma, beta, False, chunk.weight, chunk.eps)  # noqa: FBT003
    y.backward(tensor(chunk.dy))
    yield "y in inference", (array(y),)
    yield "dx in inference", (array(x.grad),)
    if chunk.n == 1:  # which PyTorch refuses in training
        return
    x.grad = gamma.grad = beta.grad = None
    y = torch.nn.functional.batch_norm(x, mean, var, gamma, beta, True, chunk.weight, chunk.eps)  # noqa: FBT003
    y.backward(tensor(chunk.dy))
    yield "y", (array(y),)
    yield "dx", (array(x.grad),)
    yield "dγ, dβ", (array(gamma.grad), array(beta.grad))
    if chunk.unbiased:
        yield "running mean, running variance", tuple(array(v) for v in old)


# --- Keras and TensorFlow


def quiet():
    """TensorFlow without its start-up messages, and without advice on retracing; before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _keras(chunk):
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    if chunk.family == "rms_norm":
        layer = keras.layers.RMSNormalization(axis=-1, epsilon=chunk.eps, dtype=chunk.kind.dtype)
        weights, shape = [chunk.gamma.ravel()], chunk.x.T
    elif chunk.family == "layer_norm":
        layer = keras.layers.LayerNormalization(axis=-1, epsilon=chunk.eps, dtype=chunk.kind.dtype)
        weights, shape = [chunk.gamma.ravel(), chunk.beta.ravel()], chunk.x.T
    else:
        layer = keras.layers.BatchNormalization(
            axis=-1, momentum=1 - chunk.weight, epsilon=chunk.eps, dtype=chunk.kind.dtype
        )
        weights, shape = [chunk.gamma, chunk.beta, *chunk.old.values()], chunk.x
    layer.build(shape.shape)
    layer.set_weights(weights)
    turn = (lambda v: v.T) if chunk.family in SAMPLES else (lambda v: v)
    x, dy = (tf.constant(np.ascontiguousarray(turn(v))) for v in (chunk.x, chunk.dy))
    for name, training in (("y in inference", False), ("y", True)):
        if chunk.family in SAMPLES and not training:
            continue
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        yield name, (turn(y.numpy()),)
        gradients = tape.gradient(y, [x, *(v.value for v in layer.trainable_variables)], dy)
        yield "dx" if training else "dx in inference", (turn(gradients[0].numpy()),)
        if training and chunk.family == "batch_norm":
            yield "dγ, dβ", tuple(v.numpy() for v in gradients[1:])
    if chunk.family == "batch_norm" and not chunk.unbiased:
        yield "running mean, running variance", tuple(layer.get_weights()[2:])


def _tensorflow(name, chunk):
    import tensorflow as tf  # noqa: PLC0415

    gamma, beta, *old = (tf.constant(v) for v in (chunk.gamma, chunk.beta, *chunk.old.values()))
    x, dy = tf.constant(chunk.x), tf.constant(chunk.dy)
    run = _fused if name == FUSED else _moments
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([x, gamma, beta])
            y, running = run(tf, chunk, x, gamma, beta, old, training)
        yield "y" if training else "y in inference", (y.numpy(),)
        gradients = [v.numpy() for v in tape.gradient(y, [x, gamma, beta], dy)]
        yield "dx" if training else "dx in inference", tuple(gradients[:1])
        if training:
            yield "dγ, dβ", tuple(gradients[1:])
        if training and chunk.unbiased == (name == FUSED):
            yield "running mean, running variance", tuple(v.numpy() for v in running)


def _fused(tf, chunk, x, gamma, beta, old, training):  # noqa: PLR0913, PLR0917
    wide = [tf.cast(v, tf.float32) for v in (gamma, beta, *old)]
    y, mean, var = tf.compat.v1.nn.fused_batch_norm(
        x[:, None, None, :],
        *wide,
        epsilon=chunk.eps,
        is_training=training,
        exponential_avg_factor=chunk.weight,
    )
    return y[:, 0, 0, :], [tf.cast(v, x.dtype) for v in (mean, var)]


def _moments(tf, chunk, x, gamma, beta, old, training):  # noqa: PLR0913, PLR0917
    mean, var = tf.nn.moments(x, [0]) if training else old
    y = tf.nn.batch_normalization(x, mean, var, beta, gamma, chunk.eps)
    return y, [was + chunk.weight * (now - was) for was, now in zip(old, (mean, var), strict=True)]
