from collections import Counter
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboard.made_rows import BEGAN_NS, DAY_NS, SECOND_NS, Made, session
from dashboard.trace_oracle import Oracle
from monitor.watched import put_session, view_of
from myquant.core import codes
from myquant.dashboard import trace as traces
from myquant.dashboard import trace_rows as rows_of
from myquant.dashboard.trace import ENTRY, EXIT, Mark, Span, Trace, read_trace
from myquant.dashboard.trace_rows import STAGES, percentile_ns
from myquant.errors import JournalError
from myquant.journal.record import BODY, HOLDS, WORDS
from myquant.journal.scan import DAMAGE, NOTHING
from myquant.journal.writer import JournalWriter
from myquant.monitor.fold import Fold
from myquant.monitor.news import NewsDesk

INDIA = ZoneInfo("Asia/Kolkata")
SEEDS = (1, 2, 3)


def taken(rows: np.ndarray, cuts: tuple[int, ...] = ()) -> Trace:
    trace = Trace(("NIFTY", "BANKNIFTY"), INDIA)
    for begin, end in pairwise((0, *cuts, len(rows))):
        trace.take(rows[begin:end])
    return trace


def contents(trace: Trace) -> list[object]:
    """Return all that a trace says."""
    tables = [trace.bars(who).tolist() for who in (0, 1)] + [trace.levels(who).tolist() for who in (0, 1)]
    refused = [trace.refused(what) for what in (rows_of.DENIED, rows_of.REJECTED)]
    tallies = [trace.tallies(what).tolist() for what in (rows_of.DENIED, rows_of.REJECTED)]
    counts = [trace.counts([minute]).tolist() for minute in trace.minutes()]
    events = [list(each) for each in (trace.marks, trace.halts, trace.outages)]
    return [tables, refused, tallies, counts, events, trace.ledgers().tolist(), trace.minutes(), trace.records]


