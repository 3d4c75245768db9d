"""A session's journal for a comparison: its trades and equity are those of its results, its latencies those of its stamps."""

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboard.made_runs import content_of, put_session
from myquant.core import codes
from myquant.core.records import Event
from myquant.dashboard import runs_journal
from myquant.dashboard.runs_journal import StageTimes, read_journal
from myquant.dashboard.trace import Trace
from myquant.journal.record import BODY, COMMAND, HOLDS, INPUT, WORDS, Origin
from myquant.results.trades import equity_frame, trades_frame
from myquant.session.ending import session_record
from myquant.session.replay import replay

FEW = 1000  # of fewer values p99.9 is not known
PLACES = {name: BODY + place for place, name in enumerate((*Event._fields, *Origin._fields))}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that has left without results."""
    return put_session(tmp_path_factory.mktemp("runs") / "session")


def test_trades_and_equity_are_those_of_the_results(session: Path) -> None:
    _, engine = replay(session)
    record = session_record(session, engine)
    assert record is not None
    trades, equity = trades_frame(record), equity_frame(record)
    found = content_of(session)
    assert found.trades
    assert [trade.net / 100 for trade in found.trades] == trades["net_pnl"].to_list()
    assert [trade.exit_price / 100 for trade in found.trades] == trades["exit_price"].to_list()
    assert [trade.reason for trade in found.trades] == trades["exit_reason"].to_list()
    assert [trade.symbol for trade in found.trades] == trades["symbol"].to_list()
    assert found.equity is not None
    assert (np.diff(found.equity.time_ns) >= 0).all()
    assert found.equity.equity[-1] / 100 == equity["equity"][-1]
    assert found.figures == {"net_pnl": pytest.approx(trades["net_pnl"].sum()), "trades": len(trades)}


def inputs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs with stamps, and what each took."""
    random = np.random.default_rng(seed)
    spent = random.lognormal(10, 1, count).astype(np.int64) + 2_000
    rows = np.zeros((count, WORDS), np.int64)
    rows[:, HOLDS] = INPUT
    rows[:, PLACES["kind"]] = codes.TICK
    rows[:, PLACES["sequence"]] = np.arange(count)
    rows[:, PLACES["receive_ns"]] = 1_759_463_469 * 10**9 + np.arange(count) * 10**6
    rows[:, PLACES["arrived_ns"]] = 1_000_000 + np.arange(count) * 10**6
    rows[:, PLACES["decoded_ns"]] = rows[:, PLACES["arrived_ns"]] + 1_000
    rows[1:, PLACES["spent_ns"]] = spent[:-1]
    return rows, spent[:-1]


@pytest.mark.parametrize("cut", [1, 7, 3000])
def test_percentiles_are_those_of_what_each_tick_took(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, spent = inputs(3000, 1)

    class Reader:
        def __init__(self, _folder: Path) -> None:
            self.rows = rows

        def blocks(self) -> list[np.ndarray]:
            return [self.rows[begin : begin + cut] for begin in range(0, len(self.rows), cut)]

    monkeypatch.setattr(runs_journal, "JournalReader", Reader)
    monkeypatch.setattr(runs_journal, "empty_trace", lambda _: Trace(("NIFTY",), ZoneInfo("Asia/Kolkata")))
    found = read_journal(Path("nowhere")).latency
    assert set(found) == {"decode", "decide", "total"}
    for stage, values in (("total", spent), ("decide", spent - 1_000)):
        wanted = [np.percentile(values, percent, method="inverted_cdf") for percent in (50, 99, 99.9)]
        assert found[stage][0] == len(values)
        assert list(found[stage][1:]) == pytest.approx(wanted, rel=0.008)


def test_of_few_ticks_the_last_percentile_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = inputs(FEW, 2)
    order = np.zeros((1, WORDS), np.int64)
    order[0, HOLDS], order[0, BODY + 1], order[0, BODY + 4] = COMMAND, codes.SUBMIT, 5

    class Reader:
        def __init__(self, _folder: Path) -> None:
            self.known = np.concatenate((rows[:6], order, rows[6:]))

        def blocks(self) -> list[np.ndarray]:
            return [self.known]

    monkeypatch.setattr(runs_journal, "JournalReader", Reader)
    monkeypatch.setattr(runs_journal, "empty_trace", lambda _: Trace(("NIFTY",), ZoneInfo("Asia/Kolkata")))
    found = read_journal(Path("nowhere")).latency
    assert isinstance(found["total"], StageTimes)
    assert (found["total"].n, found["total"].p99_9) == (FEW - 1, None)
    assert (found["order"].n, found["decide"].n) == (1, FEW - 2)
