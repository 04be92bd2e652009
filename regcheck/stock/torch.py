"""PyTorch's layers, declared as a third party would; PyTorch is imported in the factories alone.

Documentation: https://docs.pytorch.org/docs/stable/nn.html. "Seen" means measured with torch 2.13 on a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regcheck.implementation import Declared, Deviation, Unsupported, implements

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from torch import Tensor, nn
    from torch.distributions import Laplace, Normal
    from torch.nn import Module
    from torch.optim import Optimizer

    from regcheck.families import (
        BatchNormConfig,
        DropoutConfig,
        GroupNormConfig,
        InstanceNormConfig,
        LayerNormConfig,
        MinimiserConfig,
        PenaltyConfig,
        PriorConfig,
        RMSNormConfig,
        WeightDecayConfig,
    )

    Array = np.ndarray[Any, np.dtype[Any]]

STOCK_CLASSES = {
    "torch.nn:LayerNorm": "layer_norm",
    "torch.nn:RMSNorm": "rms_norm",
    "torch.nn:BatchNorm1d": "batch_norm_1d",
    "torch.nn:BatchNorm2d": "batch_norm_2d",
    "torch.nn:BatchNorm3d": "batch_norm_3d",
    "torch.nn:InstanceNorm1d": "instance_norm_1d",
    "torch.nn:InstanceNorm2d": "instance_norm_2d",
    "torch.nn:InstanceNorm3d": "instance_norm_3d",
    "torch.nn:GroupNorm": "group_norm",
    "torch.nn:Dropout": "dropout",
    "torch.nn:Dropout1d": "channel_dropout_1d",
    "torch.nn:Dropout2d": "channel_dropout_2d",
    "torch.nn:Dropout3d": "channel_dropout_3d",
    "torch.nn:AlphaDropout": "alpha_dropout",
    "torch.nn:FeatureAlphaDropout": "channel_alpha_dropout",
    "torch.optim:SGD": "sgd_decay",
    "torch.optim:Adam": "adam",
    "torch.optim:AdamW": "adamw",
    "torch.distributions:Laplace": "laplace_prior",
    "torch.distributions:Normal": "gaussian_prior",
}

# The running variance is the document's: "the value stored in the moving average of the variance is calculated via the
# unbiased estimator" (nn.BatchNorm1d). compute_dtype stays undeclared: half input is summed in float32, but the mean is
# rounded to half before it is subtracted (seen: 27 units of rounding at mean/std = 50).
_BATCH_NORM = {
    "single_value_batch": Declared(
        "error",
        'functional._verify_batch_size: "Expected more than 1 value per channel when training, got input size …"',
    )
}

_LAYER_NORM = {
    "compute_dtype": Declared("float32", "seen: at most 1.02 units of rounding up to mean/std = 1000 in half"),
    "batch_invariance": Declared(
        "bitwise", "seen: 28 512 rows of 1 to 10 007 features alone, in a batch and at another address, four dtypes"
    ),
}

# The tangents of layer_norm and batch_norm are formed from the mean and 1/σ that were saved, which no graph connects
# with the input: differentiated again, they are constants (pytorch issues 196700 and 196699; seen: of a sample (0, 1),
# ε = 1, 0.089 for 0.215). Written out by elementary operations the same layers are right.
_SAVED = (
    "the tangent is formed from a saved mean and 1/σ, which are taken for constants when it is differentiated: "
    "reports/findings/torch-tangent-saved-statistics.md"
)
_TANGENT = {
    family: {f"{family}.second-derivative-reverse-over-forward": _SAVED}
    for family in ("layer_norm", "batch_norm", "instance_norm")
}
_SWAPPED = {
    "group_norm.second-derivative-forward-over-reverse": (
        "the tangent of the saved 1/σ takes x for its tangent and errs by the mean's rounding: "
        "reports/findings/torch-group-norm-tangent.md"
    )
}
# What PyTorch says: "one of the variables needed for gradient computation has been modified by an inplace operation".
_SIGN_OVERWRITTEN = {
    "l1.second-derivative-reverse-over-forward": (
        "differentiating the tangent of vector_norm(ord=1) raises RuntimeError: its sign was overwritten in place"
    )
}

# aten/src/ATen/native/cpu/layer_norm_kernel.cpp: for half input with half parameters the saved mean and 1/σ, from which
# the backward pass computes, are half too.
_SAVED_IN_HALF = Deviation("the backward pass computes from a mean and 1/σ rounded to half", strata=("float16",))
_HALF_GRADIENTS = dict.fromkeys(
    [
        f"layer_norm.{law}"
        for law in ("gradient-input", "gradient-parameters", "gradient-sum-zero", "gradient-additive")
    ],
    _SAVED_IN_HALF,
)
_LAYER_NORM_DEVIATIONS: dict[str, str | Deviation] = {**_HALF_GRADIENTS, **_TANGENT["layer_norm"]}


@implements("l1", name="torch.vector_norm", framework="torch", deviations=_SIGN_OVERWRITTEN)
def l1(config: PenaltyConfig) -> Callable[[Tensor], Tensor]:
    """l1·‖w‖₁ by torch.linalg.vector_norm."""
    import torch  # noqa: PLC0415

    return lambda w: config.l1 * torch.linalg.vector_norm(w, ord=1)


@implements("l1", name="torch.L1Loss", framework="torch")
def l1_loss(config: PenaltyConfig) -> Callable[[Tensor], Tensor]:
    """l1·Σ|w − 0| by nn.L1Loss."""
    import torch  # noqa: PLC0415

    loss = torch.nn.L1Loss(reduction="sum")
    return lambda w: config.l1 * loss(w, torch.zeros_like(w))


@implements("l2", name="torch.square", framework="torch")
def l2(config: PenaltyConfig) -> Callable[[Tensor], Tensor]:
    """l2·Σw²."""
    return lambda w: config.l2 * w.square().sum()


@implements("l2", name="torch.MSELoss", framework="torch")
def mse_loss(config: PenaltyConfig) -> Callable[[Tensor], Tensor]:
    """l2·Σ(w − 0)² by nn.MSELoss."""
    import torch  # noqa: PLC0415

    loss = torch.nn.MSELoss(reduction="sum")
    return lambda w: config.l2 * loss(w, torch.zeros_like(w))


@implements("elastic_net", name="torch.elastic_net", framework="torch")
def elastic_net(config: PenaltyConfig) -> Callable[[Tensor], Tensor]:
    """l1·Σ|w| + l2·Σw²."""
    return lambda w: config.l1 * w.abs().sum() + config.l2 * w.square().sum()


@implements("dropout", name="torch.Dropout", framework="torch")
def dropout(config: DropoutConfig) -> Module:
    """nn.Dropout."""
    import torch  # noqa: PLC0415

    return torch.nn.Dropout(config.rate)


@implements("dropout", name="torch.functional.dropout", framework="torch")
def functional_dropout(config: DropoutConfig) -> Callable[[Tensor, bool], Tensor]:
    """nn.functional.dropout."""
    import torch  # noqa: PLC0415

    return lambda x, training: torch.nn.functional.dropout(x, config.rate, training)


# Each class is declared for inputs with a batch axis alone: without one, Dropout1d takes (C, L) for two axes, and
# Dropout2d (C, H, W) for (N, C, L) (functional.dropout2d: "Received a 3D input to dropout2d and assuming that
# channel-wise 1D dropout behavior is desired").
_CHANNEL_DROPOUT = {
    "mask_order": Declared(
        "logical",
        "aten/src/ATen/native/Dropout.cpp, make_feature_noise: the mask is `input.new_empty(…)` of shape (N, C, 1, …), "
        "contiguous whatever the layout of x",
    )
}


@implements("channel_dropout", name="torch.Dropout1d", framework="torch", declares=_CHANNEL_DROPOUT)
def channel_dropout_1d(config: DropoutConfig) -> Module:
    """nn.Dropout1d, of (N, C, L)."""
    return _channel_dropout("Dropout1d", 1, config)


@implements("channel_dropout", name="torch.Dropout2d", framework="torch", declares=_CHANNEL_DROPOUT)
def channel_dropout_2d(config: DropoutConfig) -> Module:
    """nn.Dropout2d, of (N, C, H, W)."""
    return _channel_dropout("Dropout2d", 2, config)


@implements("channel_dropout", name="torch.Dropout3d", framework="torch", declares=_CHANNEL_DROPOUT)
def channel_dropout_3d(config: DropoutConfig) -> Module:
    """nn.Dropout3d, of (N, C, D, H, W)."""
    return _channel_dropout("Dropout3d", 3, config)


def _channel_dropout(name: str, ndim: int, config: DropoutConfig) -> Module:
    import torch  # noqa: PLC0415

    if config.ndim != ndim:
        msg = f"torch.nn.{name} takes {ndim} spatial axes, not {config.ndim}"
        raise Unsupported(msg)
    layer: type[nn.Dropout1d] = getattr(torch.nn, name)
    return layer(config.rate)


# The same file: `input.mul(noise).add_(b)`, so that ∞·0 is NaN; the mask of alpha_dropout lies in memory as x does.
@implements("alpha_dropout", name="torch.AlphaDropout", framework="torch")
def alpha_dropout(config: DropoutConfig) -> Module:
    """nn.AlphaDropout."""
    import torch  # noqa: PLC0415

    return torch.nn.AlphaDropout(config.rate)


@implements("alpha_dropout", name="torch.functional.alpha_dropout", framework="torch")
def functional_alpha_dropout(config: DropoutConfig) -> Callable[[Tensor, bool], Tensor]:
    """nn.functional.alpha_dropout."""
    import torch  # noqa: PLC0415

    return lambda x, training: torch.nn.functional.alpha_dropout(x, config.rate, training)


@implements("channel_alpha_dropout", name="torch.FeatureAlphaDropout", framework="torch", declares=_CHANNEL_DROPOUT)
def channel_alpha_dropout(config: DropoutConfig) -> Module:
    """nn.FeatureAlphaDropout, of (N, C, *spatial)."""
    import torch  # noqa: PLC0415

    return torch.nn.FeatureAlphaDropout(config.rate)


@implements(
    "channel_alpha_dropout",
    name="torch.functional.feature_alpha_dropout",
    framework="torch",
    declares=_CHANNEL_DROPOUT,
)
def functional_channel_alpha_dropout(config: DropoutConfig) -> Callable[[Tensor, bool], Tensor]:
    """nn.functional.feature_alpha_dropout."""
    import torch  # noqa: PLC0415

    return lambda x, training: torch.nn.functional.feature_alpha_dropout(x, config.rate, training)


@implements(
    "batch_norm", name="torch.BatchNorm1d", framework="torch", declares=_BATCH_NORM, deviations=_TANGENT["batch_norm"]
)
def batch_norm_1d(config: BatchNormConfig) -> Module:
    """nn.BatchNorm1d, of (N, C) and (N, C, L)."""
    return _batch_norm("BatchNorm1d", (0, 1), config)


@implements(
    "batch_norm", name="torch.BatchNorm2d", framework="torch", declares=_BATCH_NORM, deviations=_TANGENT["batch_norm"]
)
def batch_norm_2d(config: BatchNormConfig) -> Module:
    """nn.BatchNorm2d, of (N, C, H, W)."""
    return _batch_norm("BatchNorm2d", (2,), config)


@implements(
    "batch_norm", name="torch.BatchNorm3d", framework="torch", declares=_BATCH_NORM, deviations=_TANGENT["batch_norm"]
)
def batch_norm_3d(config: BatchNormConfig) -> Module:
    """nn.BatchNorm3d, of (N, C, D, H, W)."""
    return _batch_norm("BatchNorm3d", (3,), config)


def _batch_norm(name: str, ndims: tuple[int, ...], config: BatchNormConfig) -> Module:
    import torch  # noqa: PLC0415

    if config.ndim not in ndims:
        msg = f"torch.nn.{name} takes {' or '.join(map(str, ndims))} spatial axes, not {config.ndim}"
        raise Unsupported(msg)
    layer: type[nn.BatchNorm1d] = getattr(torch.nn, name)
    return layer(config.channels, eps=config.eps, momentum=config.momentum, affine=config.affine)


@implements(
    "layer_norm", name="torch.LayerNorm", framework="torch", declares=_LAYER_NORM, deviations=_LAYER_NORM_DEVIATIONS
)
def layer_norm(config: LayerNormConfig) -> Module:
    """nn.LayerNorm."""
    import torch  # noqa: PLC0415

    return torch.nn.LayerNorm(config.shape, eps=config.eps, elementwise_affine=config.affine)


_RMS_NORM = {
    "compute_dtype": Declared(
        "float32",
        "torch/_decomp/decompositions.py, _fused_rms_norm, in the steps that a CPU takes: "
        '"upcast is needed for fp16 and bf16"',
    ),
    "batch_invariance": Declared(
        "bitwise", "seen: 29 096 rows of 1 to 10 007 features alone and in a batch, four dtypes"
    ),
}


@implements("rms_norm", name="torch.RMSNorm", framework="torch", declares=_RMS_NORM)
def rms_norm(config: RMSNormConfig) -> Module:
    """nn.RMSNorm; without eps it would take "the machine epsilon of the computation (opmath) type"."""
    import torch  # noqa: PLC0415

    return torch.nn.RMSNorm(config.shape, eps=config.eps, elementwise_affine=config.affine)


_INSTANCE_NORM = {
    "single_value_batch": Declared(
        "error",
        'functional._verify_spatial_size: "Expected more than 1 spatial element when training", in inference too',
    )
}


@implements(
    "instance_norm",
    name="torch.InstanceNorm1d",
    framework="torch",
    declares=_INSTANCE_NORM,
    deviations=_TANGENT["instance_norm"],
)
def instance_norm_1d(config: InstanceNormConfig) -> Module:
    """nn.InstanceNorm1d, of (N, C, L)."""
    return _instance_norm("InstanceNorm1d", 1, config)


@implements(
    "instance_norm",
    name="torch.InstanceNorm2d",
    framework="torch",
    declares=_INSTANCE_NORM,
    deviations=_TANGENT["instance_norm"],
)
def instance_norm_2d(config: InstanceNormConfig) -> Module:
    """nn.InstanceNorm2d, of (N, C, H, W)."""
    return _instance_norm("InstanceNorm2d", 2, config)


@implements(
    "instance_norm",
    name="torch.InstanceNorm3d",
    framework="torch",
    declares=_INSTANCE_NORM,
    deviations=_TANGENT["instance_norm"],
)
def instance_norm_3d(config: InstanceNormConfig) -> Module:
    """nn.InstanceNorm3d, of (N, C, D, H, W)."""
    return _instance_norm("InstanceNorm3d", 3, config)


def _instance_norm(name: str, ndim: int, config: InstanceNormConfig) -> Module:
    import torch  # noqa: PLC0415

    if config.ndim != ndim:
        msg = f"torch.nn.{name} takes {ndim} spatial axes, not {config.ndim}"
        raise Unsupported(msg)
    layer: type[nn.InstanceNorm1d] = getattr(torch.nn, name)
    return layer(config.channels, eps=config.eps, affine=config.affine)


# functional.group_norm calls _verify_batch_size with (N·C/groups, groups, *spatial): a group of one value is refused in
# a batch of one sample, in inference too, and gives β in a larger one.
_GROUP_NORM = {
    "single_value_batch": Declared(
        "error", 'functional._verify_batch_size: "Expected more than 1 value per channel when training"'
    )
}
_ALONE = {
    "group_norm.single-value-batch-as-declared": (
        "a group of one value raises in a batch of one sample alone; in a larger batch it gives β: "
        "reports/findings/torch-group-norm-single-value.md"
    )
}


@implements(
    "group_norm",
    name="torch.GroupNorm",
    framework="torch",
    declares=_GROUP_NORM,
    deviations={**_ALONE, **_SWAPPED},
)
def group_norm(config: GroupNormConfig) -> Module:
    """nn.GroupNorm."""
    import torch  # noqa: PLC0415

    return torch.nn.GroupNorm(config.groups, config.channels, eps=config.eps, affine=config.affine)


class Subgradient:
    """torch.optim.SGD on ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂² with sign(w), 0 at 0, for the slope of |w|.

    Constant steps of 1/L first, then steps that shrink geometrically, so that w settles; plain and proximal descent
    differ in that this one has no reason to stop at exactly 0.
    """

    def __init__(self, l1: float, l2: float, steps: int = 200) -> None:
        self.l1, self.l2, self.steps = l1, l2, steps

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) float64 for A (n, k) and b (n,). Raises ValueError for other shapes."""
        import torch  # noqa: PLC0415

        from regcheck.stock._problem import checked  # noqa: PLC0415

        matrix, target = map(torch.from_numpy, checked(a, b))
        curvature = float(torch.linalg.matrix_norm(matrix, 2)) ** 2 + 2 * self.l2 if matrix.numel() else 0.0
        w = torch.zeros(matrix.shape[1], dtype=torch.float64)
        if curvature == 0:
            return _array(w)
        optimiser = torch.optim.SGD([w], lr=1 / curvature, momentum=0.8, nesterov=True, foreach=False)
        for step in range(self.steps):
            w.grad = matrix.T @ (matrix @ w - target) + self.l1 * w.sign() + 2 * self.l2 * w
            optimiser.step()
            if step > self.steps // 2:
                optimiser.param_groups[0]["lr"] *= 0.9
        return _array(w)