@pytest.mark.parametrize("seed", SEEDS)
def test_prices_and_refusals_are_those_of_the_oracle(seed: int) -> None:
    rows = session(seed).rows()
    trace, oracle = taken(rows), Oracle(rows)
    found = {(bar[0], bar[1]): bar[2:] for who in (0, 1) for bar in trace.bars(who).tolist()}
    assert len(found) > 60
    assert found == oracle.bars
    kinds = {codes.DENIED: rows_of.DENIED, codes.TICK_REJECTED: rows_of.REJECTED}
    counted: Counter[tuple[int, int, int]] = Counter()
    for kind, what in kinds.items():
        for _, reason, first, last, count in trace.tallies(what).tolist():
            assert first // (60 * SECOND_NS) == last // (60 * SECOND_NS)
            counted[kind, reason, first // (60 * SECOND_NS)] += count
        names = codes.DENIAL_NAMES if kind == codes.DENIED else codes.REJECTION_NAMES
        in_all: Counter[str] = Counter()
        for (which, reason, _), count in oracle.refused.items():
            in_all[names[reason]] += count if which == kind else 0
        assert {each.reason: each.times for each in trace.refused(what)} == dict(+in_all)
        assert all(each.last_ns for each in trace.refused(what))
    assert counted == oracle.refused


@pytest.mark.parametrize("seed", SEEDS)
def test_latencies_are_within_0_8_percent_of_the_nearest_rank(seed: int) -> None:
    rows = session(seed).rows()
    trace, oracle = taken(rows), Oracle(rows)
    minutes = sorted({minute for stage in oracle.times.values() for minute in stage})
    assert [minute for minute in trace.minutes() if trace.counts([minute]).any()] == minutes
    compared = 0
    for stage, name in enumerate(STAGES):
        for minute in minutes:
            values, counts = oracle.times[name][minute], trace.counts([minute])[stage]
            assert counts.sum() == len(values)
            if values:
                exact = np.percentile(values, 50, method="inverted_cdf")
                assert percentile_ns(counts, 500) == pytest.approx(exact, rel=0.008)
                compared += 1
    assert compared > 8


@pytest.mark.parametrize("seed", SEEDS)
def test_stages_are_those_of_the_monitor(seed: int, tmp_path: object) -> None:
    rows = session(seed).rows()
    whole = rows[
        np.flatnonzero((rows[:, HOLDS] != 1) | (rows[:, BODY + 4] > 0))
    ]  # it counts those without a clock, too
    view = view_of(tmp_path, symbols=("NIFTY", "BANKNIFTY"))  # type: ignore[arg-type]
    Fold(view, NewsDesk(view, told=0, since_wall_ns=0)).take(whole)
    counts = taken(whole)
    summed = counts.counts(counts.minutes()).sum(axis=1)
    assert dict(zip(STAGES[:4], summed[:4].tolist(), strict=True)) == {
        stage: view.latency[stage].n for stage in STAGES[:4]
    }
    assert view.feed_delay is not None
    assert summed[rows_of.FEED] == view.feed_delay.n


@pytest.mark.parametrize("seed", SEEDS)
def test_any_cut_gives_the_same(seed: int) -> None:
    rows = session(seed).rows()
    drawn = np.random.default_rng(seed)
    whole = contents(taken(rows))
    for cuts in ((1,), tuple(range(1, len(rows))), tuple(np.sort(drawn.integers(0, len(rows), 9)).tolist())):
        assert contents(taken(rows, cuts)) == whole


@pytest.mark.parametrize("seed", SEEDS)
def test_the_account_and_what_closes_a_position(seed: int) -> None:
    rows = session(seed).rows()
    trace, oracle = taken(rows), Oracle(rows)
    columns = [rows_of.WALL, rows_of.CLOCK, rows_of.EQUITY, rows_of.DRAWDOWN]
    assert list(map(tuple, trace.ledgers()[:, columns].tolist())) == oracle.ledgers
    for who in (0, 1):
        levels = trace.levels(who)
        assert 2 < len(levels) < len(oracle.held[who])
        for wall_ns, *values in oracle.held[who]:
            over = levels[(levels[:, rows_of.FROM_WALL] <= wall_ns) & (wall_ns <= levels[:, rows_of.TO_WALL])][-1]
            assert over[[rows_of.POSITION_ID, rows_of.STOP, rows_of.FLOOR, rows_of.TARGET]].tolist() == values


def test_what_happens_seldom_stands_there_one_by_one() -> None:
    made = Made()
    made.event(codes.FEED_STATUS, time_ns=10, code=codes.FEED_IS_STALE)
    made.event(codes.FEED_STATUS, time_ns=20, code=codes.FEED_HEALTHY)
    made.command(codes.HALTED, time_ns=30, reason=codes.BY_MARGIN)
    made.event(codes.OPERATOR, time_ns=40, code=codes.ASK_RESUME)
    made.event(codes.OPERATOR, time_ns=50, code=codes.ASK_FLATTEN)
    made.command(codes.POSITION_OPENED, time_ns=60, price=2_500_000, quantity=75, position_id=3, stop=2_499_000)
    made.command(codes.TRADE_CLOSED, time_ns=70, price=2_501_000, quantity=25, position_id=3, reason=10, net=20_000)
    made.event(codes.FEED_STATUS, time_ns=80, code=codes.FEED_IS_STALE)
    trace = taken(made.rows())
    assert list(trace.outages) == [Span(10, 20), Span(80, None)]
    assert list(trace.halts) == [Span(30, 40, "margin"), Span(50, None, "flatten")]
    assert list(trace.marks) == [
        Mark(ENTRY, 0, 60, 2_500_000, 75, 3, stop=2_499_000),
        Mark(EXIT, 0, 70, 2_501_000, 25, 3, "take_profit_1", 20_000),
    ]


def halted(what: str, at: int) -> Made:
    """Return one thing that happens at a time: a resume, a flatten, a day that begins, a lifted halt, or the reason of a halt."""
    made, reasons = Made(), {name: code for code, name in codes.HALT_NAMES.items()}
    if what in {"resume", "flatten"}:
        made.event(codes.OPERATOR, time_ns=at, code=codes.ASK_RESUME if what == "resume" else codes.ASK_FLATTEN)
    elif what == "day":
        made.day(at)
    elif what == "lifted":
        made.command(codes.RESUMED, time_ns=at)
    else:
        made.command(codes.HALTED, time_ns=at, reason=reasons[what])
    return made


@pytest.mark.parametrize(
    ("happens", "spans"),
    [
        ("day_loss resume", [(0, None, "day_loss")]),
        ("day day_loss resume day margin", [(1, 3, "day_loss"), (4, None, "margin")]),
        ("margin day_loss resume", [(0, 2, "margin"), (1, None, "day_loss")]),
        ("day_loss margin resume day", [(0, 3, "day_loss"), (1, 2, "margin")]),
        ("operator order_of_unknown_state resume", [(0, 2, "operator")]),
        ("order_of_unknown_state lifted", [(0, 1, "order_of_unknown_state")]),
        (
            "flatten order_of_unknown_state lifted",
            [(0, 1, "flatten"), (1, 2, "order_of_unknown_state"), (2, None, "flatten")],
        ),
        ("margin operator", [(0, 1, "margin"), (1, None, "operator")]),
        ("books_differ operator fenced", [(0, 2, "books_differ"), (2, None, "fenced")]),
    ],
)
def test_halts_have_the_reasons_that_the_account_has_and_end_with_it(
    happens: str, spans: list[tuple[int, int | None, str]]
) -> None:
    trace = Trace(("NIFTY",), INDIA)
    for place, what in enumerate(happens.split()):
        trace.take(halted(what, 10 * place + 10).rows())
    assert [(from_ns, to_ns, reason) for from_ns, to_ns, reason in trace.halts] == [
        (10 * from_ns + 10, None if to_ns is None else 10 * to_ns + 10, reason) for from_ns, to_ns, reason in spans
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_halts_are_those_of_the_oracle(seed: int) -> None:
    drawn, bodies = np.random.default_rng(seed), Made()
    kinds = ["resume", "flatten", "lifted", *["day_loss", "order_of_unknown_state"] * 2, *codes.HALT_NAMES.values()]
    for step in range(300):
        at = BEGAN_NS + step // 2 * 3600 * SECOND_NS
        if step % 20 == 0:
            bodies.bodies += halted("day", at // DAY_NS * DAY_NS).bodies
        bodies.bodies += halted(str(drawn.choice(kinds)), at).bodies
    rows = bodies.rows()
    trace, account = taken(rows), Oracle(rows).account
    assert len(trace.halts) > 50
    assert set(trace.halts) == account.all()
    assert contents(taken(rows, tuple(range(1, len(rows), 7)))) == contents(trace)


def test_a_clock_that_is_set_back_goes_on_with_the_minute() -> None:
    made = Made()
    for minute in (1, 2, 1):
        at = minute * 60 * SECOND_NS
        made.event(codes.TICK, time_ns=at, receive_ns=at + 1_000_000, price=5, volume=1)
    trace = taken(made.rows())
    assert {minute: int(trace.counts([minute])[rows_of.FEED].sum()) for minute in trace.minutes()} == {1: 2, 2: 1}


def test_of_more_than_fits_the_older_half_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BARS_MAX", "LEDGERS_MAX", "LEVELS_MAX", "TALLIES_MAX"):
        monkeypatch.setattr(traces, name, 40)
    monkeypatch.setattr(traces, "MINUTES_MAX", 1)
    monkeypatch.setattr(traces, "_FIRST_ROOM", 8)
    monkeypatch.setattr(traces, "BLOCK_RECORDS", 4)
    rows = session(1).rows()
    trace, oracle = taken(rows), Oracle(rows)
    bars = [bar for who in (0, 1) for bar in trace.bars(who).tolist()]
    assert 16 <= len(bars) <= 40
    assert {(bar[0], bar[1]): bar[2:] for bar in bars}.items() <= oracle.bars.items()
    assert trace.ledgers()[-1, rows_of.EQUITY] == oracle.ledgers[-1][2]
    assert len(trace.ledgers()) <= 40
    assert len(trace.minutes()) <= 2  # one that is over, and the present one
    assert trace.forgotten > 0


def test_newest_seconds_are_the_end_of_all() -> None:
    trace = taken(session(2, seconds=400).rows())
    for since in (BEGAN_NS // SECOND_NS, BEGAN_NS // SECOND_NS + 390, BEGAN_NS // SECOND_NS + 1000):
        every = trace.bars(1)
        assert trace.newest_bars(1, since).tolist() == every[every[:, rows_of.SECOND] >= since].tolist()


@pytest.mark.parametrize(("spoil", "what"), [(False, NOTHING), (True, DAMAGE)])
def test_a_folder_is_read_up_to_what_is_sound(tmp_path, spoil: bool, what: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    folder = put_session(tmp_path / "monday", symbols=("NIFTY", "BANKNIFTY"))
    rows = session(1).rows()
    writer = JournalWriter.create(folder, key=4711, segment_records=1024)
    for row in rows:
        writer.append_words(int(row[HOLDS]), row[BODY:].reshape(1, WORDS - BODY), 0, 1)
    writer.close()
    if spoil:
        path = folder / "journal" / "000001.seg"
        content = bytearray(path.read_bytes())
        content[4096 + 192 * 500 + 40] ^= 1
        path.write_bytes(content)
    trace = read_trace(folder)
    assert trace.end is not None
    assert trace.end.what == what
    assert trace.records == (500 if spoil else trace.end.last)
    assert trace.bars(0).tolist() == taken(rows[:500] if spoil else rows).bars(0).tolist()
    assert str(trace.zone) == "Asia/Kolkata"


def test_a_folder_without_a_journal_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    with pytest.raises(JournalError, match="journal"):
        read_trace(put_session(tmp_path / "monday"))


def test_days_are_those_of_the_sessions_zone() -> None:
    made = Made()
    for hours in (0, 20, 24):
        at = BEGAN_NS + hours * 3600 * SECOND_NS
        made.event(codes.TICK, time_ns=at, receive_ns=at, price=5, volume=1)
    assert [str(day) for day in taken(made.rows()).days()] == ["2025-10-03", "2025-10-04"]
