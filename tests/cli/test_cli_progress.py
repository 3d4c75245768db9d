"""The progress bar: after a second, in a terminal, and nowhere else."""

import io
import sys

import pytest

from myquant.cli import progress


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown_on(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, seconds: float, quiet: bool = False) -> str:
    clock = iter([0.0, *[seconds] * 9])
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress_bar("reading", 10, quiet=quiet) as tell:
        for done in (3, 10):
            tell(done)
    return stream.getvalue()


def test_a_bar_shows_after_a_second_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_on(Terminal(), monkeypatch, seconds=1.0)
    assert "reading" in shown
    assert "100%" in shown


def test_short_work_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_on(Terminal(), monkeypatch, seconds=0.9) == ""


def test_nobody_looks_at_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_on(io.StringIO(), monkeypatch, seconds=5.0) == ""
    assert shown_on(Terminal(), monkeypatch, seconds=5.0, quiet=True) == ""
