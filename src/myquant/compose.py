"""The wirings: which feed, which exchange and which clock an engine gets. The only file that knows which one runs.

A backtest reads recorded ticks, fills on the simulated exchange and has no clock but the ticks'. A paper session takes
ticks from a broker's feed, journals all it does, and fills on the same simulated exchange; it holds nothing that could
reach a real one. A live session is the same with orders at the broker, and the simulated exchange as its shadow.
"""

import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO
from zoneinfo import ZoneInfo

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.config.schema import Config
from myquant.core import codes
from myquant.errors import DataError
from myquant.results.record import RunRecord
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.clock import MachineClock, zone_offset_ns
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.explain import FirstOfSize, notices
from myquant.session.notify import Notifier
from myquant.session.outcome import Rejects, run_record
from myquant.session.quick_loop import run_loop
from myquant.session.rules import SECOND_NS
from myquant.session.under_way import VenueRun
from myquant.strategies.cache import cache_folder
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import InstrumentName, TickBatch

if TYPE_CHECKING:
    from myquant.brokers.angelone.opening import OpenAccount
    from myquant.brokers.port import Funds
    from myquant.brokers.secrets import Redactor
    from myquant.session.loop import FeedPort
    from myquant.session.process import Work
    from myquant.session.recording_feed import OpenDay, RecordedFeed
    from myquant.session.recording_loop import Recorded
    from myquant.session.recovery import Recovered
    from myquant.ticks.source import TickSource


def backtest(
    source: "TickSource",
    loaded: LoadedConfig,
    strategy: LoadedStrategy,
    on_progress: Callable[[TickBatch], None] | None = None,
) -> RunRecord:
    """Run a source of ticks through the engine and return the record of the run.

    Raises DataError when no tick was usable, or, with `data_quality.strict`, at the first that was refused; DataError or
    ConfigError where the market's tables do not cover a day.
    """
    config = loaded.config
    engine = Engine(loaded, strategy, source.instruments, symbols_are_labels=source.symbols_are_labels)
    collector = Collector(config.results.max_marks, config.results.mark_interval_s * SECOND_NS)
    rejects = Rejects(config.data_quality.strict, config.data_quality.rejected_examples)
    first_of_size = FirstOfSize()

    def take(commands: np.ndarray[Any, Any]) -> None:
        rejects.take(commands)
        collector.take(commands)
        first_of_size.take(commands)

    through_venue = VenueRun(engine, take) if config.execution.fill_model == "limit" else None
    for batch in source.batches():
        if through_venue is not None:
            through_venue.run(batch, rejects)
        else:
            rejects.begin(batch, (-engine.inputs).__add__)
            engine.run(batch, take)
        if on_progress is not None:
            on_progress(batch)
    if not engine.instruments["counts"][:, codes.COUNT_TICKS].any():
        raise DataError(rejects.nothing_valid([str(path) for path in source.paths], engine.inputs))
    _end(engine, collector, close=config.execution.close_at_end)
    return run_record(engine, collector, rejects.examples, source.input_hash, notices(engine, first_of_size))


def _end(engine: Engine, collector: Collector, *, close: bool) -> None:
    """End the data: take the last marks; if asked, close what is open at its last price."""
    for who in range(len(engine.instruments)):
        if engine.instruments[who]["counts"][codes.COUNT_TICKS] == 0:
            continue
        if close:
            engine.end(who, codes.CLOSE_OPEN, collector.take)
        engine.end(who, codes.LAST_MARK, collector.take)


@dataclass(frozen=True)
class PaperPlan:
    """What a session is to be. `symbols`: trading symbols; `environ`: where the broker's secrets are."""

    broker: str
    symbols: tuple[str, ...]
    loaded: LoadedConfig
    strategy: LoadedStrategy
    folder: Path
    environ: Mapping[str, str]


