"""What a session says of itself each second, and what its inputs say of the time that they took."""

import gc
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myquant.core import codes
from myquant.core.records import Account
from myquant.journal.disk import DISK
from myquant.journal.reader import JournalReader, inputs, notes
from myquant.journal.record import FLATTENED, HALTED_BY, LEDGER, TELEMETRY, Ledger, Telemetry
from myquant.measure.spans import Spans
from myquant.session.answers import Answers
from myquant.session.channels import HandoffCounts
from myquant.session.measured import MeasuredOrders, MeasuredSupervisor
from myquant.session.rules import SECOND_NS
from myquant.session.standing import OWN_FUNDS, bare_ns, broker_funds, day_pnl, halted_code, ledger_of
from myquant.session.telemetry import GAP_NS, IDLE_NS, BrokerFigures, Telemeter
from session.sessions import RICH, open_session
from session.supervised import SetClock, Supervised, market_inputs, supervised

NONE = {"spent_max_ns": 0, "bare_ns": 0}


def noted(run: Supervised, kind: int) -> list[Any]:
    """Return the notes of a kind; the journal is closed."""
    run.session.journal.close()
    bodies = np.concatenate([notes(block)["body"] for block in JournalReader(run.session.folder).blocks()])
    return list(bodies[bodies["kind"] == kind])


@pytest.fixture
def run(tmp_path: Path) -> Supervised:
    return supervised(tmp_path / "s", RICH, market_inputs(1, 400), DISK)


def test_each_second_both_are_noted(run: Supervised) -> None:
    run.take_until_open()
    telemetry = run.supervisor.telemetry
    telemetry.late_ns = 7
    telemetry.handoff = lambda: HandoffCounts(80, 90, 100, 3)
    telemetry.log_lost, telemetry.rows_lost = (lambda: 4), (lambda: 5)
    telemetry.verbose = lambda: True
    lost_ns = run.tape.now_ns - 11
    telemetry.broker = lambda: BrokerFigures(lost_ns, 12, 13)
    run.supervisor.on_timer()
    account, engine = run.session.engine.account(), run.session.engine
    ledger = ledger_of(engine, account)
    last = Telemetry(*noted(run, TELEMETRY)[-1]["values"].tolist())
    assert last._replace(reference_ns=0) == Telemetry(0, 7, 0, 0, 0, 80, 100, 3, 4, 5, 0, 11, 12, 13, 0, 1)
    note = noted(run, LEDGER)[-1]
    assert Ledger(*note["values"].tolist()) == ledger
    assert ledger.positions == account.positions > 0
    assert ledger.entries_today == 1
    assert ledger.equity == ledger.cash + ledger.open_value
    assert HALTED_BY[note["code"]] == ""


def test_the_day_is_as_the_status_has_it(run: Supervised) -> None:
    run.take_until_flat() if run.has_position() else run.take(200)
    answers = Answers(run.supervisor, run.session.folder, "s")
    shown = answers.status()["day_pnl_paise"]
    run.supervisor.on_timer()
    values = noted(run, LEDGER)[-1]["values"]
    assert Ledger(*values.tolist()).day_pnl == shown != 0


NOTHING: Any = [0] * len(Account._fields)
ACCOUNT = Account(*NOTHING)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, ""),
        ({"halt": codes.BY_JOURNAL}, "journal"),
        ({"flatten": True}, "flatten"),
        ({"halt": codes.BY_OPERATOR, "flatten": True}, "operator"),
    ],
)
def test_what_halts_has_a_name(changes: dict[str, Any], name: str) -> None:
    assert HALTED_BY[halted_code(ACCOUNT._replace(**changes))] == name
    assert FLATTENED not in codes.HALT_NAMES


def test_money_of_an_account(run: Supervised) -> None:
    parts: dict[str, Any] = {
        "brokerage": 1,
        "exchange_charges": 2,
        "sebi_fees": 4,
        "stt": 8,
        "stamp_duty": 16,
        "gst": 32,
    }
    account = ACCOUNT._replace(cash=900, open_value=70, day_start_equity=1000, peak_equity=1010, reserved=100, **parts)
    ledger = ledger_of(run.session.engine, account)
    assert (ledger.charges, ledger.day_pnl, ledger.drawdown, ledger.funds) == (63, -30, 40, OWN_FUNDS)
    assert day_pnl(account) == -30
    short = account._replace(shortfall=300)
    assert ledger_of(run.session.engine, short).funds == broker_funds(short) == 500
    run.session.journal.close()


