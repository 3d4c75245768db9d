"""The demonstration shows what it promises: every take-profit tier, and every other exit of the default strategy."""

import re
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from laws.driver import Ticks, run_engine, settings
from myquant.core import codes
from myquant.ticks.generate import LIQUID, generate_day

ROOT = Path(__file__).resolve().parents[1]


def demo_seed() -> int:
    found = re.search(r"^DEMO_SEED := (\d+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_the_demonstrations_day_meets_every_exit() -> None:
    day = generate_day(LIQUID, day=date(2025, 10, 3), seed=demo_seed())
    record = run_engine(
        Ticks(day.time_ns, day.price, day.volume),
        settings({"capital.initial_capital": 1_000_000, "session.source": "calendar"}),
    )
    seen = {codes.EXIT_NAMES[int(reason)] for reason in record.trades["reason"]}
    assert seen == {"session_end", "stop_loss", "trailing_stop", *(f"take_profit_{tier}" for tier in range(1, 5))}


def readme_ending() -> list[str]:
    """Return what the README says that the demonstration ends with, without the session's name."""
    texts = re.findall(r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (shown,) = (text for text in texts if ": identical: " in text)
    return [line.removeprefix("...") for line in shown.splitlines()]


def test_the_paper_demonstration_gives_what_the_backtest_gives(tmp_path: Path) -> None:
    """The same day through the lab's sockets: the same trades, a clean replay, no gap; and the lab is stopped."""
    script = ROOT / "examples" / "sessions" / "demo_paper.py"
    ended = subprocess.run(
        [sys.executable, script, "--seed", str(demo_seed())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = ended.stdout.split("\n$ ")
    assert [command.split()[:2] for command in shown[1:]] == [
        ["myquant", "lab"],
        ["eval", '"$(grep'],
        ["myquant", "paper"],
        ["kill", "%1"],
        ["myquant", "replay"],
        ["myquant", "divergence"],
    ]
    _, _, _, paper, lab, replay, divergence = shown
    assert re.search(r"Net P&L +4,212\.90 +Trades +94\n", paper)
    assert "packets " in lab
    for line in readme_ending():
        assert line in replay + divergence
    assert ": identical: " in replay
    assert "the same, to the paisa" in divergence
    report = tmp_path / ended.stdout.splitlines()[-1].removeprefix("The report: ")
    assert report.is_file()
    lab_url = re.search(r"REST http://127\.0\.0\.1:(\d+)", (tmp_path / "build/demo/lab.txt").read_text())
    assert lab_url is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(lab_url[1])), timeout=5).close()


def test_the_paper_demonstration_stops_the_lab_when_the_session_fails(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("no folder")
    script = ROOT / "examples" / "sessions" / "demo_paper.py"
    ended = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 2
    assert "error: " in ended.stderr
    assert (tmp_path / "build/demo/lab.txt").read_text().splitlines()[-1].startswith("lab: ")
    assert "myquant replay" not in ended.stdout


def test_the_demonstration_with_orders_holds_the_session_against_the_labs_book(tmp_path: Path) -> None:
    """On paper first, which is the evidence; then the lab's own book has what the session says; and the lab is stopped."""
    script = ROOT / "examples" / "sessions" / "demo_live.py"
    ended = subprocess.run(
        [sys.executable, script, "--seed", str(demo_seed()), "--speed", "40"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = ended.stdout.split("\n$ ")
    words = [command.split() for command in shown[1:]]
    begun = [said[1] for said in words if said[0] == "myquant"]
    assert begun == ["ticks", "lab", "paper", "lab", "live", "replay"]
    found = {said[1]: text for said, text in zip(words, shown[1:], strict=True)}
    assert re.search(r"rehearsal demo-paper-\S+ ran with these settings", found["live"])
    assert re.search(r"Trades +[1-9]", found["live"])
    (book,) = (text for said, text in zip(words, shown[1:], strict=True) if said[0] == "curl")
    assert book.splitlines()[-1] == "The same, to the paisa"
    assert ": identical: " in found["replay"]
    assert re.search(r"The shadow +of \d+ orders [1-9]\d* filled at both", ended.stdout)
    for report in ended.stdout.splitlines()[-1].removeprefix("The reports: ").split(", "):
        assert (tmp_path / report).is_file()
    lab_url = re.search(r"REST http://127\.0\.0\.1:(\d+)", (tmp_path / "build/demo/lab-live.txt").read_text())
    assert lab_url is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(lab_url[1])), timeout=5).close()
