"""What findings say: of whom, how far it has gone, what is held, what can be done; and of what nothing can be known."""

from collections import Counter
from dataclasses import replace
from typing import Any

from monitor.made_views import CALM, MONO, NOON, SECOND, SYMBOL, found, held, order, view
from monitor.test_monitor_rules import GONE, LIMIT, LONG_GONE, NEW, OLD, SHORT, STOPPED, stands, told
from myquant.core import codes
from myquant.monitor.faults import Memory
from myquant.monitor.finding import CRITICAL, WARNING
from myquant.monitor.rules import RULES
from myquant.monitor.view import Difference, InstrumentView, LogLine, OrderView

DIFFERENCES = [
    Difference(NOON - SECOND, codes.BY_FOREIGN_TRADE, "sold 75 A, sell 75 at 99.00 (order 7)"),
    Difference(NOON, codes.BY_BOOKS, "an order of ours is another one: order 5"),
]


def test_of_simulated_fills_nothing_is_at_the_broker_and_no_money_at_stake() -> None:
    held_for_long = [InstrumentView(SYMBOL, quantity=1_125, entry_price=26_881)]
    (dead,) = found(view(kind="paper", process=GONE, instruments=held_for_long))
    assert (dead.severity, dead.kind, dead.remedy) == (CRITICAL, "paper", "start it again with the same command")
    assert dead.text.endswith(f"it holds 1,125 {SYMBOL} on paper; nothing is at the broker")
    assert dead.stand == f"holds 1,125 {SYMBOL} at 268.81 on paper; nothing is at the broker"
    (cut,) = found(view(kind="paper", telemetry=told(channel_down_ns=3 * SECOND), instruments=held_for_long))
    assert cut.severity == WARNING


def test_a_dead_engine_is_another_matter_where_it_holds_something_and_where_nothing_protects_that() -> None:
    def state(**facts: Any) -> str:
        (dead,) = found(view(process=GONE, **facts))
        return dead.state

    def stop(**facts: Any) -> dict[int, OrderView]:
        return {7: order(trigger=9_000, **facts)}

    bare, safe = f"holds 75 {SYMBOL}, not protected", f"holds 75 {SYMBOL}, protected"
    assert state() == ""
    assert state(instruments=held()) == bare
    assert state(instruments=held(), orders=stop(state="sent")) == bare
    assert state(instruments=held(), orders=stop(state="working", quantity=50)) == bare
    assert state(instruments=held(), orders=stop(state="working")) == safe
    assert state(instruments=held(), kind="paper") == f"holds 75 {SYMBOL}"
    left = [found(view(stopped_code=1, process=GONE, instruments=each))[0] for each in (held(0), held())]
    assert [each.state for each in left] == ["", f"; IT HOLDS 75 {SYMBOL}"]


def test_a_journal_without_telemetry_has_its_log_for_the_order_channel() -> None:
    memory = Memory()
    facts: dict[str, Any] = {"telemetry": None, "order_channel_up": False, "read_mono_ns": MONO}
    seen = [[each.rule for each in found(view(**facts), after_s=after_s, memory=memory)] for after_s in (0, 1, 2.9, 3)]
    assert [rules.count("order_channel_down") for rules in seen] == [0, 0, 0, 1]


def test_funds_are_short_until_they_suffice_and_not_again_for_the_same_denial() -> None:
    memory = Memory()

    def look(funds: int, line: LogLine = SHORT) -> list[str]:
        facts: dict[str, Any] = {"short_of_funds": line, "ledger": stands(funds=funds)}
        return [each.text for each in found(view(**facts), memory=memory)]

    (text,) = look(1_000_50)
    assert text.endswith(f"buy no lot of {SYMBOL}: 1,000.50 rupees are there, a lot takes 20,000.00 rupees")
    assert look(19_999_99) != []
    assert [look(20_000_00), look(5_000_00), look(-1)] == [[], [], []]
    assert look(5_000_00, replace(SHORT, wall_ns=NOON - SECOND)) != []


def test_a_days_loss_is_one_fault_that_becomes_worse_and_says_what_is_left_to_do() -> None:
    memory = Memory()

    def look(loss: int, **facts: Any) -> tuple[str, str]:
        (each,) = found(view(config=LIMIT["config"], ledger=stands(day_pnl=-loss, **facts)), memory=memory)
        return each.severity, each.state

    assert [look(50_000), look(81_000), look(60_000)] == [(WARNING, "50"), (WARNING, "80"), (WARNING, "80")]
    assert look(100_000, day_stopped=1) == (CRITICAL, "100")
    (flat,) = found(view(config=LIMIT["config"], ledger=stands(day_pnl=-100_000, day_stopped=1)))
    (holds,) = found(view(config=LIMIT["config"], ledger=stands(day_pnl=-100_000, day_stopped=1), instruments=held()))
    assert flat.remedy.startswith("nothing today")
    assert "flatten" in holds.remedy


