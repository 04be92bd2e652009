"""The summaries of the kill matrix, on a tiny matrix made by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import kills
import pytest

LEVELS = {"common.shape": "interface", "l1.value": "core", "l1.convex": "core", "l1.huge": "extreme"}
HELD = ["passed", 200, 0.2]
RECORD = {
    "regcheck": "0",
    "edition": "0",
    "versions": {"python": "3"},
    "seed": 7,
    "examples": 500,
    "budget": 200,
    "museum": {"plain_l1": 3, "torch_penalties": 2},
    "meant": {"l1.value": 2, "l1.convex": 3},
    "properties": LEVELS,
    "faults": {
        "plain_l1:Plain": {
            "family": "l1",
            "meant": "l1.value",
            "hunt": ["failed", 10, 0.02],
            "witness": 1,
            "cells": {
                "common.shape": HELD,
                "l1.value": ["failed", 10, 0.02],
                "l1.convex": ["failed", 30, 0.1],
                "l1.huge": ["failed", 2, 0.01],
            },
        },
        "plain_l1:Rare": {
            "family": "l1",
            "meant": "l1.value",
            "hunt": ["failed", 180, 0.3],
            "witness": 3,
            "cells": {
                "common.shape": HELD,
                "l1.value": ["failed", 90, 0.1],
                "l1.convex": HELD,
                "l1.huge": ["failed", 2, 0.01],
            },
        },
        "plain_l1:Missed": {"family": "l1", "meant": "l1.convex", "hunt": ["passed", 500, 0.9], "witness": None},
    },
}


@pytest.fixture
def faults():
    return kills.faults_of(RECORD)


def test_a_property_kills_alone_or_first_among_those_that_are_compared(faults):
    found = kills.kills_by_property(faults, LEVELS)
    assert found == {
        "common.shape": kills.Kills(judged=2, kills=0, alone=0, first=0),
        "l1.value": kills.Kills(judged=2, kills=2, alone=1, first=2),
        "l1.convex": kills.Kills(judged=2, kills=1, alone=0, first=0),
        "l1.huge": kills.Kills(judged=2, kills=2, alone=0, first=0),
    }
    assert kills.never_needed(found, LEVELS) == ["common.shape", "l1.convex"]


def test_several_properties_may_be_first_at_once():
    cells = {"a": kills.Seen("failed", 4, 0.1), "b": kills.Seen("failed", 4, 0.1)}
    found = kills.kills_by_property([kills.Fault("f", "l1", "a", cells=cells)], {"a": "core", "b": "core"})
    assert [(k.alone, k.first) for k in found.values()] == [(0, 1), (0, 1)]


def test_the_curve_counts_a_fault_from_its_first_failure_on(faults):
    assert [kills.share_within(faults, limit) for limit in (9, 10, 179, 180, 500)] == [0, *[1 / 3] * 2, *[2 / 3] * 2]
    assert kills.share_within([], 20) == 0


def test_the_report_says_what_was_missed_and_what_was_left_out():
    text = kills.markdown(RECORD)
    assert "| `l1` | 3 | 2 of 3 | 2 of 2 | 95 | 160 | 2 |" in text
    assert "Not caught by the property meant: `plain_l1:Missed` (passed by `l1.convex`)." in text
    assert "Not in this report: `torch_penalties` (2)." in text
    assert "| `l1.convex` | 1 | 0 | 3 |" in text
    assert "| `plain_l1:Rare` | `l1.value` | 180 | 300 | 3 | 1 |" in text


@pytest.mark.parametrize("count", [0, 3])
def test_the_figure_stays_within_its_frame(faults, count):
    figure = ET.fromstring(kills.svg(faults[:count], 500))  # noqa: S314  (our own text)
    line = figure.find("{*}polyline").get("points").split()
    points = [tuple(map(float, point.split(","))) for point in line]
    assert all(0 <= x <= kills.WIDTH and 0 <= y <= kills.HEIGHT for x, y in points)
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
