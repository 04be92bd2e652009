"""PyTorch's, Keras' and TensorFlow's penalties of every row of a chunk, and their automatic gradients."""

import functools

import bounds_frameworks as frameworks
from bounds_penalties import Judge

FEW = 500  # rows for Keras' regularisers, which take one vector: they are mapped over rows


def observe(chunk):
    """What every installed framework makes of the chunk."""
    there, _ = frameworks.installed()
    if "torch" in there:
        judge = Judge(chunk)
        for name, value in (("PyTorch, sums", _torch_sums), ("PyTorch, norms", _torch_norms)):
            yield from judge.told(name, _torch(chunk, value))
    if "tensorflow" in there:
        judge = Judge(chunk, "flushed")
        for name, value in (("TensorFlow, sums", _tensorflow_sums), ("TensorFlow, norms", _tensorflow_norms)):
            yield from judge.told(name, _tensorflow(chunk, value))
    # Keras rounds its strengths to float32, beside float64 weights too.
    if "keras" in there and chunk.dtype != "float64" and len(chunk.w) <= FEW:
        yield from judge.told(frameworks.KERAS, _tensorflow(chunk, _keras))


def _torch(chunk, value):
    import torch  # noqa: PLC0415

    w = torch.from_numpy(chunk.w.copy()).requires_grad_()
    rows = value(torch, w, *chunk.strengths)
    rows.sum().backward()
    yield "value", rows.detach().numpy()
    yield "gradient", w.grad.numpy()


def _torch_sums(_torch, w, l1, l2):
    return l1 * w.abs().sum(dim=1) + l2 * w.square().sum(dim=1)


def _torch_norms(torch, w, l1, l2):
    norm = functools.partial(torch.linalg.vector_norm, w, dim=1)
    parts = [l1 * norm(ord=1)] if l1 else []
    return sum(parts + ([l2 * norm(ord=2).square()] if l2 else []))


def _tensorflow(chunk, value):
    import tensorflow as tf  # noqa: PLC0415

    w = tf.constant(chunk.w)
    with tf.GradientTape() as tape:
        tape.watch(w)
        rows = value(tf, w, *chunk.strengths)
    yield "value", rows.numpy()
    yield "gradient", tape.gradient(rows, w).numpy()


def _tensorflow_sums(tf, w, l1, l2):
    return l1 * tf.reduce_sum(tf.abs(w), axis=1) + l2 * tf.reduce_sum(tf.square(w), axis=1)


def _tensorflow_norms(tf, w, l1, l2):
    value = l1 * tf.norm(w, ord=1, axis=1)
    return value + l2 * tf.reduce_sum(tf.square(w), axis=1) if l2 else value


def _keras(tf, w, l1, l2):
    import keras  # noqa: PLC0415

    kinds = {(True, True): keras.regularizers.L1L2(l1, l2), (True, False): keras.regularizers.L1(l1)}
    return tf.vectorized_map(kinds.get((bool(l1), bool(l2)), keras.regularizers.L2(l2)), w)
