"""Files appear whole or not at all, and what is no file stays what it is."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from regcheck.errors import UsageError
from regcheck.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "report.json"
    for text in ("first", "second"):
        write_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(path, "text")
        assert os.read(reader, 9) == b"text"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_the_file_behind_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "file.json")
    write_atomically(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == "text"


def test_a_folder_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path, "text")
