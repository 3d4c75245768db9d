"""Real processes for tests of what watches them: a lab that plays a generated day, a session on paper, a monitor."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from myquant.cli.app import app

SYMBOL: Final = "NIFTY07OCT2524900CE"
READY_S: Final = 120.0
_EXPORT: Final = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)
_SETTING: Final = re.compile(r"MYQUANT_\w+__\w+")


def needs(command: str) -> None:
    """Skip the test where this version has no such command."""
    known = {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}
    if command not in known:
        pytest.skip(f"this version has no `myquant {command}` yet")


def plain() -> dict[str, str]:
    """Return the environment without settings of the developer's; a monitor begins no pages."""
    kept = {name: value for name, value in os.environ.items() if not _SETTING.fullmatch(name)}
    return {**kept, "MYQUANT_DASHBOARD__ENABLED": "false"}


def words_of(*words: str) -> list[str]:
    """Return the command line of a command of myquant."""
    return [sys.executable, "-m", "myquant", *words]


def paper(name: str) -> tuple[str, ...]:
    """Return the words that run a session on paper, or go on with it."""
    return ("paper", "--broker", "angelone", SYMBOL, "--session", name, "--set", "capital.initial_capital=1000000")


@contextmanager
def running(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a folder, what it says in `<its third word after python>.txt` there; end it with the test."""
    with (folder / f"{words[3]}.txt").open("wb") as out:
        process = subprocess.Popen(words, cwd=folder, env=environ, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(READY_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def lab(folder: Path, speed: float = 20) -> Iterator[dict[str, str]]:
    """Run a lab; yield the environment that a session needs to trade there."""
    day = ("--generate", "--seed", "55", "--speed", str(speed), "--port", "0", "--feed-port", "0")
    with running(words_of("lab", "--broker", "angelone", *day), folder, plain()) as process:
        deadline = time.monotonic() + READY_S
        while "lab: ready" not in (said := (folder / "lab.txt").read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        yield {**plain(), **dict(_EXPORT.findall(said))}