def _array(w: Tensor) -> Array:
    """The values of a tensor."""
    array: Array = w.numpy()
    return array


# A step along a subgradient crosses 0 instead of stopping there, so coordinates end near 0 and not at it.
_SUBGRADIENT = Deviation("a subgradient step crosses 0 and never stops there; without a proximal step nothing is exact")
_UNSOLVED = (
    "zero-crossing",
    "all-zero-threshold",
    "l1-picks-one",
    "l2-groups",
    "kkt",
    "near-minimum",
    "closed-form",
    "constrained-form",
    "monotone-in-strength",
    "stability",
)


@implements(
    "minimiser",
    name="torch.SGD",
    framework="torch",
    deviations=dict.fromkeys([f"minimiser.{law}" for law in _UNSOLVED], _SUBGRADIENT),
    dtypes=("float64",),
)
def sgd(config: MinimiserConfig) -> Subgradient:
    """torch.optim.SGD with a subgradient."""
    return Subgradient(config.l1, config.l2)


@implements("laplace_prior", name="torch.Laplace", framework="torch")
def laplace_prior(config: PriorConfig) -> Laplace:
    """torch.distributions.Laplace around 0."""
    import torch  # noqa: PLC0415

    return torch.distributions.Laplace(0.0, config.scale)


# torch/distributions/normal.py: `-((value - self.loc) ** 2) / (2 * var)`, in the dtype of value.
_SQUARED_FIRST = Deviation(
    "w is squared before it meets σ, in half precision: beyond 255 it is ∞: "
    "reports/findings/torch-normal-half-square.md",
    strata=("float16",),
)


