"""What people are told of a session's commands: a stop's own wishes are not, entries that the broker's funds deny are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from journal.journal_samples import QUICK
from myquant.core import codes
from myquant.core.layout import dtype_of
from myquant.core.money import RATE_SCALE
from myquant.core.records import NO_COMMAND, Account, Command, Event, Rules
from myquant.session.ending import session_record
from myquant.session.engine import Engine
from myquant.session.loop import SessionLoop
from myquant.session.telling import TOO_SMALL, Untold
from session.sessions import RICH
from session.supervised import Lines, market_inputs, supervised

HALTED = NO_COMMAND._replace(kind=codes.HALTED, reason=codes.BY_OPERATOR)
DENIED = NO_COMMAND._replace(kind=codes.DENIED, reason=codes.SIZE, price=29_505, event_sequence=7)


class Told:
    """Commands to be told of an account whose cash is 10,000 rupees."""

    def __init__(self, *, decisions: bool = False) -> None:
        self.log = Lines()
        self.desk = np.zeros(1, np.dtype([("account", dtype_of(Account)), ("rules", dtype_of(Rules))]))
        self.desk["account"]["cash"] = 10_000_00
        self.desk["rules"]["position_rate"] = RATE_SCALE // 2
        days = np.zeros(1, [("lot_size", "i8")])
        days["lot_size"] = 75
        engine: Any = SimpleNamespace(desk=self.desk, names=[SimpleNamespace(symbol="NIFTY")], days=days)
        self.untold = Untold(cast("Engine", engine), decisions=decisions)

    def take(self, command: Command, shortfall: int = 0) -> list[tuple[str, str, dict[str, Any]]]:
        """Return the lines that a command leads to."""
        self.desk["account"]["shortfall"] = shortfall
        self.log.lines.clear()
        self.untold.take(command)
        self.untold.tell(self.log, len(self.untold))
        return self.log.lines.copy()


def test_a_halt_is_told_unless_it_is_the_stops_own() -> None:
    told = Told()
    assert told.take(HALTED) == [("info", "halted", {"symbol": "NIFTY", "reason": "operator", "input": 0})]
    told.untold.is_leaving = True
    assert told.take(HALTED) == []
    assert [level for level, _, _ in told.take(HALTED._replace(reason=codes.BY_FENCE))] == ["error"]


def test_an_entry_that_the_brokers_funds_deny_is_told_once_until_they_suffice() -> None:
    told = Told()
    fields = {
        "symbol": "NIFTY",
        "price": 295.05,
        "reason": "size",
        "input": 7,
        "broker_funds": 4_000.0,
        "needed": 44_257.5,
    }
    assert told.take(DENIED) == []  # by our own cash
    assert told.take(DENIED, 6_000_00) == [("warning", TOO_SMALL, fields)]
    assert told.take(DENIED, 6_500_00) == []
    assert told.take(DENIED) == []
    assert told.take(DENIED, 6_000_00) == []  # within a minute
    assert told.take(DENIED._replace(time_ns=60 * 10**9), 6_000_00) == [("warning", TOO_SMALL, fields)]
    assert told.take(DENIED._replace(reason=codes.EXPOSURE), 6_000_00) == []


def test_where_each_decision_is_a_line_a_denial_names_the_funds_each_time() -> None:
    told = Told(decisions=True)
    assert [line[:2] for line in told.take(DENIED)] == [("info", "denied")]
    for _ in range(2):
        assert [line[:2] for line in told.take(DENIED, 6_000_00)] == [("warning", TOO_SMALL)]


def test_a_session_at_a_broker_with_too_little_says_so_in_status_and_at_its_end(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", RICH, market_inputs(1, 600), QUICK)
    run.supervisor.take(Event(codes.FUNDS, -1, 0, run.tape.now_ns, 0, 0, 0, 0, 0, 0, 0, 300_00, 0))
    run.take(600)
    engine = run.session.engine
    assert not run.has_position()
    loop = SessionLoop(run.supervisor, tmp_path / "s", "s", lambda _: None, flatten_on_stop=False, hide=lambda _: None)
    assert loop._ask("status", "", "uid 0")["entries"]["broker_funds_paise"] == 300_00
    assert sum(TOO_SMALL in line for line in run.log.of("warning")) == 1
    run.session.journal.sync()
    record = session_record(tmp_path / "s", engine)
    assert record is not None
    (notice,) = [each for each in record.notices if each.startswith("size: ")]
    assert "% of the broker's funds (first at " in notice
    assert "the broker's funds were 300.00, our own cash " in notice
    assert "add funds at the broker, as capital.initial_capital changes nothing" in notice
    run.session.journal.close()
