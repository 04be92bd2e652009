"""The pytest plug-in: one item per cell, and no green where nothing was judged."""

import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

LAYERS = """
    import numpy as np
    import regcheck

    class LayerNorm:
        def __init__(self, config):
            ones = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}
            self.parameters = ones if config.affine else {}
        def forward(self, x, training):
            return self.act(x)
        def act(self, x):
            return np.zeros_like(x)

    @regcheck.implements("layer_norm")
    def zeros(config): return LayerNorm(config)

"""


@pytest.fixture
def suite(pytester):
    """Write a test module and run pytest on it in a process of its own."""

    def run(source, *arguments):
        pytester.makepyfile(test_author=textwrap.dedent(LAYERS) + textwrap.dedent(source))
        pytester.makeini("[pytest]")
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run


def test_the_plugin_imports_nothing_heavy_where_it_is_not_used():
    source = (
        "import sys; import regcheck.pytest_plugin;"
        "print(sorted({'numpy', 'hypothesis', 'msgspec', 'rich', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_failure_shows_claim_formula_witness_and_replay(suite):
    done = suite(
        """
        @regcheck.parametrize(zeros, "layer_norm.matches-definition")
        def test_it(): pass
        """
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["zeros failed: layer_norm.matches-definition", "*claim*", "*formula*", "*expected*", "*observed*", "*replay*"]
    )


def test_only_selected_items_are_judged_and_measurements_reach_junit(suite, pytester):
    done = suite(
        """
        @regcheck.parametrize(zeros)
        def test_it(): pass
        """,
        "-k",
        "batch-size-invariant",
        "--junitxml=out.xml",
    )
    assert set(done.parseoutcomes()) >= {"passed", "deselected"}
    names = [node.get("name") for node in ET.parse(pytester.path / "out.xml").iter("property")]  # noqa: S314
    assert names[:2] == ["regcheck.implementation", "regcheck.verdict"]


@pytest.mark.parametrize(
    "body",
    [
        "import os; os._exit(0)",
        "import unittest; raise unittest.SkipTest('no')",
        "import pytest; pytest.skip('no')",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
    ],
)
def test_a_layer_cannot_turn_the_run_green(suite, body):
    done = suite(
        f"""
        class Ending(LayerNorm):
            def act(self, x):
                {body}

        @regcheck.implements("layer_norm")
        def ending(config): return Ending(config)

        @regcheck.parametrize(ending, "layer_norm.matches-definition")
        def test_it(): pass
        """
    )
    done.assert_outcomes(failed=1)


def test_what_is_not_applicable_is_skipped_with_its_reason(suite):
    done = suite(
        """
        @regcheck.implements("layer_norm")
        def picky(config): raise regcheck.Unsupported("only on Sundays")

        @regcheck.parametrize(picky, "layer_norm.matches-definition")
        def test_it(): pass
        """,
        "-rs",
    )
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["*only on Sundays*"])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("regcheck.parametrize(lambda config: None)", "Move it there"),
        ("regcheck.parametrize((lambda: regcheck.implements('l1')(lambda config: None))())", "Move it there"),
        ("regcheck.parametrize(LayerNorm)", "LayerNorm"),
        ("regcheck.parametrize(zeros, 'layr_norm.*')", "No property matches 'layr_norm.*'"),
    ],
)
def test_wrong_use_is_an_error_with_the_remedy(suite, source, says):
    done = suite(
        f"""
        @{source}
        def test_it(): pass
        """
    )
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines([f"*{says}*"])


def test_without_the_plugin_a_parametrised_test_is_an_error(suite):
    done = suite(
        """
        @regcheck.parametrize(zeros)
        def test_it(): pass
        """,
        "-p",
        "no:regcheck",
    )
    done.assert_outcomes(errors=1)


def test_a_bad_option_is_an_error_of_its_items(suite):
    done = suite(
        """
        @regcheck.parametrize(zeros, "layer_norm.matches-definition", profile="quik")
        def test_it(): pass
        """
    )
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*There is no profile 'quik'*"])
