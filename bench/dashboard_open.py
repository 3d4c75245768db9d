"""Opening a day of 5 million ticks: from a session's folder to the series that its page draws, all checksums looked at."""

from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from bench.measure import Goal, Row, Section, spread, timed
from bench.session_jobs import in_turn, scratch_folder
from myquant.config.loading import load_config
from myquant.core import codes
from myquant.core.records import Event
from myquant.dashboard.series import bar_line, latency_line, thinned
from myquant.dashboard.session_charts import MINUTES_MAX, POINTS_MAX
from myquant.dashboard.trace import read_trace
from myquant.journal.reader import JournalReader
from myquant.journal.record import BEAT, BODY_WORDS, INPUT, LEDGER, NOTE, RECORD_BYTES, Origin
from myquant.journal.writer import JournalWriter
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.strategies.loading import default_strategy

TICKS, QUICK_TICKS = 5_000_000, 500_000
A_SECOND: Final = 250
SECOND_NS: Final = 10**9
BEGAN_NS: Final = 1_759_463_100 * SECOND_NS  # 2025-10-03 09:15 in India
SEGMENT_RECORDS: Final = (64 << 20) // RECORD_BYTES
GOAL_S: Final = Goal(2.0, at_least=False)
_PLACES: Final = {name: place for place, name in enumerate((*Event._fields, *Origin._fields))}


def measure(rounds: int, *, quick: bool) -> Section:
    ticks = QUICK_TICKS if quick else TICKS
    section = Section(f"dashboard-open: a session of {ticks:,} ticks, its files in memory")
    with scratch_folder() as folder:
        _write(folder / "day", ticks)
        sides = {
            "opened": partial(timed, partial(_open, folder / "day")),
            "checksums": partial(timed, partial(_check, folder / "day")),
        }
        for side in sides.values():
            side()  # finds its machine code, and the files in memory
        found = in_turn(sides, rounds, quick=quick)
        section.notes.append(_drawn(folder / "day"))
    section.rows.append(Row("opened", "s", spread(found["opened"]), goal=GOAL_S))
    section.rows.append(Row("of that, checksums alone", "s", spread(found["checksums"])))
    return section


def _open(folder: Path) -> None:
    read_trace(folder)


def _check(folder: Path) -> None:
    for _ in JournalReader(folder).blocks():
        pass


def _drawn(folder: Path) -> str:
    """Return what it takes to make what is drawn from what was read."""
    trace = read_trace(folder)
    begins_s = perf_counter()
    thinned(bar_line(trace.bars(0)), POINTS_MAX)
    prices_s = perf_counter() - begins_s
    latency_line(trace, "total", trace.minutes(), MINUTES_MAX)
    percentiles_s = perf_counter() - begins_s - prices_s
    return (
        f"the trace holds {trace.nbytes / 1e6:.1f} MB of a journal of {trace.records * RECORD_BYTES / 1e6:.0f} MB; points of the"
        f" price {1000 * prices_s:.0f} ms, percentiles of {len(trace.minutes())} minutes {1000 * percentiles_s:.0f} ms"
    )


def _write(folder: Path, ticks: int) -> None:
    """Write a day: ticks, and each second what a session says of itself."""
    loaded, strategy = load_config(environment={}), default_strategy()
    archive.create(folder, _facts(loaded.hash, strategy.engine_hash), loaded, strategy)
    journal, drawn = JournalWriter.create(folder, key=4711, segment_records=SEGMENT_RECORDS), np.random.default_rng(1)
    price = 2_500_000
    for second in range(ticks // A_SECOND):
        begins_ns = BEGAN_NS + second * SECOND_NS
        times = begins_ns + np.arange(A_SECOND) * (SECOND_NS // A_SECOND)
        prices = price + 5 * np.cumsum(drawn.integers(-2, 3, A_SECOND))
        price, words = int(prices[-1]), np.zeros((A_SECOND, BODY_WORDS), np.int64)
        columns: dict[str, Any] = {
            "kind": codes.TICK,
            "sequence": second * A_SECOND + np.arange(A_SECOND),
            "time_ns": times,
            "receive_ns": times + drawn.integers(10**6, 5 * 10**7, A_SECOND),
            "price": prices,
            "volume": 75,
            "arrived_ns": times,
            "decoded_ns": times + drawn.integers(2_000, 9_000, A_SECOND),
            "spent_ns": drawn.integers(15_000, 300_000, A_SECOND),
        }
        for name, column in columns.items():
            words[:, _PLACES[name]] = column
        journal.append_words(INPUT, words, 0, A_SECOND)
        journal.append_words(NOTE, _notes(begins_ns + SECOND_NS, 10**8 + price), 0, 2)
    journal.close()


def _notes(wall_ns: int, equity: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    notes = np.zeros((2, BODY_WORDS), np.int64)
    notes[:, 0], notes[:, 3] = (BEAT, LEDGER), wall_ns
    notes[0, 10], notes[1, 6] = wall_ns, equity
    return notes


def _facts(config_hash: str, engine_hash: str) -> SessionFacts:
    return SessionFacts(
        kind="paper",
        name="day",
        broker="angelone",
        symbols=("NIFTY",),
        exchanges=(None,),
        listed=((75, 5),),
        strategy="default",
        strategy_file=None,
        config_hash=config_hash,
        engine_hash=engine_hash,
        key=4711,
        created="2025-10-03T03:00:00+00:00",
    )
