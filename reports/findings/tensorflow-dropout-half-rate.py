"""Dropout of half input in TensorFlow and Keras drops ten times as often as told at rate 1e-4; exits 1 while so."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import tensorflow as tf

RATE, DRAWS = 1e-4, 4_000_000
x = tf.ones([DRAWS], tf.float16)
dropped = {
    "tf.nn.dropout": tf.nn.dropout(x, RATE),
    "tf.nn.experimental.stateless_dropout": tf.nn.experimental.stateless_dropout(x, RATE, seed=[1, 2]),
    "keras.layers.Dropout": keras.layers.Dropout(RATE, seed=1, dtype="float16")(x, training=True),
}
counts = {name: int(tf.math.count_nonzero(y == 0)) for name, y in dropped.items()}
print(
    f"promised: each of {DRAWS} elements is dropped with probability {RATE}: {DRAWS * RATE:.0f}, standard deviation 20"
)
print(f"observed: {counts}; a multiple of 2^-10 would be {DRAWS / 1024:.0f}")
sys.exit(any(count > 2 * DRAWS * RATE for count in counts.values()))