@dataclass(frozen=True)
class LivePlan(PaperPlan):
    """Likewise, with orders at the broker. `override`: why it may begin without a rehearsal; None: it needs none."""

    override: str | None = None


@dataclass(frozen=True)
class Opened:
    """A session that is about to begin: for the review.

    Attributes:
        notes: what the broker's instrument master says other than the contract book.
        recovered: what was taken up of an earlier process; None: the session is new.
        halted: why entries are halted; empty: they are not.
    """

    facts: SessionFacts
    loaded: LoadedConfig
    folder: Path
    notes: tuple[str, ...]
    recovered: "Recovered | None"
    halted: str


@dataclass(frozen=True)
class OpenedAtBroker(Opened):
    """Likewise, of a session with orders at the broker: whose account, and what it has."""

    client_code: str
    funds: "Funds"


@dataclass(frozen=True)
class Left:
    """What a session left: its record (None: no usable tick came), where, and with which exit code.

    `is_over`: its day has ended; else it can be gone on with. `cut_off`: why it may send nothing any more; empty: it may.
    """

    record: RunRecord | None
    folder: Path
    exit_code: int
    is_over: bool
    cut_off: str = ""


def today(zone: str) -> date:
    """Return the date of the wall clock in a time zone."""
    return datetime.now(UTC).astimezone(ZoneInfo(zone)).date()


def paper(plan: PaperPlan, review: Callable[[Opened], None]) -> Left:
    """Run a session with simulated fills till its day is over or it is told to stop. `review` is called before it begins.

    Raises MyquantError: wrong configuration, a broker that refuses, a journal that can't be taken up or written.
    """
    return _run_session(plan, lambda opening: _run_paper(plan, opening, review), "paper")


def live(plan: LivePlan, review: Callable[[OpenedAtBroker], None]) -> Left:
    """Run a session whose orders go to the broker; as `paper`, besides that it fences off everybody else who could send."""
    return _run_session(plan, lambda opening: _run_live(plan, opening, review), "live")


class _Opening(NamedTuple):
    """What a session is made from.

    `begin`: called when nothing can refuse it any more; else a new one is gone. `moves`: addresses that are new, one line each.
    """

    facts: SessionFacts
    account: "OpenAccount"
    redactor: "Redactor"
    begin: Callable[[], object]
    notifier: Notifier
    moves: tuple[str, ...] = ()


def _run_session(plan: PaperPlan, run: Callable[[_Opening], Awaitable[Left]], kind: str) -> Left:
    from myquant.session.loop import signals_as_before  # noqa: PLC0415  (only sessions need it)

    with signals_as_before():
        left: Left = run_loop(_session(plan, run, kind))
    return left


async def _session(plan: PaperPlan, run: Callable[[_Opening], Awaitable[Left]], kind: str) -> Left:
    """Open the account and the session's folder, and run it."""
    from myquant.brokers.angelone.opening import credentials, open_account  # noqa: PLC0415  (only sessions need it)
    from myquant.brokers.http import Http  # noqa: PLC0415  (likewise)
    from myquant.brokers.secrets import Redactor  # noqa: PLC0415  (likewise)
    from myquant.session.at_broker import refuse_unknown  # noqa: PLC0415  (likewise)

    notifier = Notifier.taken_from(os.environ)
    refuse_unknown(plan.broker)
    config = plan.loaded.config
    account_secrets = credentials(plan.environ)
    redactor = Redactor(account_secrets.secrets())
    async with Http(redactor) as http:
        cache, on = cache_folder() / plan.broker, today(config.session.timezone)
        account = await open_account(http, config, plan.symbols, account_secrets, cache=cache, today=on)
        facts = _facts(plan, account, kind)
        if archive.is_session(plan.folder):
            earlier = archive.read(plan.folder)
            archive.refuse_another(plan.folder, earlier, facts, plan.loaded)
            moves = archive.moves(plan.folder, earlier, plan.loaded)
            begin = partial(archive.move, plan.folder, plan.loaded)
            return await run(_Opening(earlier, account, redactor, begin, notifier, moves))
        with ExitStack() as refused:
            archive.create(plan.folder, facts, plan.loaded, plan.strategy)
            refused.callback(archive.remove_unbegun, plan.folder)
            return await run(_Opening(facts, account, redactor, refused.pop_all, notifier))


