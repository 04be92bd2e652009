"""The mutants of a module: cosmic-ray's operators that are not redundant, and four for numerical code.

Left out: what only types see (annotations, `if TYPE_CHECKING`, what a `dataclass` is told), what does not compile, and
of an operator's many replacements those that the others subsume (Offutt et al., "An experimental determination of
sufficient mutant operators", 1996).
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Keyword, Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Position = tuple[tuple[int, int], tuple[int, int]]
BINARY = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul", "BitAnd_BitOr")
BINARY += ("BitOr_BitAnd", "LShift_RShift", "RShift_LShift")
COMPARISON = ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt")
COMPARISON += ("Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt")
OTHERS = ("AddNot", "ExceptionReplacer", "NumberReplacer", "RemoveDecorator", "ReplaceAndWithOr", "ReplaceOrWithAnd")
OTHERS += ("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ReplaceFalseWithTrue", "ReplaceTrueWithFalse")
OTHERS += ("ReplaceUnaryOperator_Delete_Invert", "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub")
OTHERS += ("ZeroIterationForLoop",)
SWAPS = {"max": "min", "maximum": "minimum", "any": "all", "argmax": "argmin", "fmax": "fmin", "floor": "ceil"}
SWAPS |= {new: old for old, new in SWAPS.items()}
ONE_OF = {"maximum": (0, 1), "minimum": (0, 1), "fmin": (0, 1), "where": (1, 2), "copysign": (0,)}
ONE_OF |= dict.fromkeys(("abs", "sqrt", "square", "sign", "rint", "log", "isnan", "isfinite"), (0,))


@dataclass(frozen=True)
class Mutant:
    """A module with one change; `line` became `mutated`, both without their indentation. `source` is the whole."""

    module: str
    function: str
    line: str
    mutated: str
    operator: str
    source: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is known by from run to run, wherever in the file the function moves."""
        return self.module, self.function, self.line, self.mutated


class _Numerical(Operator):
    """An operator that offers, for a node, the texts or nodes that may take its place."""

    def choices(self, node: Any) -> Sequence[Any]:
        raise NotImplementedError

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for _ in self.choices(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        chosen = self.choices(node)[index]
        if isinstance(chosen, str):
            prefix = node.get_first_leaf().prefix
            return Name(prefix + chosen, node.start_pos)
        return chosen


class DropOperand(_Numerical):
    """a + b → a, and b: a term, a factor or a condition is left out."""

    KINDS = ("arith_expr", "term", "and_test", "or_test", "and_expr", "expr")
    COMMUTES = ("+", "*", "and", "or", "&", "|")

    def choices(self, node: Any) -> Sequence[str]:
        if node.type not in self.KINDS:
            return ()
        children = node.children
        kept = [children[: k - 1] + children[k + 1 :] for k in range(2, len(children), 2)]
        if children[1].value in self.COMMUTES:
            kept.append(children[2:])
        return ["".join(child.get_code() for child in left).strip() for left in kept]

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("x = a + b", "x = a"), Example("x = a + b", "x = b", occurrence=1))


class DropCall(_Numerical):
    """np.abs(x) → (x), np.maximum(a, b) → (a) and (b), np.where(c, a, b) → (a) and (b)."""

    def choices(self, node: Any) -> Sequence[str]:
        if node.type != "atom_expr" or len(node.children) < 3 or node.children[0].get_code().strip() != "np":
            return ()
        name, call = (node.children[k].get_code().strip() for k in (1, 2))
        if name[1:] not in ONE_OF or not call.startswith("("):
            return ()
        inner = node.children[2].children[1]
        arguments = inner.children[::2] if inner.type == "arglist" else [inner]
        rest = "".join(child.get_code() for child in node.children[3:])
        return [f"({arguments[k].get_code().strip()}){rest}" for k in ONE_OF[name[1:]]]

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("x = np.abs(y)", "x = (y)"), Example("x = np.where(c, a, b)", "x = (b)", occurrence=1))


