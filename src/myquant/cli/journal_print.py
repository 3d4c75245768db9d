"""What `myquant journal` prints."""

import json
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from myquant.cli.output import NOTHING, counts
from myquant.cli.tick_files import refuse_existing
from myquant.errors import JournalError
from myquant.journal.check import verify
from myquant.journal.columns import NAMED_NOTES, tables
from myquant.journal.cut import cut
from myquant.journal.export import export
from myquant.journal.reader import JournalReader
from myquant.journal.record import HOLDS_NAMES, NOTE
from myquant.journal.segment import Rows
from myquant.journal.statistics import statistics
from myquant.results.text import counted

POLL_S: Final = 0.1
_HEAD: Final = ("number", "holds", "kind")


def print_records(
    folder: Path, kinds: Sequence[str], *, first: int, limit: int | None, follow: bool, as_json: bool
) -> None:
    """Print records from number `first` on. Raises JournalError behind the last sound one where there is damage."""
    reader = JournalReader(folder)
    if HOLDS_NAMES[NOTE] in kinds:  # they are among the notes
        kinds = [kind for kind in kinds if kind not in NAMED_NOTES]
    blocks = _following(reader, first) if follow else reader.blocks(first)
    printed = 0
    for record in islice(chain.from_iterable(_records(block, kinds) for block in blocks), limit):
        print(json.dumps(record) if as_json else _line(record), flush=follow)
        printed += 1
    if limit is None or printed < limit:
        reader.end().refuse_damage()


def print_findings(folder: Path) -> None:
    """Print how far a journal is sound; raise JournalError with a line for each finding."""
    found = verify(folder)
    for remark in found.remarks:
        print(remark)
    held = f"{counted(found.inputs, 'input')}, {counted(found.commands, 'command')}"
    print(f"{folder}: last sound record {found.last} ({held}), {counted(found.snapshots, 'sound snapshot')}")
    if found.damage:
        raise JournalError("\n".join(found.damage))


def cut_journal(folder: Path, after: int) -> None:
    """Cut a damaged journal behind its last sound record, and print where the rest is kept."""
    done = cut(folder, after)
    print(f"{folder}: ends with record {done.last}; the segments as they were are in {done.kept}")


def print_statistics(folder: Path, *, as_json: bool) -> None:
    """Print how much a journal holds. Raises JournalError where it is damaged, after what is sound."""
    found = statistics(folder)
    if as_json:
        named = {name.removesuffix("_ns"): value for name, value in found._asdict().items() if name.endswith("_ns")}
        times = {f"{name}_time": _time(value) for name, value in named.items()}
        figures = found._asdict() | {"last_record": found.end.last, "end": found.end.what} | times
        print(json.dumps(figures, indent=2))
    else:
        rate = NOTHING if found.records_per_s is None else f"{found.records_per_s:,.1f}"
        lines = {
            "Records": f"{found.end.last:,} ({counts(found.records) or NOTHING})",
            "Inputs": counts(found.inputs) or NOTHING,
            "Commands": counts(found.commands) or NOTHING,
            "Notes": counts(found.notes) or NOTHING,
            "Exchange": f"{_span(found.first_ns, found.last_ns)} (its clock, of ticks and quotes)",
            "Arrived": f"{_span(found.first_arrived_ns, found.last_arrived_ns)} (this machine's clock)",
            "Per second": f"{rate} (this machine's clock)",
            "Bytes": f"{found.record_bytes:,} in {counted(found.segments, 'segment')}",
            "Snapshots": f"{found.snapshots:,}",
            "Behind them": found.end.text or "nothing",
        }
        for name, text in lines.items():
            print(f"  {name:<12}  {text}")
    found.end.refuse_damage()


def export_records(folder: Path, target: Path, kind: str, *, force: bool) -> None:
    """Write a table and print its size. Raises JournalError where the journal is damaged, after what is sound."""
    refuse_existing(target, force=force)
    done = export(folder, target, kind)
    print(f"{target}: {counted(done.rows, 'record')} of kind {kind}")
    done.end.refuse_damage()


def _following(reader: JournalReader, first: int) -> Iterator[Rows]:
    """Yield what is there, and then for ever what comes. Raises JournalError where damage keeps anything from coming."""
    for block in reader.blocks(first):
        yield block
        first += len(block)
    reader.end(first - 1).refuse_damage()
    reader.next = first
    yield from reader.follow(lambda: time.sleep(POLL_S))


def _records(block: Rows, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of some kinds in their order, as names and values."""
    found: list[dict[str, Any]] = []
    for holds, made in chain.from_iterable(tables(block, kind) for kind in kinds):
        values = zip(*map(_plain, made.values()), strict=True)
        found += [{"number": row[0], "holds": holds, **dict(zip(made, row, strict=True))} for row in values]
    yield from sorted(found, key=lambda record: record["number"])


def _plain(values: NDArray[Any]) -> list[Any]:
    """Return values that JSON knows: times as text, None where there is none."""
    if values.dtype.kind != "M":
        return values.tolist()  # type: ignore[no-any-return]
    return [None if text == "NaT" else f"{text}Z" for text in np.datetime_as_string(values).tolist()]


def _line(record: dict[str, Any]) -> str:
    """Return a record in one line; a time stands for the ns beside it."""
    head = " ".join(str(record[name]) for name in _HEAD if name in record)
    fields = (
        f"{name}={value}"
        for name, value in record.items()
        if (value or name == "instrument")
        and name not in _HEAD
        and name.removesuffix("_ns") not in set(record) - {name}
    )
    return " ".join([head, *fields])


def _time(time_ns: int) -> str | None:
    return f"{np.datetime64(time_ns, 'ns')}Z" if time_ns else None


def _span(first_ns: int, last_ns: int) -> str:
    return f"{_time(first_ns)} to {_time(last_ns)}" if first_ns else NOTHING
