"""Each rule: a session that is well but for one thing, and what is found."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from monitor.made_views import CALM, EVEN, MONO, NOON, SECOND, SYMBOL, found, held, keys, loaded, order, view
from myquant.errors import ConfigError
from myquant.journal.record import Ledger, Telemetry
from myquant.monitor.expected import Expected
from myquant.monitor.faults import Around, Memory, told_s
from myquant.monitor.finding import CRITICAL, INFO, WARNING
from myquant.monitor.rules import RULES
from myquant.monitor.view import InstrumentView, LogLine, ProcessView

GONE = ProcessView(4321, NOON - 3_600 * SECOND, is_alive=False, died_wall_ns=NOON)
YESTERDAY = NOON - 86_400 * SECOND
LONG_GONE = replace(GONE, started_wall_ns=YESTERDAY, died_wall_ns=YESTERDAY)
OLD = {"written_wall_ns": YESTERDAY, "beat_wall_ns": YESTERDAY}
STOPPED = replace(GONE, is_alive=True, is_stopped=True)
NEW = ProcessView(4321, NOON - 5 * SECOND)
LIMIT = {"config": loaded(risk__max_day_loss=1000)}


def told(**values: int) -> Telemetry:
    return CALM._replace(**values)


def stands(**values: int) -> Ledger:
    return EVEN._replace(**values)


SHORT = LogLine(
    NOON - 60 * SECOND, "warning", "denied", {"symbol": SYMBOL, "broker_funds": 1_000.5, "needed": 20_000.0}
)

DEAD = ("engine_dead", "", CRITICAL)
FROZEN = ("engine_frozen", "", CRITICAL)
# what is otherwise, seconds after noon, what is found
CASES: list[tuple[dict[str, Any], float, set[tuple[str, str, str]]]] = [
    ({}, 0, set()),
    ({"process": GONE}, 0, {DEAD}),
    ({"process": GONE, "packet_mono_ns": 0, "feed_stale": True, "telemetry": told(bare_ns=10**11)}, 60, {DEAD}),
    ({"process": LONG_GONE, **OLD}, 0, set()),
    ({"process": LONG_GONE, **OLD, "instruments": held()}, 0, {DEAD}),
    ({"gone_since_ns": NOON}, 0, {("session_lost", "", CRITICAL)}),
    ({"process": GONE, "ended_code": 1}, 0, set()),
    ({}, 2.9, set()),
    ({}, 3, {FROZEN}),
    ({"unread_since_ns": NOON + 2 * SECOND}, 4, set()),
    ({"process": STOPPED}, 0, {FROZEN}),
    ({"process": NEW, "beat_wall_ns": None, "beat_mono_ns": None}, 4, set()),
    ({"process": NEW, "beat_wall_ns": None, "beat_mono_ns": None}, 5, {FROZEN}),
    ({"process": NEW, "beat_wall_ns": None, "beat_mono_ns": None, "doing": "compiling"}, 60, set()),
    ({"process": NEW, "beat_wall_ns": None, "beat_mono_ns": None, "doing": "compiling"}, 300, {FROZEN}),
    ({"process": ProcessView(4321, NOON + 3_600 * SECOND, MONO - 60 * SECOND)}, 3, {FROZEN}),  # the clock was set back
    ({"read_mono_ns": MONO + SECOND}, 60, set()),  # whoever looks was stopped in the middle of a look
    ({"feed_stale": True, "feed_since_ns": NOON - 2 * SECOND, "open_for_ns": 5 * SECOND}, 0, set()),
    (
        {"feed_stale": True, "feed_since_ns": NOON - 3 * SECOND, "open_for_ns": 5 * SECOND},
        0,
        {("feed_stale", "", WARNING)},
    ),  # open before the first look
    ({"open_for_ns": 60 * SECOND, "packet_mono_ns": MONO - 5 * SECOND}, 0, {("feed_age", "", WARNING)}),
    ({"feed_stale": True, "open_for_ns": 60 * SECOND, "process": NEW, "unread_since_ns": NOON}, 1, set()),
    ({"stopped_code": 0}, 60, set()),
    ({"stopped_code": 5}, 60, {("session_failed", "", CRITICAL)}),
    ({"stopped_code": 5, "process": LONG_GONE, **OLD}, 60, set()),
    ({"feed_stale": True}, 0, set()),  # the market was seen to open just now
    ({"feed_stale": True, "is_market_open": None}, 0, set()),
    ({"is_market_open": False, "packet_mono_ns": MONO - 10**12}, 0, set()),
    ({"instruments": held(bare_since_ns=NOON - 4 * SECOND)}, 0, set()),
    ({"instruments": held(bare_since_ns=NOON - 5 * SECOND)}, 0, {("position_bare", SYMBOL, CRITICAL)}),
    ({"orders": {7: order(age_s=9.9)}}, 0, set()),
    ({"orders": {7: order(age_s=10)}}, 0, {("order_unknown", "7", CRITICAL)}),
    ({"orders": {7: order(age_s=10, state="unknown")}}, 0, {("order_unknown", "7", CRITICAL)}),
    ({"orders": {7: order(age_s=99, state="working")}}, 0, set()),
    ({"orders": {7: replace(order(age_s=9), sent_mono_ns=0)}}, 0, set()),  # from before the machine was started again
    ({"orders": {7: replace(order(age_s=10), sent_mono_ns=MONO + SECOND)}}, 0, {("order_unknown", "7", CRITICAL)}),
    ({"ledger": stands(rejects_in_row=1)}, 0, set()),
    ({"ledger": stands(rejects_in_row=2)}, 0, {("rejects_in_a_row", "", WARNING)}),
    ({"ledger": stands(day_pnl=-(10**9))}, 0, set()),  # no limit is set
    ({**LIMIT, "ledger": stands(day_pnl=-49_999)}, 0, set()),
    ({**LIMIT, "ledger": stands(day_pnl=-50_000)}, 0, {("day_loss", "", WARNING)}),
    ({**LIMIT, "ledger": stands(day_pnl=-80_000)}, 0, {("day_loss", "", WARNING)}),
    ({**LIMIT, "ledger": stands(day_stopped=1)}, 0, {("day_loss", "", CRITICAL)}),
    ({"halt": "operator"}, 0, {("halted", "", INFO)}),
    ({"halt": "flatten"}, 0, {("halted", "", INFO)}),
    ({"halt": "stale_feed"}, 0, {("halted", "", WARNING)}),
    ({"halt": "position_without_stop"}, 0, {("halted", "", CRITICAL)}),
    ({"halt": "books_differ"}, 0, {("halted", "", CRITICAL)}),
    ({"process": NEW, "telemetry": told(differences=1)}, 0, {("books_differ", "books", CRITICAL)}),
    ({"telemetry": told(channel_down_ns=3 * SECOND - 1)}, 0, set()),
    ({"telemetry": told(channel_down_ns=3 * SECOND)}, 0, {("order_channel_down", "", WARNING)}),
    ({"telemetry": told(channel_down_ns=3 * SECOND), "instruments": held()}, 0, {("order_channel_down", "", CRITICAL)}),
    ({"short_of_funds": SHORT}, 0, {("funds_short", "", WARNING)}),
    ({"short_of_funds": SHORT, "process": NEW}, 0, set()),  # of an earlier process
    ({"order_channel_up": False}, 0, set()),  # its telemetry says that it is up
    ({"drift_percent": 25.0}, 0, {("latency_drift", "", WARNING)}),
    ({"telemetry": told(queue_depth=79, queue_room=100)}, 0, set()),
    ({"telemetry": told(queue_depth=80, queue_room=100)}, 0, {("queue_full", "handoff", WARNING)}),
    ({"process": NEW, "telemetry": told(queue_dropped=3)}, 0, {("ticks_dropped", "frames", CRITICAL)}),
    (
        {"process": NEW, "telemetry": told(log_lost=3, rows_lost=1)},
        0,
        {("ticks_dropped", x, WARNING) for x in ("log", "rows")},
    ),
    ({"delay_min_ns": 2 * SECOND}, 0, {("clock_offset", "", WARNING)}),
    ({"delay_min_ns": -2 * SECOND}, 0, {("clock_offset", "", WARNING)}),
    ({"delay_min_ns": None}, 0, set()),
    ({"disk_free_bytes": 1024 * 2**20 - 1}, 0, {("disk_low", "disk", WARNING)}),
    ({"disk_free_bytes": 2**20}, 0, {("disk_low", "disk", CRITICAL)}),
    ({"disk_free_bytes": 0, "stopped_code": 0}, 0, set()),
    ({"disk_free_bytes": 0, "stopped_code": 4}, 0, {("session_failed", "", CRITICAL), ("disk_low", "disk", CRITICAL)}),
    ({"disk_free_bytes": 0, "stopped_code": 4, "process": LONG_GONE, **OLD}, 0, set()),
    ({"records_left": 1, "stopped_code": 4}, 0, {("session_failed", "", CRITICAL)}),
    ({"records_left": 19_999}, 0, {("disk_low", "journal", CRITICAL)}),
    ({"records_left": 5_500, "config": loaded(journal__segment_mib=1)}, 0, set()),  # as many as such a file has
    ({"records_left": 5_000, "config": loaded(journal__segment_mib=1)}, 0, {("disk_low", "journal", CRITICAL)}),
    ({"damage": "record 7 is damaged"}, 0, {("journal_damaged", "", CRITICAL)}),
    ({"unread_since_ns": NOON - 5 * SECOND}, 0, {("journal_lag", "", WARNING)}),
    ({"replay": "its replay differs at record 7"}, 0, {("replay_differs", "", CRITICAL)}),
    ({"process": NEW, "log_lines": Counter(error=2)}, 0, {("log_errors", "", WARNING)}),
    ({"process": GONE, "log_lines": Counter(error=2)}, 0, {DEAD}),  # logged before anybody looked
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_what_is_found(case: int) -> None:
    facts, after_s, expected = CASES[case]
    assert keys(found(view(**facts), after_s=after_s)) == expected


def test_every_rule_of_sessions_is_met_above() -> None:
    met = {rule for _, _, expected in CASES for rule, _, _ in expected}
    assert met | {"feed_stale", "feed_age"} == {name for name, rule in RULES.items() if rule.of_session}


STOP = {8: order(8, "working", trigger=9_500)}


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ({}, "NOTHING PROTECTS IT"),
        (STOP, "IT IS PROTECTED BY STOP ORDER 8: SELL 75 AT 95.00"),
        ({8: order(8, "partial", trigger=9_500, quantity=25)}, "WHICH COVERS ONLY 25 OF 75"),
        ({8: order(8, "unknown", trigger=9_500)}, "PERHAPS NOTHING PROTECTS"),
        ({8: order(8, "cancelled", trigger=9_500)}, "NOTHING PROTECTS"),
    ],
)
def test_the_death_of_an_engine_that_holds_says_what_protects_it(orders: dict[int, Any], said: str) -> None:
    first, *_ = found(view(process=GONE, instruments=held(), orders=orders))
    assert first.text == first.text.upper()
    assert f"IT HOLDS 75 {SYMBOL}" in first.text
    assert said in first.text


def test_each_of_several_positions_is_named() -> None:
    first, *_ = found(view(process=GONE, instruments=[*held(), InstrumentView("OTHER", quantity=30)], orders=STOP))
    assert f"{SYMBOL} IS PROTECTED BY STOP ORDER 8" in first.text
    assert first.text.endswith("NOTHING PROTECTS OTHER")
    assert "stop order 95.00 works at the exchange; holds 30 OTHER; NOTHING protects it" in first.stand


def test_a_feed_is_stale_or_silent_once_the_market_has_been_open_for_a_while() -> None:
    table: list[tuple[dict[str, Any], tuple[str, str, str]]] = [
        ({"feed_stale": True}, ("feed_stale", "", WARNING)),
        ({"feed_stale": True, "instruments": held()}, ("feed_stale", "", CRITICAL)),
        ({}, ("feed_age", "", WARNING)),
        ({"packet_mono_ns": None}, ("feed_age", "", WARNING)),
        ({"instruments": held()}, ("feed_age", "", CRITICAL)),
    ]
    for facts, expected in table:
        memory = Memory()
        seen = []
        for after_s in range(7):
            beats: dict[str, Any] = {"beat_mono_ns": MONO + after_s * SECOND, "beat_wall_ns": NOON + after_s * SECOND}
            seen.append(keys(found(view(**{**facts, **beats}), after_s=after_s, memory=memory)))
        assert seen == [set()] * 5 + [{expected}] * 2


def test_what_was_dropped_is_a_fault_for_a_minute_after_the_last() -> None:
    memory = Memory()

    def look(dropped: int, after_s: float) -> str:
        beats: dict[str, Any] = {"beat_mono_ns": MONO + round(after_s * SECOND), "is_market_open": False}
        memory.looked_mono_ns = None
        texts = [
            each.text
            for each in found(view(telemetry=told(queue_dropped=dropped), **beats), after_s=after_s, memory=memory)
        ]
        return texts[0].split()[0] if texts else ""

    assert [look(0, 0), look(3, 1), look(3, 60), look(3, 61), look(5, 100), look(2, 101)] == [
        "",
        "3",
        "3",
        "",
        "2",
        "4",
    ]


def test_expected_sessions() -> None:
    ten = NOON - 2 * 3_600 * SECOND

    def missing(now_ns: int, *names: str, started_ns: int = NOON, **settings: Any) -> list[str]:
        expected = Expected(loaded(**{"monitor__expect_by": '"10:00"', **settings}).config)
        views = {name: view(name, process=replace(GONE, started_wall_ns=started_ns)) for name in names}
        return [pattern for pattern, _, _ in expected.missing(views, now_ns)]

    assert missing(ten - 1) == []
    assert missing(ten) == ["*"]
    assert missing(ten, "monday") == []
    assert (
        missing(ten, "runs/monday", monitor__expect='["monday"]') == []
    )  # there is one of that name in another folder
    assert missing(ten, "monday", started_ns=YESTERDAY) == ["*"]
    assert missing(ten, "monday", monitor__expect='["mon*", "tue*"]') == ["tue*"]
    assert missing(ten + 86_400 * SECOND) == []  # a Saturday
    assert missing(ten + 86_400 * SECOND, session__source="config") == ["*"]
    assert missing(ten, monitor__expect_by='""') == []
    assert missing(ten + 2 * 366 * 86_400 * SECOND) == ["*"]  # beyond the calendar: better told than not


def test_rules_of_the_monitor() -> None:
    config = loaded(monitor__expect_by='"10:00"')
    around = Around(
        expected=Expected(config.config),
        unreadable={"tuesday": "no permission"},
        down={"mail": (NOON, "refused")},
        heartbeat=(NOON, "no answer"),
        spool=(NOON, "disk full"),
        pages=(NOON, "exit code 1"),
    )
    assert {each.rule for each in found(around=around, config=config)} == {
        name for name, rule in RULES.items() if rule.of_monitor and name != "monitor_late"
    }


def test_a_late_look_is_told_for_a_minute() -> None:
    memory = Memory()
    seen = [bool(found(after_s=after_s, memory=memory)) for after_s in (0, 1.9, 4, 5, 6.5, 8, 62, 63)]
    assert seen == [False, False, True, True, True, True, True, True]  # 62 came late, too
    assert [bool(found(after_s=63 + after_s, memory=memory)) for after_s in range(60)] == [True] * 59 + [False]


def test_a_rule_that_fails_is_a_finding_and_blinds_no_other() -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    rules = {"halted": RULES["halted"]._replace(of_session=broken), "log_errors": RULES["log_errors"]}
    one, two = found(view(halt="operator", process=NEW, log_lines=Counter(error=1)), rules=rules)
    assert (one.rule, one.subject, two.rule) == ("rule_failed", "halted", "log_errors")


def test_a_fault_keeps_its_beginning() -> None:
    memory = Memory()
    bad = view(damage="record 7")
    first, *_ = found(bad, memory=memory)
    later = [each for each in found(bad, after_s=1, memory=memory) if each.rule == first.rule]
    assert [each.since_ns for each in later] == [NOON]


def test_texts_are_one_line_and_have_figures() -> None:
    line = LogLine(NOON, "error", "no way\nto the broker " + "x" * 500, {})
    (each,) = found(view(log_lines=Counter(error=2), last_error=line))
    assert "\n" not in each.text
    assert len(each.text) < 250
    assert [told_s(round(s * SECOND)) for s in (0.44, 12, 119, 120, 7200)] == [
        "0.4 s",
        "12 s",
        "119 s",
        "2 min",
        "2.0 h",
    ]


def test_an_unknown_rule_is_refused() -> None:
    from myquant.monitor.alerting import refuse_unknown  # noqa: PLC0415

    with pytest.raises(ConfigError, match="did you mean feed_stale"):
        refuse_unknown("feed_stal")


def test_what_rose_before_anybody_watched_is_not_new() -> None:
    old: dict[str, Any] = {"telemetry": told(queue_dropped=3, differences=1), "log_lines": Counter(error=2)}
    assert found(view(**old)) == []
    assert keys(found(view(**old, last_error=LogLine(NOON - SECOND, "error", "broken", {})))) == {
        ("log_errors", "", WARNING)
    }


def test_while_a_journal_is_read_what_was_found_before_holds_on() -> None:
    memory = Memory()
    for facts, after_s, expected in (
        ({"instruments": held(bare_since_ns=NOON - 5 * SECOND)}, 0, {"position_bare"}),
        ({"unread_since_ns": NOON + SECOND, "instruments": held(bare_since_ns=1)}, 2, {"position_bare"}),
        ({"unread_since_ns": NOON + SECOND, "halt": "books"}, 7, {"position_bare", "journal_lag"}),
        ({"beat_mono_ns": MONO + 8 * SECOND, "packet_mono_ns": MONO + 8 * SECOND}, 8, set()),
    ):
        memory.looked_mono_ns = None
        assert {each.rule for each in found(view(**facts), after_s=after_s, memory=memory)} == expected


@pytest.mark.parametrize(
    ("facts", "rule", "longest_s"),
    [
        (
            {"telemetry": told(bare_ns=150 * SECOND)},
            "position_bare",
            5,
        ),  # of a lab that plays its day thirty times as fast
        ({"ledger": stands(unknown=1)}, "order_unknown", 10),  # told a second ago, and answered since
    ],
)
def test_what_a_session_says_of_itself_has_to_last(facts: dict[str, Any], rule: str, longest_s: int) -> None:
    memory = Memory()

    def look(after_s: float, **facts: Any) -> list[str]:
        memory.looked_mono_ns = None
        now = MONO + round(after_s * SECOND)
        seen = found(view(beat_mono_ns=now, packet_mono_ns=now, **facts), after_s=after_s, memory=memory)
        return [each.rule for each in seen]

    assert [look(0, **facts), look(1), look(2, **facts)] == [[], [], []]
    assert [look(2 + longest_s - 0.1, **facts), look(2 + longest_s, **facts)] == [[], [rule]]
