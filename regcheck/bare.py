"""Bare classes: from `torch.nn:LayerNorm` to an implementation, with no code of the user's.

The family comes from a table of well-known class names, the constructor's arguments from their conventional names.
What cannot be inferred is not guessed: the error shows the lines to write.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from regcheck import loading, ranks
from regcheck.families import CHANNELS, FAMILIES
from regcheck.implementation import Implementation, Unsupported, implementation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLASSES: dict[str, tuple[str, ...]] = {
    "l1": ("L1",),
    "l2": ("L2",),
    "elastic_net": ("L1L2",),
    "dropout": ("Dropout",),
    "channel_dropout": (
        "Dropout1d",
        "Dropout2d",
        "Dropout3d",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    ),
    "alpha_dropout": ("AlphaDropout",),
    "channel_alpha_dropout": ("FeatureAlphaDropout",),
    "gaussian_dropout": ("GaussianDropout",),
    "drop_path": ("DropPath", "StochasticDepth"),
    "batch_norm": ("BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "BatchNormalization"),
    "layer_norm": ("LayerNorm", "LayerNormalization"),
    "rms_norm": ("RMSNorm", "RMSNormalization"),
    "instance_norm": ("InstanceNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
    "group_norm": ("GroupNorm", "GroupNormalization"),
    "weight_decay": ("SGD", "Adam", "AdamW"),
    "laplace_prior": ("Laplace",),
    "gaussian_prior": ("Normal",),
}


class Fill(NamedTuple):
    """What an argument is given: as code, for the lines to write, and as a function of the config."""

    code: str
    value: Callable[[Any], Any]


def _field(name: str) -> Fill:
    return Fill(f"config.{name}", lambda config: getattr(config, name))


def _one_axis(config: Any) -> int:
    if len(config.shape) != 1:
        msg = f"the class takes the size of one axis, not the shape {config.shape}"
        raise Unsupported(msg)
    return int(config.shape[0])


def _named(names: str, fill: Fill) -> dict[str, Fill]:
    return dict.fromkeys(names.split(), fill)


_CHANNELS = _named("num_features num_channels channels n_channels in_channels features dim size c", _field("channels"))
_SHAPE = {
    **_named("normalized_shape shape dims", _field("shape")),
    **_named(
        "dim hidden_size hidden_dim d_model embed_dim num_features features n_features size",
        Fill("config.shape[0]", _one_axis),
    ),
    **_named("axis", Fill("list(range(-len(config.shape), 0))", lambda config: list(range(-len(config.shape), 0)))),
}
_EPS = _named("eps epsilon norm_eps layer_norm_eps layer_norm_epsilon variance_epsilon", _field("eps"))
_SCALE = _named("affine elementwise_affine scale use_scale with_scale", _field("affine"))
_SHIFT = _named("bias center use_bias with_bias", _field("affine"))
_MOMENTUM = _named("momentum", _field("momentum"))
_OLD_MOMENTUM = _named("momentum", Fill("1 - config.momentum", lambda config: 1 - config.momentum))
_RATE = _named("p rate drop_prob drop_rate dropout dropout_rate dropout_prob prob", _field("rate"))
_GROUPS = _named("num_groups groups n_groups", _field("groups"))
_STRENGTH = "strength factor alpha lam lambda_ weight"
_WEIGHS_OLD = ("keras",)  # frameworks whose momentum is the weight of the old average

# By family: what a class may be given, and the groups of which it must take one argument each.
_OPTIONAL: dict[str, tuple[Mapping[str, Fill], ...]] = {
    "batch_norm": (_CHANNELS, _SCALE, _SHIFT),
    "layer_norm": (_SHAPE, _SCALE, _SHIFT),
    "rms_norm": (_SHAPE, _SCALE),
    "instance_norm": (_CHANNELS, _SCALE, _SHIFT),
    "group_norm": (_CHANNELS, _SCALE, _SHIFT),
    "laplace_prior": (_named("loc", Fill("0.0", lambda _: 0.0)),),
    "gaussian_prior": (_named("loc mean", Fill("0.0", lambda _: 0.0)),),
}
_NEEDED: dict[str, tuple[Mapping[str, Fill], ...]] = {
    "l1": (_named(f"l1 {_STRENGTH}", _field("l1")),),
    "l2": (_named(f"l2 {_STRENGTH}", _field("l2")),),
    "elastic_net": (_named("l1", _field("l1")), _named("l2", _field("l2"))),
    **dict.fromkeys([family for family in FAMILIES if family.endswith(("dropout", "drop_path"))], (_RATE,)),
    "batch_norm": (_EPS, _MOMENTUM),
    "layer_norm": (_EPS,),
    "rms_norm": (_EPS,),
    "instance_norm": (_EPS,),
    "group_norm": (_GROUPS, _EPS),
    "weight_decay": (_named("lr learning_rate", _field("learning_rate")), _named("weight_decay", _field("decay"))),
    "laplace_prior": (_named("scale b", _field("scale")),),
    "gaussian_prior": (_named("scale sigma std stddev", _field("scale")),),
}


class NotInferredError(ValueError):
    """Something of a bare class cannot be inferred; `lines` are those to write instead."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines


