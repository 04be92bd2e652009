"""The document's statements are data, and every property cites statements that exist."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import regcheck_properties
from regcheck_properties.statements import STATEMENTS

from regcheck import Property

MODULES = [module.name for module in pkgutil.iter_modules(regcheck_properties.__path__)]
SECTIONS = {
    "1": ("1", "2", "3"),
    "2": ("1",),
    "3": ("1", "2", "3"),
    "4": ("1", "2a", "2b", "2c", "3a", "3b"),
    "5": ("1", "2", "3", "4", "5"),
    "6": ("1", "2", "3"),
    "7": ("1", "2", "3", "4"),
    "8": ("1", "2", "3", "4"),
    "9": ("1", "2", "3"),
    "10": ("1", "2", "3", "4"),
    "11": ("1", "2", "3"),
}


def test_the_numbers_are_those_of_the_document():
    assert list(STATEMENTS) == [f"{section}.{part}" for section, parts in SECTIONS.items() for part in parts]


@pytest.mark.parametrize("number", STATEMENTS)
def test_a_statement_is_whole(number):
    statement = STATEMENTS[number]
    assert statement.number == number
    assert statement.english.endswith(".")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in statement.chinese) or "\\partial" in statement.chinese
    assert statement.formula


@pytest.mark.parametrize("module", MODULES)
def test_properties_cite_statements_that_exist(module):
    found = vars(importlib.import_module(f"regcheck_properties.{module}")).values()
    cited = {(law.id, number) for law in found if isinstance(law, Property) for number in law.statements}
    assert {(name, number) for name, number in cited if number not in STATEMENTS} == set()
