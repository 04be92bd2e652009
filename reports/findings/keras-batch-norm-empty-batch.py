"""keras.layers.BatchNormalization takes an empty batch, and gives NaN ever after; exits 1 while it does."""

import math
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras

layer = keras.layers.BatchNormalization()
layer(keras.ops.ones((4, 1)), training=True)
before = float(layer.moving_mean[0]), float(layer.moving_variance[0])
layer(keras.ops.ones((0, 1)), training=True)
after = float(layer.moving_mean[0]), float(layer.moving_variance[0])
inference = float(layer(keras.ops.ones((1, 1)), training=False)[0, 0])
print(f"promised: an error, or moving averages that no data has changed, {before}")
print(f"observed: moving averages {after}, and inference on a batch of 1 gives {inference}")
sys.exit(math.isnan(inference))
