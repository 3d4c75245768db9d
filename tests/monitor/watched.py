"""Sessions to watch: folders with a journal, made without a broker."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from laws.driver import settings
from myquant.journal import record
from myquant.journal.record import NOTE, NOTE_VALUES, Note
from myquant.journal.writer import JournalWriter
from myquant.monitor.view import SessionView
from myquant.session import archive
from myquant.session.archive import SessionFacts

SECOND_NS = 10**9
BEGAN_NS = 1_759_463_100 * SECOND_NS  # 2025-10-03 03:45 UTC


def facts_of(name: str = "monday", symbols: tuple[str, ...] = ("NIFTY",), config_hash: str = "0" * 64) -> SessionFacts:
    return SessionFacts(
        kind="paper",
        name=name,
        broker="angelone",
        symbols=symbols,
        exchanges=(None,) * len(symbols),
        listed=((75, 5),) * len(symbols),
        strategy="default",
        strategy_file=None,
        config_hash=config_hash,
        engine_hash="1" * 64,
        key=4711,
        created="2025-10-03T03:00:00+00:00",
    )


def put_session(folder: Path, values: Mapping[str, Any] | None = None, **facts: Any) -> Path:
    """Write what a session's folder has beside its journal."""
    loaded = settings(values or {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / archive.CONFIG).write_text(loaded.to_toml(), encoding="utf-8")
    archive._write_facts(folder, replace(facts_of(folder.name, config_hash=loaded.hash), **facts))
    return folder


def view_of(
    folder: Path, values: Mapping[str, Any] | None = None, symbols: tuple[str, ...] = ("NIFTY",)
) -> SessionView:
    return SessionView(folder.name, folder, "paper", symbols, "default", settings(values or {}), "1" * 64)


def note(kind: int, code: int = 0, *values: int, number: int = 0, wall_ns: int = BEGAN_NS, mono_ns: int = 0) -> Note:
    padded = (*values, *[0] * (NOTE_VALUES - len(values)))
    return Note(kind, code, number, wall_ns, mono_ns or wall_ns, padded)  # type: ignore[arg-type]


def begun(folder: Path, pid: int, *, segment_records: int = 512, wall_ns: int = BEGAN_NS) -> JournalWriter:
    """Begin a journal as a session's process does."""
    journal = JournalWriter.create(folder, key=4711, segment_records=segment_records)
    mono_ns = time.monotonic_ns() - (time.time_ns() - wall_ns)
    journal.append(NOTE, note(record.STARTED, 0, pid, wall_ns=wall_ns, mono_ns=mono_ns))
    return journal
