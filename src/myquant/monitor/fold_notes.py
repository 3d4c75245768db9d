"""What a session says of itself, taken into its view."""

from typing import Final

from myquant.brokers import packets
from myquant.core import codes
from myquant.journal import record
from myquant.journal.record import Holding, Ledger, Note, Telemetry
from myquant.monitor.news import NewsDesk
from myquant.monitor.view import ProcessView, SessionView

FLATTEN: Final = "flatten"  # what halts entries that is none of `codes.HALT_NAMES`


def take_note(view: SessionView, note: Note, number: int, desk: NewsDesk) -> None:
    """Take a note; one of a kind that is not known here says nothing."""
    if note.kind == record.STARTED:
        _start(view, note)
    elif note.kind == record.STOPPED:
        view.stopped_code = note.code
        desk.left(note.code, number, note.wall_ns)
    elif note.kind == record.BEAT:
        _take_beat(view, note)
    elif note.kind == record.FEED:
        if note.instrument > 0:
            view.connections[note.instrument] = note.code == codes.FEED_HEALTHY
    elif note.kind == record.COUNTS:
        _take_counts(view, note)
    elif note.kind == record.TELEMETRY:
        view.telemetry, view.telemetry_wall_ns = Telemetry._make(note.values), note.wall_ns
    elif note.kind == record.LEDGER:
        _take_ledger(view, note)
    elif note.kind == record.POSITION and 0 <= note.instrument < len(view.instruments):
        view.instruments[note.instrument].holding = Holding._make(note.values)
    view.written_wall_ns = max(view.written_wall_ns or 0, note.wall_ns)


def set_halt(view: SessionView, name: str, wall_ns: int) -> None:
    """Note what halts entries, and since when. Whoever lifts that has seen to what the broker's books had."""
    if view.halt and not name:
        view.differences = [each for each in view.differences if each.wall_ns > wall_ns]
    if name != view.halt:
        view.halt, view.halt_since_ns = name, wall_ns if name else None


def _start(view: SessionView, note: Note) -> None:
    """Take a process that begins or goes on with the session: what the one before it said holds no more."""
    view.process = ProcessView(note.values[0], note.wall_ns, note.monotonic_ns or None, is_unseen=True)
    view.starts += 1
    view.began_wall_ns = view.began_wall_ns or note.wall_ns
    view.stopped_code = None
    view.beat_wall_ns = view.beat_mono_ns = view.exchange_ns = view.records_left = view.packet_mono_ns = None
    view.telemetry = view.telemetry_wall_ns = view.ledger = None
    view.frames = 0
    for each in view.instruments:
        each.holding = None
    if view.order_channel_wall_ns < note.wall_ns:  # else the log was read sooner than the journal
        view.order_channel_up = None
    view.feed_stale, view.feed_since_ns, view.feed_since_mono_ns = True, note.wall_ns, note.monotonic_ns
    view.connections.clear()
    view.unused_before, view.unused_now = view.unused_before + view.unused_now, type(view.unused_now)()


def _take_beat(view: SessionView, note: Note) -> None:
    frames, _, _, arrived_ns, left, exchange_ns, *_ = note.values
    view.beat_wall_ns, view.beat_mono_ns = note.wall_ns, note.monotonic_ns
    view.frames, view.records_left = frames, left
    view.exchange_ns = exchange_ns or None
    view.feed_stale = note.code == codes.FEED_IS_STALE
    if arrived_ns > 0:
        view.packet_mono_ns = max(view.packet_mono_ns or 0, arrived_ns)


def _take_counts(view: SessionView, note: Note) -> None:
    """Take how many packets of each reason were not used so far, by the present process."""
    for place, count in enumerate(note.values, note.code):
        name = packets.REASON_NAMES.get(place)
        if name is not None and count:
            view.unused_now[name] = count
    view.ticks_unused = view.unused_before + view.unused_now


def _take_ledger(view: SessionView, note: Note) -> None:
    ledger = view.ledger = Ledger._make(note.values)
    name = codes.HALT_NAMES.get(note.code, FLATTEN) if note.code else ""
    if not name and ledger.day_stopped:
        name = codes.HALT_NAMES[codes.BY_DAY_LOSS]
    set_halt(view, name, note.wall_ns)
