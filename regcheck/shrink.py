"""Cutting a failing case down on its literal values: fewer rows and columns, then simpler numbers.

Recipes and Hypothesis' own shrinking of arrays were measured to give larger witnesses at many times
the cost; what is cut here is the stored case itself, so a witness is what was judged.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regcheck.case import Case

SINGLE_ELEMENTS = 48  # beyond this size numbers are simplified array by array only


def refit(config: Any, sizes: dict[str, int]) -> Any:
    """The config that fits the sizes of the named axes: features F0, …, channels C, or G groups of K.

    Raises ValueError where there is none.
    """
    changes: dict[str, Any] = {}
    if hasattr(config, "shape") and "F0" in sizes:
        changes["shape"] = tuple(sizes[f"F{i}"] for i in range(len(config.shape)))
    if hasattr(config, "channels") and "C" in sizes:
        changes["channels"] = sizes["C"]
    if hasattr(config, "groups") and "G" in sizes:
        changes |= {"groups": sizes["G"], "channels": sizes["G"] * sizes["K"]}
    return dataclasses.replace(config, **changes) if changes else config


def take(case: Case, dim: str, keep: list[int]) -> Case:
    """The case with only the indices `keep` along a named axis, in every array that has it. Raises ValueError."""
    arrays = {}
    for name, array in case.arrays.items():
        dims = case.dims.get(name, ())
        arrays[name] = np.take(array, keep, axis=dims.index(dim)) if dim in dims else array
    cut = dataclasses.replace(case, arrays=arrays)
    return dataclasses.replace(cut, config=refit(case.config, cut.sizes()))


def alone(case: Case, index: dict[str, int]) -> Case:
    """The flagged case of a batch by itself: one index along every axis whose indices are independent."""
    for dim in case.independent:
        if dim in index:
            case = take(case, dim, [index[dim]])
    return case


def shrink(case: Case, fails: Callable[[Case], bool], calls: int = 600) -> Case:
    """The smallest failing case that greedy cuts reach within `calls` trials; `fails(case)` holds on return."""
    search = _Search(case, fails, calls)
    while search.left > 0 and (search.cut_axes() or search.simplify()):
        pass
    return search.case


class _Search:
    def __init__(self, case: Case, fails: Callable[[Case], bool], calls: int) -> None:
        self.case, self.fails, self.left = case, fails, calls

    def _try(self, candidate: Case) -> bool:
        if self.left <= 0:
            return False
        self.left -= 1
        if not self.fails(candidate):
            return False
        self.case = candidate
        return True

    def cut_axes(self) -> bool:
        """Drop halves, then single indices, of every named axis."""
        return sum(self._cut(dim) for dim in self.case.sizes()) > 0

    def _cut(self, dim: str) -> bool:
        changed = False
        size = self.case.sizes()[dim]
        chunk = size // 2
        while chunk >= 1:
            start = 0
            while start < self.case.sizes()[dim] and self.case.sizes()[dim] > chunk and self.left > 0:
                kept = [i for i in range(self.case.sizes()[dim]) if not start <= i < start + chunk]
                try:
                    candidate = take(self.case, dim, kept)
                except ValueError:
                    # The config does not allow the smaller size.
                    return changed
                if self._try(candidate):
                    changed = True
                else:
                    start += chunk
            chunk //= 2
        return changed

    def simplify(self) -> bool:
        """Replace arrays, then single elements, by simpler numbers."""
        return sum(self._simplify(name) for name in self.case.arrays) > 0

    def _simplify(self, name: str) -> bool:
        array = self.case.arrays[name]
        if array.dtype.kind != "f" or not array.size:
            return False
        for simpler in _simpler(array):
            if self._try(self.case.with_arrays(**{name: simpler})):
                return True
        if array.size > SINGLE_ELEMENTS:
            return False
        return sum(self._simplify_element(name, index) for index in np.ndindex(array.shape)) > 0

    def _simplify_element(self, name: str, index: tuple[int, ...]) -> bool:
        array = self.case.arrays[name]
        for value in _simpler(array[index][None]):
            copy = array.copy()
            copy[index] = value[0]
            if self._try(self.case.with_arrays(**{name: copy})):
                return True
        return False


def _simpler(array: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """Simpler arrays of the same shape and dtype, the simplest first; none that is as complex."""
    dtype = array.dtype
    with np.errstate(all="ignore"):
        candidates = [np.zeros_like(array), np.ones_like(array), np.sign(array), np.rint(array)]
        candidates += [(np.rint(array * 10.0**d) / 10.0**d).astype(dtype) for d in (1, 2, 3)]
    cost = _cost(array)
    for candidate in candidates:
        if np.all(np.isfinite(candidate) | ~np.isfinite(array)) and _cost(candidate) < cost:
            yield candidate.astype(dtype)


def _cost(array: np.ndarray[Any, Any]) -> int:
    """How much a reader has to read."""
    return sum(0 if v == 0 else len(repr(float(v))) for v in array.ravel())
