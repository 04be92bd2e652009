"""The command line: one sentence on standard error, the right exit code, data on standard output."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from regcheck import __version__, cli, registry
from regcheck.report import records
from regcheck.verdict import Report, summarise

RIGHT = """
    import numpy as np
    import regcheck

    class Penalty:
        def __init__(self, strength): self.strength = strength
        def value(self, w): return w.dtype.type(self.strength) * np.abs(w).sum(dtype=w.dtype)
        def gradient(self, w): return w.dtype.type(self.strength) * np.sign(w)

    @regcheck.implements("l1")
    def right(config): return Penalty(config.l1)

    @regcheck.implements("l1")
    def wrong(config): return Penalty(2 * config.l1)
"""


@pytest.fixture
def layers(tmp_path, monkeypatch):
    """A file with a right layer and a wrong one, in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "layers.py"
    path.write_text(textwrap.dedent(RIGHT))
    return path


def stored(path, **changes):
    """An empty report in a file."""
    empty = Report(
        regcheck="0.1.0",
        conformant=False,
        complete=True,
        in_process=False,
        partial=False,
        canaries="judged rightly",
        seed=0,
        profile="default",
        platform={},
        environments=[],
        implementations=[],
        not_installed=[],
        problems=[],
        summary=summarise([]),
        cells=[],
    )
    path.write_text(records.dumps(msgspec.structs.replace(empty, **changes)))
    return str(path)


def sentence(capsys):
    """Standard error, which must be one line."""
    seen = capsys.readouterr()
    assert seen.out == ""
    lines = [line for line in seen.err.splitlines() if "plug-in" not in line]
    assert len(lines) == 1
    return lines[0]


