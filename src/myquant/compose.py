"""The wirings: which feed, which exchange and which clock an engine gets. The only file that knows which one runs.

A backtest reads recorded ticks, fills on the simulated exchange and has no clock but the ticks'. A paper session takes
ticks from a broker's feed, journals all it does, and fills on the same simulated exchange; it holds nothing that could
reach a real one.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from myquant.config.loading import LoadedConfig
from myquant.config.schema import Config
from myquant.core import codes
from myquant.errors import ConfigError, DataError, MyquantError
from myquant.results.record import RunRecord
from myquant.session import archive
from myquant.session.archive import SessionFacts
from myquant.session.clock import ExchangeClock, MachineClock, latest_of, zone_offset_ns
from myquant.session.collector import Collector
from myquant.session.engine import Engine
from myquant.session.explain import FirstOfSize, notices
from myquant.session.outcome import Rejects, run_record
from myquant.session.quick_loop import run_loop
from myquant.session.rules import SECOND_NS
from myquant.session.under_way import VenueRun
from myquant.strategies.cache import cache_folder
from myquant.strategies.loading import LoadedStrategy
from myquant.ticks.batch import InstrumentName, TickBatch

if TYPE_CHECKING:
    from myquant.brokers.angelone.decode import FrameDecoder
    from myquant.brokers.angelone.opening import OpenAccount
    from myquant.brokers.secrets import Redactor
    from myquant.session.log import SessionLog
    from myquant.session.log_async import AsyncLog
    from myquant.session.loop import FeedPort
    from myquant.session.pipeline import Pipeline
    from myquant.session.recording_feed import OpenDay, RecordedFeed
    from myquant.session.recording_loop import Recorded
    from myquant.session.recovery import Hashes, Recovered
    from myquant.session.simulated import SimulatedOrders
    from myquant.session.taking_up import TakenUp
    from myquant.ticks.source import TickSource

BROKERS: Final = ("angelone",)


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
    """What a paper session is to be. `symbols`: trading symbols; `environ`: where the broker's secrets are."""

    broker: str
    symbols: tuple[str, ...]
    loaded: LoadedConfig
    strategy: LoadedStrategy
    folder: Path
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Opened:
    """A session that is about to begin: for the review.

    Attributes:
        notes: what the broker's instrument master says other than the contract book.
        recovered: what was taken up of an earlier process; None: the session is new.
    """

    facts: SessionFacts
    loaded: LoadedConfig
    folder: Path
    notes: tuple[str, ...]
    recovered: "Recovered | None"


@dataclass(frozen=True)
class Left:
    """What a session left: its record (None: no usable tick came), where, and with which exit code.

    `is_over`: its day has ended; else it can be gone on with.
    """

    record: RunRecord | None
    folder: Path
    exit_code: int
    is_over: bool


def today(zone: str) -> date:
    """Return the date of the wall clock in a time zone."""
    return datetime.now(UTC).astimezone(ZoneInfo(zone)).date()


def paper(plan: PaperPlan, review: Callable[[Opened], None]) -> Left:
    """Run a paper session till its day is over or it is told to stop. `review` is called before it begins.

    Raises MyquantError: wrong configuration, a broker that refuses, a journal that can't be taken up or written.
    """
    from myquant.session.loop import signals_as_before  # noqa: PLC0415  (only sessions need it)

    with signals_as_before():
        left: Left = run_loop(_paper(plan, review))
    return left


async def _paper(plan: PaperPlan, review: Callable[[Opened], None]) -> Left:
    from myquant.brokers.angelone.opening import credentials, open_account  # noqa: PLC0415  (only sessions need it)
    from myquant.brokers.http import Http  # noqa: PLC0415  (likewise)
    from myquant.brokers.secrets import Redactor  # noqa: PLC0415  (likewise)

    if plan.broker not in BROKERS:
        raise ConfigError(f"--broker {plan.broker}: not known; one of {', '.join(BROKERS)}")
    config = plan.loaded.config
    account_secrets = credentials(plan.environ)
    redactor = Redactor(account_secrets.secrets())
    async with Http(redactor) as http:
        cache, on = cache_folder() / plan.broker, today(config.session.timezone)
        account = await open_account(http, config, plan.symbols, account_secrets, cache=cache, today=on)
        facts = _facts(plan, account)
        if archive.is_session(plan.folder):
            earlier = archive.read(plan.folder)
            archive.refuse_another(plan.folder, earlier, facts, plan.loaded)
            facts = earlier
        else:
            archive.create(plan.folder, facts, plan.loaded, plan.strategy)
        return await _run_paper(plan, facts, account, redactor, review)


