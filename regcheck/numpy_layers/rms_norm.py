"""RMS normalisation in NumPy."""

from __future__ import annotations

from regcheck.numpy_layers.layer_norm import LayerNorm


class RMSNorm(LayerNorm):
    """y = γ·x̂ with x̂ = x/√(mean(x²) + ε), the mean of each sample over its trailing axes `shape`; there is no β.

    As LayerNorm but for the mean, which is not subtracted: backward gives dx = s·(g − x̂·mean(g·x̂)) and dγ = Σ dy·x̂.
    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, equation 4, with ε under the root.
    """

    centred = False

    def __init__(self, shape: tuple[int, ...], *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(shape, eps=eps, affine=affine)
        self.parameters.pop("shift", None)
