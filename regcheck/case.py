"""A case: one generated input, whole; plain data that can be stored, cut down and replayed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Case:
    """Config, dtype, arrays and scalars that a law is judged on.

    `dims` names the axes of each array, so that cases can be cut down: {"x": ("N", "F0")}. Arrays
    that share a name are cut together. `independent` names the axes along which every index is a
    case of its own (rows for layer_norm, channels for batch_norm).
    """

    config: Any
    dtype: str
    arrays: dict[str, Array] = field(default_factory=dict)
    dims: dict[str, tuple[str, ...]] = field(default_factory=dict)
    independent: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        """The array called `name`; KeyError if the case has none."""
        return self.arrays[name]

    def sizes(self) -> dict[str, int]:
        """Length of every named axis."""
        return {d: n for name, dims in self.dims.items() for d, n in zip(dims, self.arrays[name].shape, strict=True)}

    def count(self) -> int:
        """How many cases the batch holds."""
        sizes = self.sizes()
        return int(np.prod([sizes[d] for d in self.independent], dtype=int))

    def with_arrays(self, **arrays: Array) -> Case:
        """The same case with some arrays replaced."""
        return replace(self, arrays={**self.arrays, **arrays})
