"""A trader's desk for tests of the pages: sessions at a lab with faults, finished runs, a monitor that serves the pages."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import numpy as np

from dashboard.doors import HASH, VIEWERS_HASH
from dashboard.test_every_route import Served
from monitor.drill import QUICK, Drill, wait
from monitor.sinks import Sinks
from myquant.dashboard.card import CARD
from myquant.ticks.batch import TickBatch
from myquant.ticks.write import write_ticks
from session import book_laws
from session.forks import Child
from session.stage import AT_BROKER, LIVELY, OPENS_NS, SECOND_NS, ZONE, Lab, Stage, on_stage

SPEED: Final = 4.0  # of the lab
TICKS_A_SECOND: Final = 10  # of its day
FAULTS: Final = ("duplicate=0.01", "out-of-order=0.01", "corrupt=0.005")
HELD, PRACTICE, IDLE = "nifty-live", "nifty-paper", "nifty-spare"
BACKTESTS: Final = {"backtest-wide": 6, "backtest-narrow": 3}  # points of the stop, by the name of the run
BASELINES: Final = ("round-1", "round-4")  # that are kept in the docs
EVIDENCE: Final = Path(__file__).resolve().parents[2] / "docs" / "evidence"
LIMITS: Final = {"risk__max_positions_per_day": 100, "risk__max_rejects": 10, "journal__segment_mib": 8}
HOLDS: Final = LIMITS | {  # once entered, it holds on
    "strategy__control_base_sl": "false",
    "risk__base_sl_points": 30,
    "risk__tp_points": "[150]",
    "risk__tp_percents": "[1]",
    "risk__trail_activation_points": 100,
}
TRADES: Final = {  # one position after another
    name.replace(".", "__"): value
    for name, value in AT_BROKER.items()
    if name.startswith(("risk.", "strategy.")) or name == "execution.fill_model"
} | LIMITS
WAITS: Final = {"strategy__min_warmup_ticks": 1_000_000}
PAGES_READY_S: Final = 60.0


def write_swings(path: Path, *, count: int = 36_000) -> Path:
    """Write an hour of swings of a few rupees with some noise, about one price."""
    rng = np.random.default_rng(11)
    at = np.arange(count)
    swing = 600 * np.sin(at / 700) + 250 * np.sin(at / 190)
    noise = 5 * np.round(np.cumsum(rng.integers(-1, 2, count)) % 41)
    price = 20_000 + 5 * np.round((swing + np.abs(noise - 100)) / 5).astype(np.int64)
    time_ns = OPENS_NS + at * (SECOND_NS // TICKS_A_SECOND)
    volume = 75 * rng.integers(20, 90, count)
    write_ticks(
        path, [TickBatch(time_ns=time_ns, price=price, volume=volume, bid=price - 5, ask=price + 5)], time_zone=ZONE
    )
    return path


@dataclass
class Desk(Drill):
    """A drill whose monitor serves the pages. `lab`: of the sessions; `port`: of the pages; `sessions`: that a test may kill."""

    lab: Lab = field(init=False)
    port: int = field(init=False)
    sessions: dict[str, Child] = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def served(self) -> Served:
        return Served(self.port, {}, [])

    def link(self) -> str:
        """Return what `myquant dashboard link` prints."""
        environ = os.environ | {"MYQUANT_STATE": str(self.state.parent)}
        command = [sys.executable, "-m", "myquant", "dashboard", "link"]
        return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()

    def api(self, path: str) -> Any:
        """Ask the API as a program with the token."""
        card = json.loads((self.state / CARD).read_bytes())
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path, headers={"Authorization": f"Bearer {card['token']}"})
        answer = connection.getresponse()
        found = json.load(answer)
        connection.close()
        assert answer.status == 200, found
        return found

    def status(self, name: str) -> dict[str, Any]:
        """Return how a session says it stands."""
        return wait(f"{name} answers", lambda: self.stage.status(name))

    def is_flat_at_lab(self) -> bool:
        """Return whether nothing is held and no order works, by the lab's own book."""
        return book_laws.is_flat(self.lab.orders())


@contextmanager
def on_desk(folder: Path) -> Iterator[Desk]:
    """Give a desk at which a session holds a position at the lab's broker, another trades, a third only looks."""
    settings = QUICK | {
        "dashboard.port": 0,
        "dashboard.controls": "true",
        "dashboard.password_hash": HASH,
        "dashboard.viewer_password_hash": VIEWERS_HASH,
        "monitor.drift": "false",
    }
    with on_stage(folder, write_swings) as stage, Sinks("hook", "mail") as sinks:
        desk = Desk(stage, sinks, settings, serves_pages=True)
        backtests = begin_runs(stage)
        desk.lab = stage.lab(*FAULTS, speed=SPEED)
        for each, name in zip(backtests, BACKTESTS, strict=True):
            assert each.wait() == 0, stage.said(name)
        stage.at_broker(desk.lab, name=HELD, **HOLDS)
        desk.sessions = {
            PRACTICE: stage.paper(desk.lab, name=PRACTICE, **TRADES),
            IDLE: stage.paper(desk.lab, name=IDLE, **WAITS),
        }
        monitor = desk.watch()
        try:
            card = wait("the pages are served", lambda: read_card(desk.state / CARD), PAGES_READY_S)
            desk.port = int(card["port"])
            desk.holds(HELD)
            yield desk
        finally:
            monitor.send(signal.SIGTERM)
            monitor.wait()


def begin_runs(stage: Stage) -> list[Child]:
    """Begin two backtests of the day that the lab plays, and lay two baselines beside them."""
    runs = stage.folder / "runs"
    for name in BASELINES:
        shutil.copytree(EVIDENCE / name, runs / name)
    begun = []
    for name, points in BACKTESTS.items():
        values = LIVELY | {"risk.base_sl_points": points, "results.report": "true"}
        options = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        words = ("backtest", str(stage.ticks), "--out", f"runs/{name}", *options)
        begun.append(stage.start(f"{name}.said", *words))
    return begun


def read_card(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found
