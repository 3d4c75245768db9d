"""A chain of lines: what was changed shows, and what was cut while it was written does no harm."""

import json
import os
from multiprocessing import get_context
from pathlib import Path

import pytest

from myquant.config.chain import Chain, Fields
from myquant.errors import ConfigError, DataError, MyquantError


def chain_of(folder: Path, lines: int = 0) -> Chain:
    chain = Chain(folder / "chain.jsonl", "mend it")
    for number in range(lines):
        chain.append(lambda _, number=number: {"what": number})  # type: ignore[misc]
    return chain


def append_many(folder: Path, count: int) -> None:
    chain = chain_of(folder)
    for _ in range(count):
        chain.append(lambda entries: {"seen": len(entries)})


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    chain = chain_of(tmp_path / "new" / "folder", 3)
    read = chain.read()
    assert [(entry["number"], entry["what"]) for entry in read.entries] == [(1, 0), (2, 1), (3, 2)]
    assert (read.problems, read.lines, read.cut) == ([], 3, 0)
    assert chain.path.stat().st_mode & 0o777 == 0o600
    assert Chain(tmp_path / "none.jsonl", "mend it").read().entries == []


def test_every_change_of_a_line_with_one_after_it_shows(tmp_path: Path) -> None:
    chain = chain_of(tmp_path, 3)
    content = chain.path.read_bytes()
    end_of_second = content.index(b"\n", content.index(b"\n") + 1)
    for at in range(end_of_second):
        chain.path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert chain.read().problems, at


@pytest.mark.parametrize("number", [1, 2])
def test_a_line_that_is_gone_is_named(tmp_path: Path, number: int) -> None:
    chain = chain_of(tmp_path, 3)
    lines = chain.path.read_text().splitlines(keepends=True)
    chain.path.write_text("".join(lines[: number - 1] + lines[number:]))
    assert chain.read().problems[0] == f"{chain.path}, line {number}: does not follow from the line before it"


def test_lines_in_another_order_show(tmp_path: Path) -> None:
    chain = chain_of(tmp_path, 3)
    lines = chain.path.read_text().splitlines(keepends=True)
    chain.path.write_text("".join([lines[1], lines[0], lines[2]]))
    assert [problem.rpartition(", ")[2].partition(":")[0] for problem in chain.read().problems] == [
        "line 1",
        "line 2",
        "line 3",
    ]


def test_nothing_is_written_behind_a_broken_line(tmp_path: Path) -> None:
    chain = chain_of(tmp_path, 2)
    lines = chain.path.read_text().splitlines(keepends=True)
    chain.path.write_text("nonsense\n" + lines[1])
    before = chain.path.read_bytes()
    with pytest.raises(DataError, match=r"line 1: was changed: it is no line of this file: mend it"):
        chain.append(lambda _: {})
    assert chain.path.read_bytes() == before


@pytest.mark.parametrize("line", ["[1]", "3", '"x"', "{", "[" * 100_000])
def test_what_is_no_line_is_named(tmp_path: Path, line: str) -> None:
    chain = chain_of(tmp_path)
    chain.path.write_text(line + "\n")
    assert chain.read().problems == [f"{chain.path}, line 1: was changed: it is no line of this file"]


def test_a_line_that_was_cut_while_it_was_written_is_replaced(tmp_path: Path) -> None:
    chain = chain_of(tmp_path, 2)
    whole = chain.path.read_bytes()
    chain.append(lambda _: {"what": "lost", "more": "x" * 100})
    longer = chain.path.read_bytes()
    for size in range(len(whole) + 1, len(longer)):
        chain.path.write_bytes(longer[:size])
        read = chain.read()
        assert (read.lines, read.cut, read.problems) == (2, size - len(whole), [])
    chain.append(lambda _: {"what": "next"})
    assert [entry["what"] for entry in chain.read().entries] == [0, 1, "next"]
    assert chain.read().problems == []


def test_processes_that_write_at_once_write_one_after_the_other(tmp_path: Path) -> None:
    context = get_context("fork")
    writers = [context.Process(target=append_many, args=(tmp_path, 20)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(20)
    read = chain_of(tmp_path).read()
    assert [entry["seen"] for entry in read.entries] == list(range(80))
    assert read.problems == []


def test_what_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/chain.jsonl: can't be written .*: mend it"):
        Chain(tmp_path / "file" / "chain.jsonl", "mend it").append(lambda _: {})

    def full(_descriptor: int, _content: bytes, _at: int) -> int:
        raise OSError(28, "No space left on device")

    chain = chain_of(tmp_path, 1)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(MyquantError, match=r"No space left on device.*free the disk"):
        chain.append(lambda _: {})
    assert chain.read().lines == 1


def test_a_write_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, at: write(descriptor, content[:7], at))
    chain = chain_of(tmp_path, 3)
    assert [entry["what"] for entry in chain.read().entries] == [0, 1, 2]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "chain.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        chain_of(tmp_path, 1)
    assert not (tmp_path / "elsewhere").exists()


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    written: Fields = chain_of(tmp_path).append(lambda _: {"what": "₹"})
    assert json.loads((tmp_path / "chain.jsonl").read_text("utf-8")) == written
