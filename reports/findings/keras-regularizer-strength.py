"""keras.regularizers round their strength to float32 beside float64 weights; exits 1 while they do."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras

one = keras.ops.ones(1, dtype="float64")
found = {
    "L1(0.3)": float(keras.regularizers.L1(0.3)(one)),
    "L2(0.3)": float(keras.regularizers.L2(0.3)(one)),
    "L1L2(l2=0.3)": float(keras.regularizers.L1L2(l2=0.3)(one)),
}
print("promised: l2 * reduce_sum(square(x)) of x = [1.0], in the dtype of x, float64: 0.3")
print(f"observed: {found}")
sys.exit(any(value != 0.3 for value in found.values()))