def test_where_no_order_can_be_sent_no_flattening_is_advised() -> None:
    cut = told(channel_down_ns=9 * SECOND)
    bare: dict[str, Any] = {"instruments": held(bare_since_ns=NOON - 5 * SECOND)}
    remedies = [
        found(view(telemetry=each, **bare), rules={"position_bare": RULES["position_bare"]}) for each in (CALM, cut)
    ]
    assert ["myquant flatten" in one.remedy for (one,) in remedies] == [True, False]


def test_errors_are_quoted_and_halts_among_them_are_told_by_their_own_rule() -> None:
    line = LogLine(NOON, "error", "no way to the broker", {"error": "timed out"})
    (each,) = found(view(log_lines=Counter(error=3), halt_lines=1, last_error=line))
    assert each.text == "1 new error line in its log; the last: no way to the broker: timed out"
    assert found(view(process=NEW, log_lines=Counter(error=2), halt_lines=2)) == []


def test_what_the_brokers_books_have_is_named() -> None:
    facts: dict[str, Any] = {"differences": DIFFERENCES, "halt_since_ns": NOON}
    (trade,) = found(view(halt="foreign_trade", **facts))
    (books,) = found(view(halt="books_differ", **facts))
    (rise,) = found(view(process=NEW, telemetry=told(differences=1), differences=DIFFERENCES))
    assert trade.text.endswith(": the account has a trade that is not ours: sold 75 A, sell 75 at 99.00 (order 7)")
    assert books.text.endswith(": an order of ours is another one: order 5")
    assert rise.text.endswith(": sold 75 A, sell 75 at 99.00 (order 7); an order of ours is another one: order 5")
    (flat,) = found(view(halt="flatten", **facts))
    assert "order" not in flat.text


def test_what_the_brokers_books_had_long_before_is_not_named() -> None:
    memory = Memory()

    def look(differences: int, after_s: float) -> list[str]:
        facts: dict[str, Any] = {"telemetry": told(differences=differences), "differences": DIFFERENCES}
        books = {"books_differ": RULES["books_differ"]}
        return [each.text for each in found(view(**facts), after_s=after_s, memory=memory, rules=books)]

    assert look(2, 100) == []
    assert look(3, 101) == ["1 new difference between the broker's books and the session's"]
    assert look(4, 130)[0].startswith("2 new")
    (halt,) = found(view(halt="books_differ", differences=DIFFERENCES, halt_since_ns=NOON + 10 * SECOND))
    assert "order 5" not in halt.text


def test_of_many_differences_the_last_are_named_and_the_others_counted() -> None:
    many = [Difference(NOON, codes.BY_BOOKS, f"order {number}") for number in (1, 1, 2, 3, 4, 5)]
    (each,) = found(view(halt="books_differ", differences=many, halt_since_ns=NOON))
    assert each.text.endswith(": order 3; order 4; order 5; and 2 more")


def test_of_what_nothing_is_known_what_was_found_holds_on() -> None:
    def unasked(rule: str, **facts: Any) -> tuple[bool, bool, str] | None:
        memory = Memory()
        found(view(**facts), memory=memory)
        each = memory.unasked.get((rule, "monday"))
        return None if each is None else (each.holds(CRITICAL), each.holds(WARNING), each.end)

    held_on = (True, True, "")
    assert unasked("day_loss") is None
    assert unasked("engine_dead", process=GONE) is None
    assert unasked("day_loss", process=GONE) == held_on
    assert unasked("feed_stale", process=STOPPED) == held_on
    assert unasked("day_loss", process=NEW, ledger=None, telemetry=None) == held_on
    assert unasked("feed_stale", process=replace(NEW, started_wall_ns=NOON - SECOND)) == held_on
    assert unasked("books_differ", stopped_code=0) == (True, False, "the session has left")
    assert unasked("feed_stale", stopped_code=0) == (False, False, "the session has left")
    assert unasked("books_differ", stopped_code=0, process=LONG_GONE, **OLD) == (
        *(False, False),
        "the session has left, and its day is over",
    )