def _facts(plan: PaperPlan, account: "OpenAccount") -> SessionFacts:
    strategy = plan.strategy
    file = None
    if strategy.path is not None:
        file = strategy.path.name + (f":{strategy.entry_name}" if strategy.entry_name else "")
    return SessionFacts(
        kind="paper",
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


async def _run_paper(
    plan: PaperPlan,
    facts: SessionFacts,
    account: "OpenAccount",
    redactor: "Redactor",
    review: Callable[[Opened], None],
) -> Left:
    from myquant.journal.disk import DISK  # noqa: PLC0415  (only sessions need it)
    from myquant.session import taking_up  # noqa: PLC0415  (likewise)
    from myquant.session.pipeline import open_pipeline, open_session_log  # noqa: PLC0415  (likewise)
    from myquant.session.recovery import Hashes  # noqa: PLC0415  (likewise)
    from myquant.session.simulated import SimulatedOrders  # noqa: PLC0415  (likewise)

    config, folder = plan.loaded.config, plan.folder
    engine = facts.engine(plan.loaded, plan.strategy)
    orders = SimulatedOrders(engine)
    hashes = Hashes(facts.engine_hash, facts.config_hash)
    records = taking_up.segment_records_of(config.journal.segment_mib)
    taken = taking_up.take_up(folder, engine, orders, hashes, key=facts.key, segment_records=records, disk=DISK)
    log = open_session_log(folder, config, redactor, facts.name)
    with ExitStack() as closing:
        closing.callback(log.close)
        closing.callback(taken.journal.close)
        review(Opened(facts, plan.loaded, folder, account.notes, taken.recovered))
        pipeline = open_pipeline(folder, config, facts.symbols, log)
        if pipeline is not None:
            closing.callback(pipeline.close)
        session = _Session(plan, taken, hashes, orders, account, log, pipeline)
        code = await session.run()
        return Left(session.end(), folder, code, session.loop.is_over)


class _Session:
    """One paper session, wired."""

    def __init__(
        self,
        plan: PaperPlan,
        taken: "TakenUp",
        hashes: "Hashes",
        orders: "SimulatedOrders",
        account: "OpenAccount",
        log: "SessionLog | AsyncLog",
        pipeline: "Pipeline | None",
    ) -> None:
        from myquant.session.feeding import feed_of  # noqa: PLC0415  (only sessions need it)
        from myquant.session.hours import hours_of  # noqa: PLC0415  (likewise)
        from myquant.session.loop import SessionLoop  # noqa: PLC0415  (likewise)
        from myquant.session.supervisor import Supervisor  # noqa: PLC0415  (likewise)

        config = plan.loaded.config
        self._plan, self._taken, self._hashes, self._orders = plan, taken, hashes, orders
        self._clock = MachineClock()
        engine, recovered = taken.runner.engine, taken.recovered
        decoders = account.decoders(
            zone_offset_ns(config.session.timezone), int(config.feed.max_clock_jump_s * SECOND_NS)
        )
        if recovered is not None:
            _recall(decoders, recovered)
        exchange_clock = ExchangeClock(
            self._clock,
            lambda: latest_of(decoder.clock() for decoder in decoders),
            recovered.offset_ns if recovered is not None else None,
        )
        self.supervisor = Supervisor(
            taken.runner,
            taken.journal,
            decoders,
            self._clock,
            exchange_clock,
            log,
            save=self._save,
            snapshot_interval_ns=config.journal.snapshot_interval_s * SECOND_NS,
            durable_orders=config.journal.durability == "power",
            pipeline=pipeline,
        )
        hours = hours_of(engine)
        on_stop = config.execution.on_stop == "flatten"
        self.loop = SessionLoop(
            self.supervisor, plan.folder, "paper", hours, flatten_on_stop=on_stop, hide=account.client.redactor.keep
        )
        self.feed = feed_of(account, config, cache_folder() / plan.broker, plan.environ, self.loop)

    async def run(self) -> int:
        """Run till the day is over or a stop is asked for; return the exit code."""
        return await self.loop.run(self.feed)

    def end(self) -> RunRecord | None:
        """Close the books: last marks when the day is over, the state on disk, the results written."""
        from myquant.results.write import write_results  # noqa: PLC0415  (only the end needs it)
        from myquant.session.ending import end_data, session_record  # noqa: PLC0415  (likewise)

        folder, config = self._plan.folder, self._plan.loaded.config
        runner, code = self._taken.runner, self.supervisor.stopping or 0
        if self.loop.is_over:
            end_data(runner, close=config.execution.close_at_end)
        self.supervisor.save()
        self.supervisor.stopped(code)
        self._taken.journal.sync()
        record = session_record(folder, runner.engine)
        try:
            if record is not None:
                place, results = folder / archive.RESULTS, config.results
                write_results(record, place, report=results.report, excel=results.excel)
            if self.loop.is_over:
                archive.end(folder, code)
        except MyquantError as error:
            if not code:
                raise
            self.supervisor.note_error("the results can't be written", error)  # why it stopped matters more
        return record

    def _save(self) -> None:
        from myquant.journal.disk import DISK  # noqa: PLC0415  (only sessions need it)
        from myquant.session.recovery import save  # noqa: PLC0415  (likewise)

        taken = self._taken
        save(taken.runner.engine, self._orders, taken.journal, self._plan.folder, self._hashes, self._clock, DISK)


@dataclass(frozen=True)
class RecordPlan:
    """What is to be recorded: trading symbols of a broker's feed into a folder; `environ` as in `PaperPlan`."""

    broker: str
    symbols: tuple[str, ...]
    config: Config
    folder: Path
    environ: Mapping[str, str]


async def record(plan: RecordPlan, tell: Callable[[str], None]) -> "Recorded":
    """Record ticks without trading till a signal comes, or all contracts have expired. `tell` takes lines for people.

    Raises MyquantError: wrong configuration, a broker that refuses, a folder that can't be written or is in use.
    """
    from myquant.brokers.angelone.opening import credentials, open_account  # noqa: PLC0415  (only recorders need it)
    from myquant.brokers.http import Http  # noqa: PLC0415  (likewise)
    from myquant.brokers.secrets import Redactor  # noqa: PLC0415  (likewise)
    from myquant.journal.disk import DISK  # noqa: PLC0415  (likewise)
    from myquant.session.recording import Recording  # noqa: PLC0415  (likewise)
    from myquant.session.recording_feed import OpenDay  # noqa: PLC0415  (likewise)
    from myquant.session.recording_loop import RecordingLoop  # noqa: PLC0415  (likewise)

    if plan.broker not in BROKERS:
        raise ConfigError(f"--broker {plan.broker}: not known; one of {', '.join(BROKERS)}")
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
                on_text=lambda connection, text: day.tell(f"feed, connection {connection}: {text}"),
                on_slow=lambda late_ns: day.tell(f"the loop was {late_ns // 10**6} ms late"),
                expects_data=day.expects_data,
            )

        return OpenDay(names, account.notes, account.decoders(offset_ns, jump_ns), feed)

    recording = Recording(plan.folder, offset_ns, DISK)
    try:
        async with Http(redactor) as http:
            return await RecordingLoop(recording, plan.symbols, open_day, config, MachineClock(), tell).run()
    finally:
        recording.close()


def _recall(decoders: "Sequence[FrameDecoder]", recovered: "Recovered") -> None:
    """Let each connection's decoder go on from the last input of its instruments."""
    for who, last in recovered.last_inputs.items():
        for decoder in decoders:
            if who in decoder.tokens.rows:
                decoder.recall(last)