@implements(
    "gaussian_prior",
    name="torch.Normal",
    framework="torch",
    deviations={"gaussian_prior.matches-definition": _SQUARED_FIRST},
)
def gaussian_prior(config: PriorConfig) -> Normal:
    """torch.distributions.Normal around 0."""
    import torch  # noqa: PLC0415

    return torch.distributions.Normal(0.0, config.scale)


_COUPLED = Declared("coupled", 'torch.optim: "weight_decay: weight decay (L2 penalty)", grad.add(param, alpha=…)')
_ADAPTIVE = Declared("adaptive", "torch/optim/adam.py: the step divides by the root of the average of g²")


@implements("weight_decay", name="torch.optim.SGD", framework="torch", declares={"decay": _COUPLED})
def sgd_decay(config: WeightDecayConfig) -> Callable[..., Optimizer]:
    """torch.optim.SGD."""
    import torch  # noqa: PLC0415

    return lambda params: torch.optim.SGD(params, lr=config.learning_rate, weight_decay=config.decay)


@implements("weight_decay", name="torch.optim.SGD.momentum", framework="torch", declares={"decay": _COUPLED})
def sgd_momentum(config: WeightDecayConfig) -> Callable[..., Optimizer]:
    """torch.optim.SGD with momentum, which accumulates decayed gradients."""
    import torch  # noqa: PLC0415

    return lambda params: torch.optim.SGD(params, lr=config.learning_rate, weight_decay=config.decay, momentum=0.9)


