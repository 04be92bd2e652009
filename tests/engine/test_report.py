"""Every form of a report is a pure function of it, and foreign text stays data in all of them."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from regcheck.errors import UsageError
from regcheck.report import failure, layout, records, schema
from regcheck.report.exit_code import exit_code, of_cell
from regcheck.report.markdown import code, escape, markdown
from regcheck.report.plain import nested, one_line, times_bound, witness_lines
from regcheck.report.terminal import renderables
from regcheck.verdict import VERDICTS, Cell, Report, Witness, summarise

CLAIMS = {"l1.value": ("The value is the sum of absolute weights.", "ℓ(w) = λ·Σ|w|")}
HOSTILE = "[/oops] \x1b[31mred\x07 \u202e a|b `c` <script>x</script> line\nbreak ::error::x"
WITNESS = Witness(
    config={"l1": 0.5},
    inputs={"dtype": "float32", "w": {"shape": [2, 1], "values": [1.5, "nan"], "hex": ["0x1.8000p+0", "nan"]}},
    expected="0.75 (0x1.8p-1)",
    observed="-0.75 (-0x1.8p-1)",
    where="value",
    replay="regcheck replay .regcheck/mine-1234.json",
)


def cell(verdict="passed", **changes):
    given = {
        "implementation": "mine.L1",
        "framework": "numpy",
        "family": "l1",
        "property": "l1.value",
        "revision": 1,
        "level": "core",
        "verdict": verdict,
    }
    return Cell(**{**given, **changes})


def report(*cells, **changes):
    given = {
        "regcheck": "0.1.0",
        "conformant": False,
        "complete": True,
        "in_process": False,
        "partial": False,
        "canaries": "judged rightly",
        "seed": 7,
        "profile": "quick",
        "platform": {"system": "Linux"},
        "environments": [{"id": 0, "python": "3.11.7"}],
        "implementations": [{"name": "mine.L1", "declares": {"subnormals": "flushed"}, "defaults": {}}],
        "not_installed": [],
        "problems": [],
        "summary": summarise(list(cells)),
        "cells": list(cells),
    }
    return Report(**{**given, **changes})


FAILED = cell("failed", reason="wrong numbers", error_over_bound=12.5, witness=WITNESS)
ALL = report(*(cell(verdict, implementation=f"mine.{verdict}", reason="why") for verdict in VERDICTS))


def on_terminal(one, *, width=120, unicode=True):
    console = Console(width=width, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    for piece in renderables(one, CLAIMS, width=width, unicode=unicode):
        console.print(piece, crop=False)
    return console.file.getvalue()


# --- the exit code


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (report(FAILED, complete=False, problems=["internal error: x"]), 130),
        (report(FAILED, problems=["internal error: x"], canaries="misjudged: crash"), 4),
        (report(FAILED, canaries="misjudged: crash"), 3),
        (report(FAILED, cell("inconclusive")), 1),
        (report(cell("passed"), cell("inconclusive")), 3),
        (report(cell("passed"), cell("failed", level="extreme")), 0),
        (report(cell("not-applicable")), 5),
        (report(), 5),
        (report(cell("deviates")), 0),
        (report(cell("passed"), cell("not-applicable"), problems=["a broken plug-in"]), 0),
    ],
)
def test_the_first_reason_decides_the_exit_code(one, code):
    assert exit_code(one) == code


def test_the_exit_code_of_one_verdict():
    assert [of_cell(cell(verdict)) for verdict in VERDICTS] == [0, 1, 0, 5, 3]


# --- the terminal


def test_every_verdict_has_its_glyph_and_its_word():
    text = on_terminal(ALL)
    for verdict in VERDICTS:
        assert f"{layout.GLYPHS[verdict]} {verdict}" in text


def test_a_terminal_without_unicode_gets_other_glyphs():
    text = on_terminal(ALL, unicode=False)
    assert "x failed" in text
    assert "✗" not in text


def test_a_failure_shows_claim_formula_witness_error_and_replay():
    text = on_terminal(report(FAILED))
    for part in (
        "The value is the sum of absolute weights.",
        "ℓ(w) = λ·Σ|w|",
        "l1=0.5",
        "[[1.5], [nan]]",
        "[[0x1.8p+0], [nan]]",
        "0.75 (0x1.8p-1)",
        "12.5 × the bound",
        "regcheck replay .regcheck/mine-1234.json",
    ):
        assert part in text


def test_the_summary_is_always_there():
    assert "5 planned, 1 passed, 1 failed, 1 deviates, 1 not applicable, 1 inconclusive" in on_terminal(ALL)
    assert "0 planned" in on_terminal(report())


def test_frameworks_that_are_not_installed_are_named():
    assert "not installed: keras, torch" in on_terminal(report(cell(), not_installed=["keras", "torch"]))


def test_a_table_that_is_too_wide_goes_on_below():
    wide = report(*(cell(implementation=f"mine.Implementation{i}") for i in range(30)))
    lines = on_terminal(wide, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(lines).count("✓ passed") == 30


def test_a_replay_command_is_never_broken():
    assert WITNESS.replay in on_terminal(report(FAILED), width=30)


def test_several_environments_are_told_apart():
    two = [{"id": 0, "torch": "2.12"}, {"id": 1, "torch": "2.13"}]
    text = on_terminal(report(cell(), cell(environment=1), environments=two))
    assert "mine.L1 [0]" in text
    assert "mine.L1 [1]" in text
    assert "environment 1: torch 2.13" in text


def test_what_is_not_applicable_is_grouped_by_reason():
    many = report(*(cell("not-applicable", property=f"l1.p{i}", reason="the layer offers no prox") for i in range(9)))
    text = on_terminal(many)
    assert "l1: the layer offers no prox: mine.L1 l1.p0" in text
    assert "and 6 more" in text


# --- foreign text


def hostile():
    witness = Witness(config={HOSTILE: HOSTILE}, inputs={HOSTILE: HOSTILE}, expected=HOSTILE, observed=HOSTILE)
    everywhere = dict.fromkeys(("implementation", "framework", "family", "property", "reason", "output"), HOSTILE)
    cells = [cell(verdict, **everywhere, witness=witness) for verdict in VERDICTS]
    about = [{"name": HOSTILE, "declares": {HOSTILE: HOSTILE}, "defaults": None}]
    return report(
        *cells, problems=[HOSTILE], not_installed=[HOSTILE], environments=[{HOSTILE: HOSTILE}], implementations=about
    )


def test_the_terminal_gets_no_escape_and_no_runner_command():
    text = on_terminal(hostile())
    assert "[/oops]" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_markdown_gets_no_html_and_no_broken_table():
    lines = markdown(hostile(), {HOSTILE: (HOSTILE, HOSTILE)}).splitlines()
    for line in lines:
        prose = "".join(line.split("`")[::2])
        assert "<script>" not in prose or "`" in line
    tables = [line for line in lines if line.startswith("|")]
    widths = [line.replace("\\|", "").count("|") for line in tables]
    assert set(widths) <= {3, 4, 5, 7}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[0m", "\\x1b[0m"),
        ("\ud800", "\\ud800"),
        ("torch::nn", "torch::nn"),
        ("::error::x", "\\::error::x"),
        ("##[group]", "\\##[group]"),
        ("γ·x̂ ≤ ½", "γ·x̂ ≤ ½"),
    ],
)
def test_one_line_keeps_text_and_escapes_the_rest(text, shown):
    assert one_line(text) == shown


def test_long_text_is_cut():
    assert len(one_line("x" * 10_000)) < 2100


def test_markdown_text_and_code():
    assert escape("a_b _c_ <i> *") == "a_b \\_c\\_ &lt;i&gt; \\*"
    assert code("`a``b") == "``` `a``b ```"


@pytest.mark.parametrize(
    ("flat", "shape", "shown"),
    [
        ([1, 2, 3, 4], [2, 2], "[[1, 2], [3, 4]]"),
        ([1, 2], [2], "[1, 2]"),
        ([1], [], "1"),
        ([], [0, 3], "[]"),
        ([1, 2], [10, 10], "[1, 2]"),
        ([1.5, "inf"], [2], "[1.5, inf]"),
    ],
)
def test_values_stand_in_the_brackets_of_their_shape(flat, shape, shown):
    assert nested(flat, shape) == shown


def test_a_large_array_says_what_it_leaves_out():
    lines = dict(witness_lines({"w": {"shape": [100], "values": [0.0], "hex": ["0x0p+0"], "left_out": 99}}))
    assert lines["w shape"] == "100 elements, of which the replay file holds 99 more"


@pytest.mark.parametrize("value", [{"values": 3}, {"values": None}, [1], {"a": {"b": []}}, None])
def test_a_witness_of_another_form_is_shown_as_it_is(value):
    assert len(list(witness_lines({"w": value}))) == 1


def test_an_error_is_told_in_units_of_the_bound():
    assert [times_bound(e) for e in (None, 2.0, "inf")] == ["not measured", "2 × the bound", "inf × the bound"]


# --- the text of one cell


def test_the_text_of_a_failure_has_all_that_is_needed():
    lines = failure.text(FAILED, CLAIMS).splitlines()
    assert lines[0] == "mine.L1 failed: l1.value"
    assert lines[-1].endswith(WITNESS.replay)


# --- Markdown


def test_markdown_has_summary_tables_failures_and_declarations():
    text = markdown(report(FAILED, cell("deviates", property="l1.b", reason="declared: x=y")), CLAIMS)
    for part in (
        "| planned | passed | failed | deviates | not applicable | inconclusive |",
        "| 2 | 0 | 1 | 1 | 0 | 0 |",
        "| `l1.value` | ✗ failed |",
        "### mine.L1: l1.value",
        "- w: `[[1.5], [nan]]`",
        "| mine.L1 | `l1.b` | declared: x=y |",
        "| mine.L1 | subnormals | flushed | the author |",
    ):
        assert part in text


# --- JSON


def test_a_report_survives_json():
    one = report(FAILED, cell(error_over_bound="inf"))
    assert records.loads(records.dumps(one)) == one


def test_json_holds_no_number_that_a_strict_parser_refuses():
    witness = msgspec.structs.replace(
        WITNESS, inputs={"scale": float("nan"), "w": [float("inf"), {"x": -float("inf")}]}
    )
    text = records.dumps(report(cell("failed", witness=witness)))

    def refuse(constant):
        raise AssertionError(constant)

    stored = json.loads(text, parse_constant=refuse)["cells"][0]["witness"]["inputs"]
    assert stored == {"scale": "nan", "w": ["inf", {"x": "-inf"}]}


def test_json_holds_every_key_and_no_lone_surrogate():
    stored = json.loads(records.dumps(report(cell(reason="\ud800"))))
    described = schema.schema()["$defs"]
    assert set(stored) == set(described["Report"]["required"])
    assert set(stored["cells"][0]) == set(described["Cell"]["required"])
    assert set(stored["summary"]) == {"planned", *VERDICTS}
    assert stored["cells"][0]["reason"] == "\\ud800"


def test_the_published_schema_is_current():
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run: python -m regcheck.report.schema"


def changed(**changes):
    return json.dumps({**json.loads(records.dumps(report(cell()))), **changes})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a whole regcheck report"),
        ("[1, 2]", "not a whole regcheck report"),
        ('{"schema": 1', "not a whole regcheck report"),
        ("[" * 100_000, "not a whole regcheck report"),
        (b"\xff\xfe", "not a whole regcheck report"),
        ("{}", "has schema None"),
        (changed(schema=99), "has schema 99"),
        (changed(seed="x"), "not a whole regcheck report"),
        (changed(cells=[]), "its summary does not count its cells"),
        (changed(conformant=True, complete=False), "says conformant"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(text, says):
    with pytest.raises(UsageError, match="Run `regcheck verify --json FILE` to write one") as caught:
        records.loads(text, "r.json")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_more_keys_are_no_error():
    assert records.loads(changed(later="more")).seed == 7


def test_a_file_that_is_not_there_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="Check the path"):
        records.read(tmp_path / "absent.json")


def test_what_is_conformant_and_why_not():
    assert layout.conformance(report(cell(), conformant=True)) == "conformant"
    assert layout.conformance(report(FAILED, partial=True)) == "not conformant (partial: filtered; 1 failed)"
    assert layout.conformance(report(complete=False)) == "not conformant (interrupted, incomplete; nothing was judged)"
