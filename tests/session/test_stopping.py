"""What a stop waits for, what it says of that, and what ends the wait."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from journal.journal_samples import QUICK
from myquant.core import codes, orders
from myquant.session.ending import session_record
from myquant.session.loop import LEAVE_S, SessionLoop
from myquant.session.open_ends import held_on
from session.broker_books import TOKENS, Records
from session.sessions import LIMIT
from session.supervised import Supervised, market_inputs, supervised


@contextmanager
def at_work(folder: Path, *, flat: bool = False) -> Iterator[tuple[Supervised, SessionLoop]]:
    """Give a session an order of which is under way."""
    run = supervised(folder / "s", LIMIT, market_inputs(1, 3000), QUICK)
    loop = SessionLoop(run.supervisor, folder / "s", "s", lambda _: None, flatten_on_stop=flat, hide=lambda _: None)
    run.take_until(run.has_position if flat else lambda: bool(loop._waits_for()))
    run.log.lines.clear()
    yield run, loop
    run.session.journal.close()


def stop(loop: SessionLoop, meanwhile: Callable[[], None], times: int) -> None:
    """Stop it; `meanwhile` is called so many times, until it has stopped."""

    async def often() -> None:
        for _ in range(times):
            meanwhile()
            await asyncio.sleep(0.001)

    async def both() -> None:
        beside = asyncio.create_task(often())
        await asyncio.wait_for(loop._stop(), LEAVE_S / 2)
        beside.cancel()

    asyncio.run(both())


def test_it_says_once_what_it_waits_for_and_when_that_is_over(tmp_path: Path) -> None:
    with at_work(tmp_path) as (run, loop):
        left = loop._waits_for()
        assert left.split(": ")[1].startswith("buy ")
        stop(loop, lambda: run.take(1), 2000)
        told = [(level, event, fields) for level, event, fields in run.log.lines if "stop" in event]
        hurry = {"at_most_s": LEAVE_S, "hurry": "a second signal or stop"}
        assert told[0] == ("warning", "the stop waits", {"orders": left} | hurry)
        assert [(level, event) for level, event, _ in told[1:]] == [("info", "the stop has waited")]
        assert not [event for _, event, _ in run.log.lines if event == "halted"]
        assert loop._waits_for() == ""
        account = run.session.engine.account()
        assert account.halt == 0, "the next start is not to wait for a person"
        asked = run.session.engine.inputs  # the number of the next one
        run.supervisor.event(codes.OPERATOR, codes.ASK_HALT)
        run.supervisor.event(codes.OPERATOR, codes.ASK_RESUME)
        run.session.journal.sync()
        record = session_record(run.session.folder, run.session.engine)
        assert record is not None
        halts = [halt for halt in record.halts if halt["reason"] == codes.BY_OPERATOR]
        assert [int(halt["event_sequence"]) for halt in halts] == [asked], "the stop's own is none"


@pytest.mark.parametrize("code", [codes.BY_BOOKS, codes.BY_FOREIGN_TRADE])
def test_a_halt_that_is_not_its_own_outlives_it(tmp_path: Path, code: int) -> None:
    with at_work(tmp_path) as (run, loop):
        loop.supervisor.event(codes.OPERATOR, codes.ASK_RESUME)  # not halted before
        halted: list[int] = []

        def meanwhile() -> None:
            if not halted:
                halted.append(code)
                loop.supervisor.event(codes.ALARM, code)
            run.take(1)

        stop(loop, meanwhile, 2000)
        assert run.session.engine.account().halt == code


def test_one_that_closes_names_what_is_held(tmp_path: Path) -> None:
    with at_work(tmp_path, flat=True) as (_, loop):
        assert " held" in loop._waits_for()


def test_a_second_stop_ends_the_wait(tmp_path: Path) -> None:
    with at_work(tmp_path) as (run, loop):
        left = loop._waits_for()
        assert loop._ask("stop", "", "uid 0")["message"] == f"the session stops; first it waits for {left}"
        answers: list[str] = []
        stop(loop, lambda: answers.append(loop._ask("stop", "", "uid 0")["message"]), 1)
        assert answers == ["the session stops and waits for nothing any more"]
        ((event, fields),) = [(event, fields) for level, event, fields in run.log.lines if level == "error"]
        assert event == "the session leaves with orders at work"
        assert fields["orders"].split(": ")[1].startswith("buy ")
        assert fields["waited_s"] < LEAVE_S


def test_one_that_is_fenced_off_meanwhile_waits_no_longer(tmp_path: Path) -> None:
    with at_work(tmp_path) as (run, loop):
        loop.supervisor.ask_to_stop()
        stop(loop, lambda: loop.stop(5, "fenced off: myquant flatten, process 4711"), 2)
        assert loop.cut_off == "fenced off: myquant flatten, process 4711"
        assert loop.supervisor.stopping == 5
        assert [line for line in run.log.of("error") if "the session stops" in line] == [
            "the session stops {'why': 'fenced off: myquant flatten, process 4711'}"
        ]


@pytest.mark.parametrize("word", ["halt", "flatten"])
def test_a_halt_that_a_person_asks_for_meanwhile_outlives_it(tmp_path: Path, word: str) -> None:
    with at_work(tmp_path) as (run, loop):
        loop.supervisor.event(codes.OPERATOR, codes.ASK_RESUME)  # not halted before
        asked: list[str] = []

        def meanwhile() -> None:
            if not asked and loop.supervisor.untold.is_leaving:
                asked.append(loop._ask(word, "news", "uid 0")["message"])
            run.take(1)

        stop(loop, meanwhile, 2000)
        assert asked
        account = run.session.engine.account()
        assert account.halt == codes.BY_OPERATOR or account.flatten


HELD = "SYMBOL41001: 75 held"
RESTS = "a stop order rests at the broker (sell 75 at 85.05, working; the broker's id: B7)"
NOT_KNOWN = "whether a stop order rests is not known (sell 75 at 85.05, unknown)"


@pytest.mark.parametrize(
    ("state", "filled", "quantity", "ids", "text", "is_bare"),
    [
        (orders.WORKING, 0, 75, ("B7",), RESTS, False),
        (orders.WORKING, 0, 75, (), RESTS.replace("B7", "not known"), False),
        (orders.PARTIAL, 25, 100, ("B7", "B8"), RESTS.replace("B7", "B7, B8").replace("working", "partial"), False),
        (orders.WORKING, 0, 50, ("B7",), f"{RESTS.replace('75', '50')}; NOTHING protects 25", True),
        (orders.UNKNOWN, 0, 75, ("B7",), f"{NOT_KNOWN}; NOTHING protects it", True),
        (orders.CANCELLED, 0, 75, (), "NOTHING protects it", True),
    ],
)
def test_what_protects_a_position_is_said(
    state: int, filled: int, quantity: int, ids: tuple[str, ...], text: str, is_bare: bool
) -> None:
    records = Records()
    names = [SimpleNamespace(symbol=f"SYMBOL{token}") for token in TOKENS]
    engine: Any = SimpleNamespace(names=names, instruments=records.instruments)
    assert held_on(engine, lambda _: ids) == []
    records.hold(0, 75)
    about = {"id": 7, "state": state, "side": codes.SELL, "quantity": quantity, "filled": filled, "trigger": 8_505}
    records.set_order(0, "stop_order", **about)
    assert held_on(engine, lambda order: ids if order == 7 else ("another",)) == [(f"{HELD}; {text}", is_bare)]
    ((simulated, is_bare),) = held_on(engine, None)
    assert (simulated.startswith(f"{HELD}, with simulated fills"), is_bare) == (True, False)


@pytest.mark.parametrize(("trigger", "cancel_sent"), [(8_505, 1), (0, 0)])
def test_a_stop_order_that_is_being_cancelled_or_is_an_exit_by_now_protects_nothing(
    trigger: int, cancel_sent: int
) -> None:
    records = Records()
    names = [SimpleNamespace(symbol=f"SYMBOL{token}") for token in TOKENS]
    engine: Any = SimpleNamespace(names=names, instruments=records.instruments)
    records.hold(0, 75)
    about = {"id": 7, "state": orders.WORKING, "side": codes.SELL, "quantity": 75, "trigger": trigger}
    records.set_order(0, "stop_order", cancel_sent=cancel_sent, **about)
    at = " at 85.05" if trigger else ""
    text = f"{HELD}; sell 75{at}, working is on its way out; NOTHING protects it"
    assert held_on(engine, lambda _: ("B7",)) == [(text, True)]


@pytest.mark.parametrize("is_bare", [False, True])
def test_a_stop_says_what_protects_what_it_leaves_open(tmp_path: Path, is_bare: bool) -> None:
    with at_work(tmp_path) as (run, loop):
        run.take_until(lambda: run.has_position() and not loop._waits_for())
        loop.broker_ids = lambda order: (f"B{order}",)
        if is_bare:
            run.session.engine.instruments["core"]["stop_order"]["state"] = orders.CANCELLED
        answer = loop._ask("stop", "", "uid 0")["message"]
        loop._tell_held()
        ((level, fields),) = [
            (level, fields) for level, event, fields in run.log.lines if event == "the session leaves a position open"
        ]
        text = "NOTHING protects it" if is_bare else "a stop order rests at the broker (sell "
        assert level == ("error" if is_bare else "warning")
        assert text in fields["position"]
        assert answer.endswith(f"; it keeps {fields['position']}")


def test_a_stop_that_closes_says_what_stays_open_once_it_waits_no_longer(tmp_path: Path) -> None:
    with at_work(tmp_path, flat=True) as (_, loop):
        assert "it keeps" not in loop._ask("stop", "", "uid 0")["message"]
        assert "it keeps NIFTY: " in loop._ask("stop", "", "uid 0")["message"]


@pytest.mark.parametrize("flat", [False, True])
def test_nothing_under_way_is_nothing_to_wait_for(tmp_path: Path, flat: bool) -> None:
    run = supervised(tmp_path / "s", LIMIT, market_inputs(1, 10), QUICK)
    loop = SessionLoop(run.supervisor, tmp_path / "s", "s", lambda _: None, flatten_on_stop=flat, hide=lambda _: None)
    assert loop._waits_for() == ""
    stop(loop, lambda: None, 1)
    assert not [event for _, event, _ in run.log.lines if "stop" in event]
    run.session.journal.close()
