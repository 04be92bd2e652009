"""What the machine changes, and what it leaves alone."""

from __future__ import annotations

import pytest

pytest.importorskip("cosmic_ray", reason="needs cosmic-ray: pip install --group mutants")

import mutations
from cosmic_ray.mutating import mutate_code

SOURCE = '''
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT: int | None = 3


@dataclass(frozen=True)
class Layer:
    def widest(self, x: int | None = None) -> int | str:
        """1 + 1."""
        x -= 1
        return max(
            x,
            LIMIT,
        )
'''


def mutants(source: str) -> list[mutations.Mutant]:
    made = (mutations.mutant("m.py", source, *place) for place in mutations.places(source))
    return [m for m in made if m is not None]


@pytest.mark.parametrize("name", mutations.OWN)
def test_an_operator_does_what_its_examples_say(name: str) -> None:
    operator = mutations.OWN[name]
    for example in operator.examples():
        assert mutate_code(example.pre_mutation_code, operator, example.occurrence) == example.post_mutation_code


def test_values_and_statements_are_changed_and_what_only_types_see_is_not() -> None:
    changed = {(m.function, m.line, m.mutated) for m in mutants(SOURCE)}
    assert changed == {
        ("<module>", "LIMIT: int | None = 3", "LIMIT: int | None = 4"),
        ("<module>", "LIMIT: int | None = 3", "LIMIT: int | None = 2"),
        ("Layer.widest", "x -= 1", "x -= 2"),
        ("Layer.widest", "x -= 1", "x -= 0"),
        ("Layer.widest", "x -= 1", "pass"),
        ("Layer.widest", "return max(", "return min("),
        ("Layer", "@dataclass(frozen=True)", ""),
    }


def test_a_mutant_is_known_by_what_changes_not_by_where_it_stands() -> None:
    moved = SOURCE.replace("@dataclass", "OTHER = True\n\n\n@dataclass")
    assert {m.key for m in mutants(SOURCE)} < {m.key for m in mutants(moved)}


def test_what_does_not_compile_is_no_mutant() -> None:
    assert mutants("for x in y:\n    break\n") != []
    assert mutants("@property\ndef f(): pass\n") != []
    assert all(compile(m.source, "m", "exec") for m in mutants(SOURCE))


def test_the_stars_of_parameters_are_no_products() -> None:
    marked = "def f(*, x): pass\n\n\ndef g(**kwargs): f(**kwargs)\n"
    assert {m.mutated for m in mutants(marked)} == {"def g(**kwargs): pass"}
