"""The folder of a session: what it was made from, kept beside its journal so that it can be recovered and replayed.

session.json    what it is: symbols, hashes, the journal's key
config.toml     the effective configuration
strategy/       a user's strategy file, if there is one
market/         the market's tables as they were
journal/        the journal's segments
snapshots/      the state from time to time
results/        what a run leaves behind, written when the session ends
"""

import errno
import json
import os
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import myquant
from myquant.config.layers import read_toml
from myquant.config.loading import LoadedConfig, diff, load_config
from myquant.config.trading import PLACES
from myquant.errors import ConfigError, DataError, JournalError, cannot_write
from myquant.journal.disk import DISK, let_go
from myquant.journal.lock import take_lock
from myquant.journal.reader import JournalReader
from myquant.journal.segment import FOLDER as JOURNAL
from myquant.journal.writer import has_journal
from myquant.session.engine import Engine
from myquant.strategies.loading import LoadedStrategy, load_strategy
from myquant.ticks.batch import InstrumentName

MARK: Final = "session.json"  # a folder of a session has it
CONFIG: Final = "config.toml"
RESULTS: Final = "results"
FORMAT: Final = 1
ELSEWHERE: Final = "choose another name with --session"
_TABLES: Final = Path(myquant.__file__).parent / "market" / "data"


@dataclass(frozen=True)
class SessionFacts:
    """What session.json says.

    `key` heads the journal's checksums and the tags of orders; `ended`: the exit code with which the session's last day
    ended, None while it can still go on; `moved`: the addresses (`config.trading.PLACES`) that its last start used where
    they are other than in config.toml.
    """

    kind: str
    name: str
    broker: str
    symbols: tuple[str, ...]
    exchanges: tuple[str | None, ...]
    listed: tuple[tuple[int, int], ...]  # lot size and tick size (paise) of each instrument, as the broker lists it
    strategy: str
    strategy_file: str | None  # name in `strategy/`, with `:Name` where the file holds several
    config_hash: str
    engine_hash: str
    key: int
    created: str  # UTC, ISO 8601
    version: str = myquant.__version__
    ended: int | None = None
    moved: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def instruments(self) -> tuple[InstrumentName, ...]:
        """The instruments, in the order of the journal's numbers."""
        return tuple(map(InstrumentName, self.symbols, self.exchanges))

    def engine(self, loaded: LoadedConfig, strategy: LoadedStrategy) -> Engine:
        """Return a new engine for this session."""
        engine = Engine(loaded, strategy, self.instruments)
        engine.listed = dict(enumerate(self.listed))
        return engine


def is_session(folder: Path) -> bool:
    """Return whether a folder is one of a session."""
    return (folder / MARK).is_file()


def create(folder: Path, facts: SessionFacts, loaded: LoadedConfig, strategy: LoadedStrategy) -> None:
    """Make the folder of a new session, the whole of it or nothing. Raises ConfigError where there is something else."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        (draft / CONFIG).write_text(loaded.to_toml(), encoding="utf-8")
        for name, content in strategy.files.items():
            path = draft / "strategy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        shutil.copytree(_TABLES, draft / "market")
        _write_facts(draft, facts)
        draft.replace(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if error.errno == errno.ENOTEMPTY:
            raise ConfigError(f"{folder}: is not empty and no folder of a session: {ELSEWHERE}") from None
        raise cannot_write(folder, error, ELSEWHERE) from error


def remove_unbegun(folder: Path) -> None:
    """Remove the folder of a session that was refused, unless another process has taken it up meanwhile."""
    try:
        (folder / JOURNAL).mkdir(exist_ok=True)
        lock = take_lock(folder, DISK)
    except (OSError, JournalError):  # somebody writes there
        return
    try:
        if not has_journal(folder) or JournalReader(folder).end().last == 0:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        let_go(DISK, lock)


def read(folder: Path) -> SessionFacts:
    """Return what session.json says. Raises ConfigError where there is none, DataError where it can't be understood."""
    try:
        text = (folder / MARK).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{folder}: no session is there ({MARK} is missing); `myquant runs` lists them") from None
    except OSError as error:
        raise ConfigError(f"{folder / MARK}: can't be read ({error.strerror})") from None
    try:
        table: dict[str, Any] = json.loads(text)
        if table.get("format") != FORMAT:
            raise DataError(f"{folder / MARK}: format {table.get('format')}, this version reads {FORMAT}")
        lists = {name: tuple(table[name]) for name in ("symbols", "exchanges")}
        lists["listed"] = tuple((int(lot), int(tick)) for lot, tick in table["listed"])
        return SessionFacts(**{**table, **lists})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{folder / MARK}: damaged ({error}); restore it from a copy") from None


def end(folder: Path, exit_code: int) -> None:
    """Note that the session is over. Raises MyquantError where that can't be written."""
    facts = read(folder)
    try:
        _write_facts(folder, replace(facts, ended=exit_code))
    except OSError as error:
        raise cannot_write(folder / MARK, error, "start the session again, which ends it") from error


