"""What a worker tells of an implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regcheck import loading
from regcheck.implementation import Implementation

if TYPE_CHECKING:
    import pytest


def test_a_framework_no_adapter_knows_is_a_label_also_of_a_factory_that_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def factory(_config: Any) -> Any:
        raise OSError

    monkeypatch.setattr(loading, "ADAPTERS", {"plain": "regcheck.adapters.plain"})
    about = loading.describe("x", Implementation(factory, "l1", name="x", framework="mylib"), [None])
    assert (about["framework"], about["adapter"], about["defaults"]) == ("mylib", "plain", {})
