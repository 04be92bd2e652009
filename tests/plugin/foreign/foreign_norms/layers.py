"""A layer of somebody else's, in the plain protocol."""

import numpy as np

import regcheck


class LayerNorm:
    """Two-pass layer normalisation, computed in float32 at least."""

    def __init__(self, shape, eps):
        self.shape = tuple(shape)
        self.axes = tuple(range(-len(shape), 0))
        self.eps = eps
        self.parameters = {"scale": np.ones(shape), "shift": np.zeros(shape)}

    def forward(self, x, training):
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"expected trailing axes {self.shape}, received {x.shape}"
            raise ValueError(msg)
        wide = x.astype(np.result_type(x.dtype, np.float32))
        centred = wide - wide.mean(self.axes, keepdims=True)
        normal = centred / np.sqrt(np.square(centred).mean(self.axes, keepdims=True) + wide.dtype.type(self.eps))
        scale, shift = (self.parameters[name].astype(wide.dtype) for name in ("scale", "shift"))
        return (normal * scale + shift).astype(x.dtype)


@regcheck.implements("layer_norm", name="foreign.LayerNorm", declares={"compute_dtype": "float32"})
def layer_norm(config):
    return LayerNorm(config.shape, config.eps)