def infer(cls: type, family: str | None) -> Implementation:
    """The implementation that a bare class is: a stock implementation, or one built from conventional names.

    Raises NotInferredError where the family is not known (`family` overrides the table), or an argument.
    """
    stock = _stock(cls)
    if stock is not None and family in {None, stock.family}:
        return stock
    found = family or next((name for name, classes in CLASSES.items() if cls.__name__ in classes), None)
    if found not in _NEEDED:
        _refuse_family(cls, found)
    framework = _framework(cls)
    fills = _fills(cls, found, framework)
    name = f"{framework or cls.__module__.partition('.')[0]}.{cls.__name__}"
    implementation = Implementation(_factory(cls, found, fills), found, name=name, framework=framework)
    if found in CHANNELS and _ndims(cls, found) is None:
        return Implementation(ranks.offering_some(implementation), found, name=name, framework=framework)
    return implementation


def _stock(cls: type) -> Implementation | None:
    """The stock implementation of exactly this class, found by identity: a class has more than one path."""
    name = f"regcheck.stock.{cls.__module__.partition('.')[0]}"
    if importlib.util.find_spec(name) is None:
        return None
    stock = importlib.import_module(name)
    for path, attribute in getattr(stock, "STOCK_CLASSES", {}).items():
        module, _, own = path.partition(":")
        if getattr(sys.modules.get(module), own, None) is cls:
            return implementation_of(getattr(stock, attribute))
    return None


def _framework(cls: type) -> str | None:
    """The first root package in the class's ancestry that an adapter is called after."""
    roots = [ancestor.__module__.partition(".")[0] for ancestor in cls.__mro__]
    return next((root for root in roots if root in loading.ADAPTERS), None)


def _fills(cls: type, family: str, framework: str | None) -> dict[str, Fill]:
    """What each argument of the constructor is given. Raises NotInferredError."""
    try:
        parameters = dict(inspect.signature(cls).parameters)
    except (TypeError, ValueError):
        parameters = {}
    needed = [_OLD_MOMENTUM if t is _MOMENTUM and framework in _WEIGHS_OLD else t for t in _NEEDED[family]]
    known: dict[str, Fill] = {}
    for table in (*_OPTIONAL.get(family, ()), *needed):
        known.update({name: fill for name, fill in table.items() if _takes(parameters.get(name), table)})
    given = {*known, "params"} if family == "weight_decay" else set(known)  # an optimiser's params come later
    missing = [name for name, parameter in parameters.items() if _required(parameter) and name not in given]
    absent = ["/".join(list(table)[:2]) for table in needed if not set(table) & set(known)]
    if missing or absent:
        _refuse_arguments(cls, family, known, missing, absent)
    return known


def _takes(parameter: inspect.Parameter | None, table: Mapping[str, Fill]) -> bool:
    """Whether the constructor has the parameter; a switch must be one, and not, say, a tensor called `bias`."""
    if parameter is None or parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        return False
    switch = isinstance(parameter.default, bool) or parameter.annotation in {bool, "bool"}
    return switch or (table is not _SCALE and table is not _SHIFT)


def _required(parameter: inspect.Parameter) -> bool:
    variadic = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    return parameter.default is parameter.empty and not variadic


def _factory(cls: type, family: str, fills: dict[str, Fill]) -> Callable[[Any], Any]:
    ndims = _ndims(cls, family)
    switched = bool(set(_SCALE) & set(fills))
    takes_params = "params" in inspect.signature(cls).parameters

    def factory(config: Any) -> Any:
        if ndims is not None and config.ndim not in ndims:
            msg = f"{cls.__name__} takes {' or '.join(map(str, ndims))} spatial axes, not {config.ndim}"
            raise Unsupported(msg)
        if getattr(config, "affine", True) is False and not switched:
            msg = f"{cls.__name__} always has a scale"
            raise Unsupported(msg)
        arguments = {name: fill.value(config) for name, fill in fills.items()}
        if family == "weight_decay" and takes_params:
            return lambda params: cls(params, **arguments)
        return cls(**arguments)

    factory.__module__ = cls.__module__
    return factory


def _ndims(cls: type, family: str) -> tuple[int, ...] | None:
    """Numbers of spatial axes by the class's suffix 1d, 2d or 3d; BatchNorm1d also takes (N, C)."""
    suffix = re.search(r"([123])[dD]$", cls.__name__)
    if suffix is None or "ndim" not in inspect.signature(FAMILIES[family].config).parameters:
        return None
    number = int(suffix.group(1))
    return (0, 1) if family == "batch_norm" and number == 1 else (number,)


def _refuse_family(cls: type, family: str | None) -> NoReturn:
    msg = (
        f"The family of {cls.__name__!r} cannot be inferred{f': {family!r} is none' if family else ''}. "
        f"Expected one of {', '.join(_NEEDED)}. Give it with --family, or write:"
    )
    raise NotInferredError(msg, _lines(cls, "<family>", {}, []))


def _refuse_arguments(
    cls: type, family: str, known: Mapping[str, Fill], missing: list[str], absent: list[str]
) -> NoReturn:
    problems = [f"what to give {name!r}" for name in missing] + [f"which argument is {name}" for name in absent]
    msg = f"{cls.__name__} as {family}: cannot infer {' or '.join(problems)}. Write:"
    raise NotInferredError(msg, _lines(cls, family, known, missing))


def _lines(cls: type, family: str, known: Mapping[str, Fill], missing: list[str]) -> list[str]:
    """The four lines of a declaration, with `...` where the reader knows better."""
    arguments = [f"{name}={fill.code}" for name, fill in known.items()] + [f"{name}=..." for name in missing]
    return [
        f"    from {cls.__module__} import {cls.__qualname__}",
        f'    @regcheck.implements("{family}")',
        f"    def {re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', cls.__name__).lower()}(config):",
        f"        return {cls.__name__}({', '.join(arguments) or '...'})",
    ]
