"""Differentiated twice, tf.nn.moments and the Keras layers that normalise by it are wrong; exits 1 while so."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import tensorflow as tf

x = tf.constant([1.0, 2.0], tf.float64)


def second_derivatives(f: object) -> list[list[float]]:
    """The matrix of second derivatives of a function of x."""
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = f(x)
        gradient = inner.gradient(value, x)
    return outer.jacobian(gradient, x).numpy().tolist()


def by_hand(v: tf.Tensor) -> tf.Tensor:
    """Layer normalisation with ε = 1, its variance taken without tf.nn.moments."""
    return (v - tf.reduce_mean(v)) / tf.sqrt(tf.math.reduce_variance(v) + 1)


layer = keras.layers.LayerNormalization(epsilon=1.0, center=False, scale=False, dtype="float64")
promised = {
    "variance": [[0.5, -0.5], [-0.5, 0.5]],
    "LayerNormalization": second_derivatives(lambda v: by_hand(v)[0]),
}
observed = {
    "variance": second_derivatives(lambda v: tf.nn.moments(v, [0])[1]),
    "LayerNormalization": second_derivatives(lambda v: layer(v[tf.newaxis])[0, 0]),
}
print(f"promised: the variance of two numbers is (x1 - x2)²/4; second derivatives {promised}")
print(f"observed: {observed}")
sys.exit(any(abs(promised[k][i][j] - observed[k][i][j]) > 1e-9 for k in promised for i in (0, 1) for j in (0, 1)))
