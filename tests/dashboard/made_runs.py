"""Folders of runs: finished ones, sessions and baselines, as the list and the comparison meet them."""

import ctypes
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from evidence.baselines import plain_config, saved
from myquant.config.loading import load_config
from myquant.dashboard.runs import RunBook
from myquant.dashboard.runs_read import RunContent, read_content
from myquant.results.write import write_results
from results.sample import TWO_POSITIONS, Held, make_record, rich_record
from session.sessions import LIMIT, day_inputs
from session.test_replay import archived

FACTS = {
    "format": 1,
    "kind": "paper",
    "name": "nifty",
    "symbols": ["NIFTY07OCT2524900CE"],
    "strategy": "default",
    "created": "2025-10-03T03:40:00+00:00",
    "config_hash": "c0ffee00" * 8,
    "engine_hash": "e" * 64,
    "ended": 0,
}


CAPABILITIES_3: Final = 0x20080522  # the version of capset(2) that is asked


def without_rights(work: Callable[[], object]) -> None:
    """Do something in a thread that may do only what its user may, be it root: capabilities are a thread's own."""
    failed: list[Exception] = []

    def drop_and_work() -> None:
        try:
            none = ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)())
            assert none == 0
            work()
        except Exception as error:  # noqa: BLE001  (raised again where it can be seen)
            failed.append(error)

    thread = threading.Thread(target=drop_and_work)
    thread.start()
    thread.join()
    for error in failed:
        raise error


def put_run(folder: Path, written_s: int = 0, *, settings: tuple[str, ...] = ()) -> Path:
    """Write the results of a rich run, with a report."""
    record = replace(rich_record(), config_toml=load_config(assignments=settings).to_toml())
    write_results(record, folder, report=True, excel=False)
    if written_s:
        os.utime(folder / "summary.json", (written_s, written_s))
    return folder


def put_trades(folder: Path, positions: tuple[Held, ...] = TWO_POSITIONS, **changes: Any) -> Path:
    """Write the results of a run with these positions."""
    write_results(make_record(positions, **changes), folder, report=False, excel=False)
    return folder


def put_facts(folder: Path, **changes: Any) -> Path:
    """Write a session's mark, and a journal without a segment."""
    (folder / "journal").mkdir(parents=True)
    (folder / "session.json").write_text(json.dumps({**FACTS, **changes}))
    return folder


def put_session(folder: Path) -> Path:
    """Write a session with a journal, that has left and has no results."""
    folder.parent.mkdir(exist_ok=True)
    return archived(folder, LIMIT, day_inputs(3, count=300))


def put_baseline(folder: Path, **how: Any) -> Path:
    """Write a baseline's report and its configuration."""
    report = saved(folder, **how)
    stamp = report.stem.removeprefix("baseline_report_")
    (folder / f"config_{stamp}.toml").write_text(plain_config().to_toml())
    return folder


def book_of(*directories: Path) -> RunBook:
    """Return the list of runs in some folders, of which no session runs."""
    book = RunBook(directories, is_running=lambda _: False)
    book.refresh()
    return book


def content_of(folder: Path) -> RunContent:
    """Read a run as the comparison does."""
    (row,) = (row for row in book_of(folder.parent).rows if row.folder == folder)
    return read_content(row.key, row.entry)
