"""The reduced job in other engines, each in an environment of its own (bench/peers), on the same ticks."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench import jobs
from bench.company import quiet_rounds
from bench.core import REDUCED, engine_seconds
from bench.limit import climit
from bench.limit.ticks import Ticks, save
from bench.measure import Goal, Row, Section, quiet_collector, ratio, spread


class Peer(NamedTuple):
    """A peer's script, how many ticks it gets, and how many times faster than it the engine shall be."""

    ticks: int
    goal: float | None = None


PEERS = {
    "hftbacktest": Peer(jobs.TICKS, 15),
    "nautilus": Peer(jobs.TICKS, 500),
    "vectorbt": Peer(jobs.TICKS),
    "backtesting": Peer(200_000),
    "backtrader": Peer(200_000),
    "python": Peer(jobs.TICKS),
}
QUICK_COUNT = 100_000
ROUNDS = {False: 5, True: 3}  # of a peer's runs; the engine and C run as often right before and right after


def measure(rounds: int, *, quick: bool) -> Section:  # noqa: ARG001  (every section has it; peers are slow)
    section = Section("peers: the reduced job in other engines, on the same ticks")
    with TemporaryDirectory(dir=jobs.OUT) as folder:
        path = Path(folder) / "ticks.npz"
        save(jobs.ticks(), path)
        for name, peer in PEERS.items():
            python = _python(name)
            if not python.is_file():
                section.notes.append(f"{name}: skipped, bench/.env-{name} is absent (make bench-peers makes it)")
                continue
            count = min(peer.ticks, QUICK_COUNT) if quick else peer.ticks
            section.rows.append(_against(name, python, path, count, ROUNDS[quick], peer.goal))
    return section


def _python(name: str) -> Path:
    folder = ".venv" if name == "python" else f"bench/.env-{name}"
    return jobs.ROOT / folder / "bin" / "python"


def _against(name: str, python: Path, path: Path, count: int, runs: int, goal: float | None) -> Row:
    """Run the engine and C, the peer in its process, and the engine and C again."""
    columns = jobs.ticks(count)
    ((before, peer, after),) = quiet_rounds(
        lambda: (_ours(columns, runs), _peer(name, python, path, count, runs), _ours(columns, runs)), 1
    )
    ours = [(a + b) / 2 for a, b in zip(before["engine"], after["engine"], strict=True)]
    limit = spread(before["C"] + after["C"])
    wanted = climit.run_reduced(columns.time_ns, columns.price)
    same = peer["trades"] == wanted.trades
    money = (
        ""
        if abs(peer["net_pnl"] - wanted.net_pnl) < 0.01
        else f", net {peer['net_pnl']:,.2f} against C's {wanted.net_pnl:,.2f}"
    )
    trades = f"{peer['trades']:,} trades" + ("" if same else f", C has {wanted.trades:,}")
    per_tick = 1e9 / count
    seconds = spread(peer["runs"]).median
    return Row(
        f"{REDUCED} / {name} {peer['version']}",
        "ns/tick",
        spread(ours).scaled(per_tick),
        name,
        spread(peer["runs"]).scaled(per_tick),
        ratio(peer["runs"], ours),
        Goal(goal) if goal else None,
        f"{count:,} ticks, {trades}{money}; C is {seconds / limit.median:,.0f} times faster",
    )


def _ours(columns: Ticks, runs: int) -> dict[str, list[float]]:
    price = columns.price
    engine_seconds(jobs.REDUCED, columns)
    found: dict[str, list[float]] = {"engine": [], "C": []}
    with quiet_collector():
        for _ in range(runs):
            found["engine"].append(engine_seconds(jobs.REDUCED, columns))
            found["C"].append(climit.run_reduced(columns.time_ns, price).seconds)
    return found


def _peer(name: str, python: Path, path: Path, count: int, runs: int) -> dict[str, Any]:
    command = [str(python), "-m", f"bench.peers.run_{name}", str(path), str(count), "--runs", str(runs)]
    answer = subprocess.run(command, cwd=jobs.ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found