class SwapExtreme(_Numerical):
    """max ↔ min, any ↔ all and their like, functions and methods."""

    def choices(self, node: Any) -> Sequence[str]:
        called = isinstance(node, Name) and (node.get_next_leaf() or node).value == "("
        return [SWAPS[node.value]] if called and node.value in SWAPS else ()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("x = max(y)", "x = min(y)"),)


class DropStatement(_Numerical):
    """A statement that is made for its effect → pass."""

    def choices(self, node: Any) -> Sequence[Any]:
        if node.type == "simple_stmt" or getattr(node.parent, "type", "") != "simple_stmt":
            return ()
        is_call = node.type == "atom_expr" and node.children[-1].get_code().endswith(")")
        return [Keyword("pass", node.start_pos, node.get_first_leaf().prefix)] if is_call or self._effect(node) else ()

    def _effect(self, node: Any) -> bool:
        if node.type != "expr_stmt":
            return bool(node.type == "raise_stmt")
        stored = node.children[0].get_code().strip()
        return node.children[1].type == "operator" and (node.children[1].value != "=" or stored.endswith("]"))

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("x -= y\n", "pass\n"), Example("raise E\n", "pass\n"))


OWN = {kind.__name__: kind() for kind in (DropOperand, DropCall, SwapExtreme, DropStatement)}


def operators() -> dict[str, Operator]:
    """The operators by name."""
    names = [f"ReplaceBinaryOperator_{n}" for n in BINARY] + [f"ReplaceComparisonOperator_{n}" for n in COMPARISON]
    return {name: get_operator(f"core/{name}")() for name in (*names, *OTHERS)} | OWN


def places(source: str) -> list[tuple[str, int]]:
    """Every mutation that may be made, as operator and occurrence."""
    hidden, nodes = list(_for_types(ast.parse(source))), list(ast_nodes(get_ast(source)))
    found = []
    for name, operator in operators().items():
        spots = [(node, start) for node in nodes for start, _ in operator.mutation_positions(node)]
        found += [
            (name, k)
            for k, (node, start) in enumerate(spots)
            if _holds_values(node) and not any(a <= start < b for a, b in hidden)
        ]
    return found


def _holds_values(node: Any) -> bool:
    """Whether a node is no mark among parameters: the lone * and the stars of *args and **kwargs."""
    return node.type != "operator" or getattr(node.parent, "type", "") not in {"parameters", "param", "argument"}


def _for_types(tree: ast.Module) -> Iterator[Position]:
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            held = getattr(node, name, None)
            if held is not None:
                yield _span(held)
        # Whether a record may be assigned to is the type checker's business.
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dataclass":
            yield _span(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield _span(node)


def _span(node: Any) -> Position:
    # Columns of `ast` count bytes and parso's count characters; no name or number that is mutated stands behind
    # another letter on such a line.
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def mutant(module: str, source: str, name: str, occurrence: int) -> Mutant | None:
    """The mutant of one place, or None where it is no other program."""
    mutated = mutate_code(source, operators()[name], occurrence)
    if mutated is None or not _compiles(mutated):
        return None
    before, after = source.splitlines(), mutated.splitlines()
    top = next((k for k, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    if top is None:
        return None
    end = 0
    while end < min(len(before), len(after)) - top and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = (" ".join(s.strip() for s in lines[top : len(lines) - end]).strip() for lines in (before, after))
    return Mutant(module, function_at(source, len(before) - end), old, new, name, mutated)


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def function_at(source: str, line: int) -> str:
    """The dotted name of the innermost function or class that holds a line."""
    named, found = ast.parse(source).body, []
    while True:
        inner = [
            node
            for node in named
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and min([node.lineno, *(d.lineno for d in node.decorator_list)]) <= line <= (node.end_lineno or 0)
        ]
        if not inner:
            return ".".join(found) or "<module>"
        found.append(inner[0].name)
        named = inner[0].body