# torch/optim/adam.py: `denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps)`, in the parameter's dtype. In
# half eps=1e-8 is 0, and so are small squares: a step divides by 0, and without a gradient it is NaN (seen). So these
# two are no layers for half precision: reports/findings/torch-adam-half-eps.md.
_WIDE = ("float32", "float64")


@implements(
    "weight_decay",
    name="torch.optim.Adam",
    framework="torch",
    declares={"decay": _COUPLED, "optimiser": _ADAPTIVE},
    dtypes=_WIDE,
)
def adam(config: WeightDecayConfig) -> Callable[..., Optimizer]:
    """torch.optim.Adam, whose averages take the decay in with the gradient."""
    import torch  # noqa: PLC0415

    return lambda params: torch.optim.Adam(params, lr=config.learning_rate, weight_decay=config.decay)


@implements(
    "weight_decay", name="torch.optim.AdamW", framework="torch", declares={"optimiser": _ADAPTIVE}, dtypes=_WIDE
)
def adamw(config: WeightDecayConfig) -> Callable[..., Optimizer]:
    """torch.optim.AdamW; "weight decay does not accumulate in the momentum nor variance"."""
    import torch  # noqa: PLC0415

    return lambda params: torch.optim.AdamW(params, lr=config.learning_rate, weight_decay=config.decay)