def started(*arguments):
    """The command as a process of its own: (exit code, standard output, standard error)."""
    done = subprocess.run([sys.executable, "-m", "regcheck", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verfy"], "There is no command 'verfy'. Did you mean 'verify'?"),
        (["verify", "--profil", "quick"], "--profile"),
        (["verify", "--profile", "quik"], "There is no profile 'quik'. Did you mean 'quick'?"),
        (["verify", "--level", "corr"], "There is no level 'corr'. Did you mean 'core'?"),
        (["verify", "--family", "batchnorm"], "batch_norm"),
        (["verify", "--property", "dropuot.*"], "No property matches 'dropuot.*'"),
        (["verify", "--examples", "0"], "--examples"),
        (["verify", "--timeout", "nan"], "--timeout"),
        (["verify", "--timeout", "-1"], "--timeout"),
        (["verify", "--seed", "x"], "--seed"),
        (["verify", "--python", "no-such-python"], "There is no interpreter 'no-such-python'"),
        (["verify", "absent.py"], "There is no file 'absent.py'"),
        (["verify", "not a target"], "is not a target"),
        (["list", "propertys"], "Did you mean 'properties'?"),
        (["list", "statements", "--markdown"], "There is no table of 'statements'"),
        (["list", "--markdown"], "--markdown makes one table"),
        (["list", "families", "--markdown", "--json"], "--markdown makes one table"),
        (["explain", "dropout.expectation-preservd"], "Did you mean 'dropout.expectation-preserved'?"),
        (["explain"], "Missing argument"),
        (["replay", "absent.json"], "'absent.json' cannot be read"),
        (["report", "absent.json"], "'absent.json' cannot be read"),
        (["bench", "--size", "tiny"], "There is no size 'tiny'. Expected one of small, medium, large."),
        (["bench", "--family", "dropot"], "Did you mean 'dropout'?"),
        (["bench", "absent.py"], "There is no file 'absent.py'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == 2
    assert says in sentence(capsys)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import absent_module", "absent_module"),
        ("1/0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("x = 1", "marks no implementation"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os; os._exit(0)", "cannot be imported"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_one_sentence_and_exit_2(source, says, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(source)
    code, out, err = started("verify", str(path), "--profile", "quick")
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


BARE = """
    class Odd:
        def __init__(self, eps, width): ...

    Hostile = type("Odd\\x1b[31m\\n::error", (Odd,), {})
"""


@pytest.mark.parametrize("command", ["verify", "bench"])
def test_a_class_that_cannot_be_inferred_is_told_with_the_lines_to_write(command, tmp_path):
    path = tmp_path / "bare.py"
    path.write_text(textwrap.dedent(BARE))
    code, out, err = started(command, f"{path}:Odd", "--family", "layer_norm")
    said, *lines = err.splitlines()
    assert (code, out) == (2, "")
    assert said.startswith("regcheck: Odd as layer_norm: cannot infer ")
    assert lines[0].startswith("    from bare_")
    assert lines[1:] == [
        '    @regcheck.implements("layer_norm")',
        "    def odd(config):",
        "        return Odd(eps=config.eps, width=...)",
    ]


def test_a_hostile_class_name_is_escaped_in_the_lines_to_write(tmp_path):
    path = tmp_path / "bare.py"
    path.write_text(textwrap.dedent(BARE))
    code, _, err = started("verify", f"{path}:Hostile", "--family", "layer_norm")
    assert code == 2
    assert len(err.splitlines()) == 5
    assert "\x1b" not in err
    assert not any(line.lstrip().startswith("::") for line in err.splitlines())
    assert "Odd\\x1b[31m\\n::error" in err


def test_an_unwritable_report_is_refused_before_anything_is_judged(capsys, layers):
    assert cli.run(["verify", str(layers), "--json", "/proc/nowhere/report.json"]) == 2
    assert "cannot be written" in sentence(capsys)


def test_an_internal_error_is_one_sentence_and_exit_4(capsys, monkeypatch):
    monkeypatch.setattr(registry, "implementations", lambda: 1 / 0)
    assert cli.run(["list", "implementations"]) == 4
    assert "Internal error: ZeroDivisionError" in sentence(capsys)


def test_a_traceback_is_shown_on_request_alone(capsys, monkeypatch):
    monkeypatch.setattr(registry, "implementations", lambda: 1 / 0)
    assert cli.run(["list", "implementations", "--traceback"]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_exit_130(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "implementations", interrupt)
    assert cli.run(["list", "implementations"]) == 130
    assert "Interrupted" in capsys.readouterr().err


# --- help, version, lists


def test_help_and_version(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"regcheck {__version__}\n"
    for command in ([], ["verify"], ["list"], ["explain"], ["replay"], ["bench"], ["report"]):
        assert cli.run([*command, "--help"]) == 0
        assert "Usage: regcheck" in capsys.readouterr().out


def test_no_command_is_help_and_exit_2(capsys):
    assert cli.run([]) == 2
    assert "Usage: regcheck" in capsys.readouterr().err


KEYS = {
    "implementations": {"name", "framework", "family", "available", "declares", "deviations"},
    "properties": {"id", "family", "level", "statements", "revision", "title", "kind"},
    "families": {"family", "config", "fields", "method", "conventions"},
    "statements": {"number", "english", "chinese", "formula", "properties"},
}


@pytest.mark.parametrize("kind", KEYS)
def test_lists_are_records_with_fixed_keys(kind, capsys):
    assert cli.run(["list", kind, "--json"]) == 0
    records_ = json.loads(capsys.readouterr().out)
    assert records_
    assert all(set(record) == KEYS[kind] for record in records_)
    assert cli.run(["list", kind]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(records_)


def test_a_list_of_everything(capsys):
    assert cli.run(["list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(KEYS)
    assert cli.run(["list"]) == 0
    assert "families (18)" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["properties", "families"])
def test_tables_for_a_document(kind, capsys):
    assert cli.run(["list", kind, "--markdown"]) == 0
    assert "| --- |" in capsys.readouterr().out


def test_explaining_a_property_and_a_statement(capsys):
    assert cli.run(["explain", "dropout.expectation-preserved"]) == 0
    assert "§5.3" in capsys.readouterr().out
    for number in ("5.3", "§5.3"):
        assert cli.run(["explain", number]) == 0
        assert "dropout.expectation-preserved" in capsys.readouterr().out


def test_explaining_tells_what_the_stock_declares_and_why(capsys):
    for name in ("8.2", "batch_norm.running-variance-unbiased"):
        assert cli.run(["explain", name]) == 0
        lines = capsys.readouterr().out.splitlines()
        holding = next(line for line in lines if "no deviation declared by" in line)
        assert "torch.BatchNorm1d" in holding
        assert "keras." not in holding
        deviating = [line for line in lines if "declared to deviate: keras.BatchNormalization," in line]
        assert len(deviating) == 1
        assert "running_variance=biased, for: " in deviating[0]
        assert "keras/src/" in deviating[0]


def test_explaining_a_stock_implementation_names_its_evidence(capsys):
    assert cli.run(["explain", "torch.GroupNorm"]) == 0
    out = capsys.readouterr().out
    assert "torch.GroupNorm  (group_norm, torch)" in out
    assert "single_value_batch" in out
    assert "deviations:" in out


# --- verify, replay, report


def test_a_right_layer_and_a_wrong_one_from_verify_to_replay(layers):
    glob = ["--property", "l1.*", "--profile", "quick"]
    code, out, err = started("verify", f"{layers}:right", *glob)
    assert (code, err) == (0, "")
    assert "0 failed" in out
    assert "partial" in out
    code, out, err = started("verify", str(layers), *glob, "--json", "report.json")
    assert (code, err) == (1, "")
    assert "✗ failed" in out
    report = records.read(Path("report.json"))
    assert {cell.implementation for cell in report.cells if cell.verdict == "failed"} == {"wrong"}
    command = next(cell.witness.replay for cell in report.cells if cell.witness is not None)
    assert command in out
    code, out, _ = started(*command.split()[1:])
    assert code == 1
    assert "wrong failed" in out


def test_a_mended_layer_replays_as_passed(layers):
    assert started("verify", f"{layers}:wrong", "--property", "l1.*", "--profile", "quick")[0] == 1
    (file, *_) = Path(".regcheck").iterdir()
    layers.write_text(layers.read_text().replace("2 * config.l1", "config.l1"))
    code, out, err = started("replay", str(file))
    assert code == 0
    assert "wrong passed" in out
    assert "has changed since" in err


def test_a_truncated_replay_file_is_refused(capsys, layers):
    started("verify", f"{layers}:wrong", "--property", "l1.*", "--profile", "quick")
    (file, *_) = Path(".regcheck").iterdir()
    file.write_text(file.read_text()[:-40])
    assert cli.run(["replay", str(file)]) == 2
    assert "truncated" in sentence(capsys)


@pytest.mark.parametrize(("form", "begins"), [("json", "{"), ("markdown", "# Conformance"), ("terminal", "regcheck")])
def test_stored_reports_in_every_form(form, begins, capsys, tmp_path):
    assert cli.run(["report", stored(tmp_path / "r.json"), "--format", form]) == 0
    assert capsys.readouterr().out.startswith(begins)


@pytest.mark.parametrize("form", ["json", "markdown", "terminal"])
def test_a_report_can_be_written_to_a_file(form, capsys, tmp_path):
    path = stored(tmp_path / "r.json")
    assert cli.run(["report", path, "--format", form, "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == ""
    assert "0.1.0" in (tmp_path / "out").read_text()
    assert cli.run(["report", path, path, "--output", str(tmp_path / "out")]) == 2


def test_an_unknown_form_is_refused(capsys, tmp_path):
    assert cli.run(["report", stored(tmp_path / "r.json"), "--format", "jsn"]) == 2
    assert "Did you mean 'json'?" in sentence(capsys)


def test_a_reader_that_leaves_does_not_end_in_a_traceback(tmp_path):
    path = stored(tmp_path / "r.json", problems=["x" * 1000] * 2000)
    command = f"{sys.executable} -m regcheck report {path} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)  # noqa: S607
    assert done.stderr == ""


def test_output_that_is_no_utf8_is_still_written(tmp_path):
    path = stored(tmp_path / "r.json", problems=["γ"])
    environment = {"PYTHONIOENCODING": "latin-1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "regcheck", "report", path], capture_output=True, env=environment, check=True
    )
    assert b"\\u03b3" in done.stdout


# --- what starting costs


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list", "implementations"], ["verify", "--help"]])
def test_a_quick_command_imports_nothing_heavy(arguments):
    source = (
        f"import sys; from regcheck import cli; cli.run({arguments!r});"
        "heavy = {'numpy', 'hypothesis', 'rich', 'msgspec', 'importlib.metadata'};"
        "heavy |= {'torch', 'tensorflow', 'keras', 'sklearn'};"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"