def _write_facts(folder: Path, facts: SessionFacts) -> None:
    draft = folder / f".{MARK}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(folder / MARK)


def archived_strategy(folder: Path, facts: SessionFacts) -> LoadedStrategy:
    """Load the strategy that a session was made with, from its own copy."""
    return load_strategy(None if facts.strategy_file is None else folder / "strategy" / facts.strategy_file)


def archived_config(folder: Path, strategy: LoadedStrategy) -> LoadedConfig:
    """Load the configuration that a session was made with. Raises DataError where it has been changed."""
    own = {} if strategy.model is None else {strategy.section: strategy.model}
    loaded = load_config(files=[folder / CONFIG], sections=own)
    if loaded.hash != read(folder).config_hash:
        raise DataError(f"{folder / CONFIG}: not the configuration of this session any more; restore it from a copy")
    return loaded


def refuse_another(folder: Path, facts: SessionFacts, wanted: SessionFacts, loaded: LoadedConfig) -> None:
    """Raise ConfigError where a session that is there can't be gone on with as asked, naming what differs."""
    if facts.ended is not None:
        raise ConfigError(f"{folder}: this session has ended; {ELSEWHERE}")
    for name, what in (("kind", "kind"), ("broker", "broker"), ("symbols", "symbols"), ("strategy", "strategy")):
        was, now = getattr(facts, name), getattr(wanted, name)
        if was != now:
            raise ConfigError(f"{folder}: a session of {what} {_text(was)} is there, not {_text(now)}; {ELSEWHERE}")
    if facts.config_hash != wanted.config_hash and (changes := _changes(folder, facts, loaded)):
        raise ConfigError(f"{folder}: a session of another configuration is there: {changes}; {ELSEWHERE}")
    if facts.engine_hash != wanted.engine_hash:
        raise ConfigError(
            f"{folder}: a session of another engine is there (myquant {facts.version} or another strategy file), whose"
            f" state this one can't take up; {ELSEWHERE}"
        )


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _changes(folder: Path, facts: SessionFacts, loaded: LoadedConfig) -> str:
    """Return what differs from the archived configuration and decides, a few of it; empty: nothing, but for addresses."""
    before = config_of(folder, loaded)
    if before.hash != facts.config_hash:
        return f"its {CONFIG} is not as it was made"
    decisive = [each for each in diff(before, loaded) if each[0] not in PLACES or _is_another_service(*each)]
    changes = [f"{name} was {was}, is {now}" for name, was, now in decisive]
    return "; ".join(changes[:5]) + (f" and {len(changes) - 5} more" if len(changes) > 5 else "")


def _is_another_service(name: str, was: str, now: str) -> bool:
    """Return whether a session would go from a lab on this machine to the real broker, or back, with what it holds."""
    from myquant.brokers.addresses import is_loopback  # noqa: PLC0415  (brings TLS along; a session that moves needs it)

    if not name.endswith("_url"):
        return False
    return is_loopback(urlsplit(was).hostname or "") != is_loopback(urlsplit(now).hostname or "")


def config_of(folder: Path, like: LoadedConfig) -> LoadedConfig:
    """Return a session's configuration, as far as its sections are those of `like`. Raises ConfigError."""
    known = {name.partition(".")[0] for name in like.values}
    table = {section: body for section, body in read_toml(folder / CONFIG).items() if section in known}
    return load_config(values=table, sections=loaded_models(like))


def move(folder: Path, loaded: LoadedConfig) -> None:
    """Note the addresses that a session goes on with. Raises MyquantError where that can't be written."""
    facts = read(folder)
    before = config_of(folder, loaded).values
    moved = {name: loaded.values[name] for name in PLACES if loaded.values[name] != before[name]}
    if moved == facts.moved:
        return
    try:
        _write_facts(folder, replace(facts, moved=moved))
    except OSError as error:
        raise cannot_write(folder / MARK, error, "see to the disk, then start the session again") from error


def moves(folder: Path, facts: SessionFacts, loaded: LoadedConfig) -> tuple[str, ...]:
    """Return the addresses that are other than at the last start, one line each."""
    before = config_of(folder, loaded).values | facts.moved
    return tuple(
        f"goes on with {name} = {loaded.values[name]}, before it was {before[name]}"
        for name in PLACES
        if loaded.values[name] != before[name]
    )


def account_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of the broker's section that a session's last start used. Raises MyquantError."""
    facts = read(folder)
    section = read_toml(folder / CONFIG).get("angelone", {})
    return {f"angelone.{key}": value for key, value in section.items()} | facts.moved


def loaded_models(loaded: LoadedConfig) -> dict[str, Any]:
    """Return the models of the sections that a strategy brought along."""
    return {name: type(section) for name, section in loaded.sections.items()}
