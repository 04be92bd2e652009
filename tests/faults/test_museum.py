"""Every faulty layer of the museum fails by the property meant for it, and no right layer is accused of anything.

Each run judges by other cases; a failure names the seed that replays its own, `--hypothesis-seed=...`.
"""

from __future__ import annotations

import importlib.util
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from museum import FAULTY, RIGHT, Exhibit, Room

if TYPE_CHECKING:
    from collections.abc import Iterator

# What an exhibit that spares no call is judged by.
ANY = {"layer_norm": "layer_norm.matches-definition"}
# By adapter: the mark of the tests that need it.
MARKS = {"torch": pytest.mark.torch, "keras": pytest.mark.tensorflow, "sklearn": pytest.mark.sklearn}
# These break one thing that the checker watches beside the result: nothing else may be held against them. The one
# that prints a gigabyte is left out: it would print one for every call of every law.
NOTHING_ELSE = ("OverwritesInput", "WritesThroughReadOnly", "PrintsEveryCall")


@pytest.fixture(scope="module")
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    """The museum's one room."""
    given = request.config.getoption("--hypothesis-seed", None)
    found = Room(secrets.randbits(32) if given is None else int(given))
    yield found
    found.close()


def _installed(exhibit: Exhibit) -> None:
    if exhibit.adapter != "plain" and importlib.util.find_spec(exhibit.adapter) is None:
        pytest.skip(f"{exhibit.file.name} needs {exhibit.adapter}, which is not installed")


def _marked(exhibit: Exhibit) -> Any:
    return pytest.param(exhibit, id=str(exhibit), marks=MARKS.get(exhibit.adapter, ()))


def test_every_faulty_layer_names_the_property_that_must_catch_it(room: Room) -> None:
    unknown = {str(e): e.expected for e in FAULTY if e.expected not in {"any", *room.laws}}
    assert not unknown
    assert not [str(e) for e in RIGHT if e.expected is not None]


@pytest.mark.parametrize("exhibit", [_marked(e) for e in FAULTY])
def test_a_faulty_layer_fails_by_the_property_meant_for_it(room: Room, exhibit: Exhibit) -> None:
    _installed(exhibit)
    law = exhibit.expected if exhibit.expected != "any" else ANY[room.about(exhibit)["family"]]
    assert law is not None
    cell = room.judge(exhibit, law)
    assert cell.verdict == "failed", f"{law}: {cell.verdict}, {cell.reason}; --hypothesis-seed={room.seed}"
    assert cell.witness is not None


@pytest.mark.slow
@pytest.mark.parametrize("exhibit", [_marked(e) for e in RIGHT])
def test_no_property_accuses_a_right_layer(room: Room, exhibit: Exhibit) -> None:
    _installed(exhibit)
    # Some forty cells a layer: few cases in each, others in every run.
    cells = [room.judge(exhibit, law, "quick") for law in room.laws_of(room.about(exhibit)["family"])]
    accused = {c.property: (c.reason, c.witness) for c in cells if c.verdict in {"failed", "inconclusive"}}
    assert not accused, f"{accused}; --hypothesis-seed={room.seed}"
    assert any(c.verdict == "passed" for c in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTHING_ELSE)
def test_what_the_checker_watches_beside_the_result_spoils_one_property_alone(room: Room, name: str) -> None:
    exhibit = next(e for e in FAULTY if e.name == name)
    failed = [law for law in room.laws_of("layer_norm") if room.judge(exhibit, law, "quick").verdict == "failed"]
    assert failed == [exhibit.expected], f"--hypothesis-seed={room.seed}"