def test_a_position_is_bare_from_when_it_lacked_its_stop_order(run: Supervised) -> None:
    engine, position = run.session.engine, run.session.engine.instruments["core"]["position"]
    run.session.journal.close()
    assert bare_ns(engine, 1000) == 0
    position["exposed_ns"] = 400
    assert bare_ns(engine, 1000) == 0  # nothing is held
    position["quantity"] = 75
    assert bare_ns(engine, 1000) == 600
    position["covered_ns"] = 900
    assert bare_ns(engine, 1000) == 0  # an order protects it just now
    position["exposed_ns"] = position["covered_ns"] = 0
    assert bare_ns(engine, 1000) == 0  # none is wanted


def measure(run: Supervised) -> None:
    """Let the supervisor be the one that is measured."""
    run.supervisor.__class__ = MeasuredSupervisor
    measured: Any = run.supervisor
    measured.measure(Spans(100), MeasuredOrders(run.session.orders))


@pytest.mark.parametrize("is_measured", [False, True])
def test_each_packet_says_what_the_one_before_took(run: Supervised, is_measured: bool) -> None:
    """The n-th is decoded after 20 ns and done after n hundred; a timer has the time that no packet has told yet."""
    if is_measured:
        measure(run)
    steps = itertools.chain.from_iterable((20, 100 * n) for n in itertools.count(1))
    run.supervisor._monotonic_ns = lambda: run.tape.now_ns + next(steps)
    run.take(9)
    run.supervisor.event(codes.FEED_STATUS, codes.FEED_HEALTHY)  # not a timer: it says nothing
    run.supervisor.on_timer()
    run.supervisor.on_timer()
    run.take(1)
    run.session.journal.close()
    bodies = np.concatenate([inputs(block)["body"] for block in JournalReader(run.session.folder).blocks()])
    timers = bodies[bodies["event"]["kind"] == codes.TIMER]["origin"]
    packets = bodies[np.isin(bodies["event"]["kind"], (codes.TICK, codes.QUOTE))]
    assert packets["origin"]["spent_ns"].tolist() == [0, 100, 200, 300, 400, 500, 600, 700, 800, 0]
    assert timers["spent_ns"].tolist() == [900, 0, 1000]
    decoded = packets["origin"]["decoded_ns"]
    assert (decoded[:9] - 20 <= run.tape.now_ns).all()
    assert (np.diff(decoded) >= 0).all()
    others = bodies[~np.isin(bodies["event"]["kind"], (codes.TICK, codes.QUOTE, codes.TIMER))]["origin"]
    assert not others["spent_ns"].any()
    slowest = [Telemetry(*note["values"].tolist()).spent_max_ns for note in noted(run, TELEMETRY)]
    assert slowest == [900, 0, 1000]


def test_a_journal_with_stamps_is_played_back_to_the_same_state(tmp_path: Path) -> None:
    run = supervised(tmp_path / "s", RICH, market_inputs(1, 400), DISK, snapshot_interval_s=10**6)
    steps = itertools.count(1)
    run.supervisor._monotonic_ns = lambda: run.tape.now_ns + next(steps)
    run.take(400)
    assert run.session.engine.account().trades > 0
    state = run.session.state()
    run.session.journal.close()
    again = open_session(tmp_path / "s", RICH)
    assert again.state() == state
    assert again.recovered.inputs == again.engine.inputs == run.session.engine.inputs  # all of them, from the first
    again.journal.close()


class Running(SetClock):
    """A clock that goes on by a microsecond each time that it is asked."""

    def monotonic_ns(self) -> int:
        self.now_ns += 1000
        return self.now_ns


@pytest.mark.parametrize(("still_ns", "runs"), [(0, False), (GAP_NS - 2000, False), (GAP_NS, True), (IDLE_NS, True)])
def test_the_reference_kernel_runs_where_no_packet_has_just_come(still_ns: int, runs: bool) -> None:
    clock = Running()
    clock.now_ns = 10 * SECOND_NS
    telemeter = Telemeter(clock)
    telemeter.use_gap(clock.now_ns - still_ns)
    assert telemeter.take(**NONE).reference_ns == (1000 if runs else 0)


def test_collections_are_counted_while_it_listens() -> None:
    telemeter = Telemeter(Running())
    gc.disable()
    try:
        telemeter.pauses.start()
        for _ in range(3):
            gc.collect(0)
        found = telemeter.take(**NONE)
        assert (found.collections, found.collection_ns, found.collection_max_ns) == (3, 3000, 1000)
        assert telemeter.take(**NONE).collection_max_ns == 0  # of that second
        before = len(gc.callbacks)
        telemeter.pauses.stop()
        telemeter.pauses.stop()
        gc.collect(0)
        assert len(gc.callbacks) == before - 1
        assert telemeter.take(**NONE).collections == 3
    finally:
        gc.enable()


def test_without_anything_wired_nothing_is_wrong() -> None:
    assert not any(Telemeter(SetClock()).take(**NONE))