def _log_moves(work: "Work", moves: tuple[str, ...]) -> None:
    for line in moves:
        work.log.warning("another address", why=line)


def _facts(plan: PaperPlan, account: "OpenAccount", kind: str) -> SessionFacts:
    strategy = plan.strategy
    file = None
    if strategy.path is not None:
        file = strategy.path.name + (f":{strategy.entry_name}" if strategy.entry_name else "")
    return SessionFacts(
        kind=kind,
        name=plan.folder.name,
        broker=plan.broker,
        symbols=tuple(each.symbol for each in account.instruments),
        exchanges=tuple(each.segment for each in account.instruments),
        listed=tuple((each.lot_size, each.tick_size_paise) for each in account.instruments),
        strategy=strategy.name,
        strategy_file=file,
        config_hash=plan.loaded.hash,
        engine_hash=strategy.engine_hash,
        key=secrets.randbits(63),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


async def _run_paper(plan: PaperPlan, opening: _Opening, review: Callable[[Opened], None]) -> Left:
    from myquant.session.process import SessionProcess, halted_by, taken_up  # noqa: PLC0415  (only sessions need it)
    from myquant.session.simulated import SimulatedOrders  # noqa: PLC0415  (likewise)

    facts, account, redactor, begin, notifier, moves = opening
    engine = facts.engine(plan.loaded, plan.strategy)
    with taken_up(plan.folder, facts, engine, SimulatedOrders(engine), redactor) as work:
        halted = halted_by(engine)
        review(Opened(facts, plan.loaded, plan.folder, (*moves, *account.notes), work.taken.recovered, halted))
        session = SessionProcess(work, account, cache_folder() / plan.broker, plan.environ, notifier)
        begin()
        _log_moves(work, moves)
        code = await session.run()
        record = session.end(close=plan.loaded.config.execution.close_at_end)
        return Left(record, plan.folder, code, session.loop.is_over)


async def _run_live(plan: LivePlan, opening: _Opening, review: Callable[[OpenedAtBroker], None]) -> Left:
    from myquant.journal.disk import DISK  # noqa: PLC0415  (only sessions need it)
    from myquant.journal.record import NO_REHEARSAL  # noqa: PLC0415  (likewise)
    from myquant.session.at_broker import fence_folder, refuse_beside, state_folder  # noqa: PLC0415  (likewise)
    from myquant.session.broker_orders import BrokerOrders  # noqa: PLC0415  (likewise)
    from myquant.session.broker_side import BrokerParts, BrokerSide  # noqa: PLC0415  (likewise)
    from myquant.session.evidence_of import override_number  # noqa: PLC0415  (likewise)
    from myquant.session.fence import Fence  # noqa: PLC0415  (likewise)
    from myquant.session.process import SessionProcess, halted_by, taken_up  # noqa: PLC0415  (likewise)
    from myquant.session.runner import NoOrders  # noqa: PLC0415  (likewise)
    from myquant.session.shadow import Shadow  # noqa: PLC0415  (likewise)
    from myquant.session.simulated import SimulatedOrders  # noqa: PLC0415  (likewise)

    facts, account, redactor, begin, notifier, moves = opening
    config, cache, folder = plan.loaded.config, cache_folder() / plan.broker, plan.folder
    engine = facts.engine(plan.loaded, plan.strategy)
    funds, code = await account.client.funds(), account.client.client_code
    place = fence_folder(state_folder(), config, code)
    refuse_beside(place, facts.name)
    with taken_up(folder, facts, engine, NoOrders(), redactor) as work, ExitStack() as closing:
        recovered, halted = work.taken.recovered, halted_by(engine)
        review(OpenedAtBroker(facts, plan.loaded, folder, (*moves, *account.notes), recovered, halted, code, funds))
        fence = Fence.take(place, facts.name, DISK, session=str(folder.absolute()))
        closing.callback(fence.close)
        port = account.orders(config, facts.key)
        shadow = Shadow(SimulatedOrders(engine)) if config.broker.shadow else None
        orders = BrokerOrders(engine, port, account.instruments, fence, work.log, shadow)
        work.taken.runner.orders = orders
        session = SessionProcess(work, account, cache, plan.environ, notifier)
        parts = BrokerParts(port, orders, shadow, folder, facts.key, place)
        session.loop.companion = BrokerSide(parts, session.loop)
        begin()
        _log_moves(work, moves)
        if plan.override is not None and recovered is None:
            session.supervisor.note_override(NO_REHEARSAL, override_number(plan.override))
        exit_code = await session.run()
        return Left(session.end(close=False), folder, exit_code, session.loop.is_over, session.loop.cut_off)


@dataclass(frozen=True)
class RecordPlan:
    """What is to be recorded: trading symbols of a broker's feed into a folder; `environ` as in `PaperPlan`."""

    broker: str
    symbols: tuple[str, ...]
    config: Config
    folder: Path
    environ: Mapping[str, str]


async def record(plan: RecordPlan, stderr: TextIO | None = None) -> "Recorded":
    """Record ticks without trading till a signal comes, or all contracts have expired. `stderr`: for short lines of the log.

    Raises MyquantError: wrong configuration, a broker that refuses, a folder that can't be written or is in use.
    """
    from myquant.brokers.angelone.opening import credentials, open_account  # noqa: PLC0415  (only recorders need it)
    from myquant.brokers.http import Http  # noqa: PLC0415  (likewise)
    from myquant.brokers.secrets import Redactor  # noqa: PLC0415  (likewise)
    from myquant.journal.disk import DISK  # noqa: PLC0415  (likewise)
    from myquant.session.at_broker import refuse_unknown  # noqa: PLC0415  (likewise)
    from myquant.session.recording import Recording  # noqa: PLC0415  (likewise)
    from myquant.session.recording_feed import OpenDay  # noqa: PLC0415  (likewise)
    from myquant.session.recording_log import recording_log  # noqa: PLC0415  (likewise)
    from myquant.session.recording_loop import RecordingLoop  # noqa: PLC0415  (likewise)

    refuse_unknown(plan.broker)
    config, account_secrets = plan.config, credentials(plan.environ)
    redactor = Redactor(account_secrets.secrets())
    offset_ns, jump_ns = zone_offset_ns(config.session.timezone), int(config.feed.max_clock_jump_s * SECOND_NS)
    cache = cache_folder() / plan.broker

    async def open_day(symbols: "Sequence[str]", on: date) -> "OpenDay":
        account = await open_account(http, config, symbols, account_secrets, cache=cache, today=on)
        names = tuple(InstrumentName(each.symbol, each.segment) for each in account.instruments)

        def feed(day: "RecordedFeed") -> "FeedPort":
            return account.feed(
                config,
                on_frame=day.on_frame,
                on_status=day.on_status,
                on_text=lambda connection, text: day.log.warning("feed text", connection=connection, text=text),
                on_slow=lambda late_ns: day.log.warning("the loop was late", late_ms=late_ns // 10**6),
                expects_data=day.expects_data,
            )

        return OpenDay(names, account.notes, account.decoders(offset_ns, jump_ns), feed)

    recording = Recording(plan.folder, offset_ns, DISK)
    try:
        with recording_log(plan.folder, config, redactor, stderr) as log:
            async with Http(redactor) as http:
                return await RecordingLoop(recording, plan.symbols, open_day, config, MachineClock(), log).run()
    finally:
        recording.close()
