"""The faults of the stream: what they do to a day's rows and to the bytes of a packet.

Each fault draws from a generator of its own, seeded by the faults' seed and the fault's number, so that a fault picks
the same ticks whether others are asked for or not, as long as none of them adds rows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from myquant.lab.angelone.day import Day, Rows
from myquant.lab.angelone.faults import KINDS, Faults
from myquant.lab.angelone.packet import binary_frame, frames, in_mode
from myquant.ticks.generate import SECOND_NS

CODES: Final = {name: code for code, name in enumerate(KINDS, start=1)}  # what a row's `fault` says
NAMES: Final = {code: name for name, code in CODES.items()}
NO_TOKEN: Final = b"77"  # in front of a token; nothing that is listed begins so
CHANGED_MAX: Final = 8  # bytes of a corrupt packet

Mask: TypeAlias = NDArray[np.bool_]


def disturbed(day: Day, faults: Faults) -> Day:
    """Return the day with the faults of the stream in it."""
    wanted = [name for name in CHANGES if getattr(faults, name) is not None]
    if not wanted:
        return day
    rows = day.rows.copy()
    for name in wanted:
        rows = CHANGES[name](rows, day, getattr(faults, name), np.random.default_rng([faults.seed, CODES[name]]))
    return replace(day, rows=rows)


def frames_of(day: Day, rows: Rows, first: int, mode: int, seed: int) -> list[bytes]:
    """Return the frames of the rows from place `first` of the day on, in a mode; empty: nothing is sent."""
    packets = day.packets(rows)
    found = frames(packets, mode)
    for at in np.flatnonzero(rows["fault"]):
        name = NAMES[int(rows["fault"][at])]
        if name == "gap":
            found[at] = b""
        elif name in PATCHES:
            rng = np.random.default_rng([seed, CODES[name], first + int(at)])
            found[at] = binary_frame(PATCHES[name](in_mode(packets[at : at + 1], mode)[0].tobytes(), rng))
    return found


def _picked(rows: Rows, day: Day, code: int, share: float, rng: np.random.Generator) -> Mask:
    """Pick some ticks of contracts that have no fault yet, and mark them."""
    drawn = rng.random(len(rows)) < share
    picked: Mask = drawn & (rows["fault"] == 0) & ~day.static["is_index"][rows["who"]]
    rows["fault"][picked] = code
    return picked


def _stretch(rows: Rows, day: Day, after: int, seconds: float) -> Mask:
    """Return which rows of contracts fall into the seconds that begin with row `after`."""
    begins_ns = int(rows["due_ns"][min(after, len(rows) - 1)])
    inside = (np.arange(len(rows)) >= after) & (rows["due_ns"] < begins_ns + round(seconds * SECOND_NS))
    found: Mask = inside & ~day.static["is_index"][rows["who"]]
    return found


def _burst(rows: Rows, day: Day, fault: Any, _rng: np.random.Generator) -> Rows:
    more = np.where(_stretch(rows, day, fault.after, fault.seconds), max(fault.times, 1) - 1, 0)
    added = np.zeros(len(rows), np.int64)  # units that each tick adds to the volume of the day
    for who in np.unique(rows["who"]):
        of_who = rows["who"] == who
        added[of_who] = np.diff(rows["volume"][of_who], prepend=0)
    is_more = np.ones(len(rows) + int(more.sum()), bool)
    is_more[np.cumsum(more + 1) - more - 1] = False
    rows = np.repeat(rows, more + 1)
    added = np.repeat(added, more + 1)
    for who in np.unique(rows["who"]):
        of_who = rows["who"] == who
        rows["volume"][of_who] = np.cumsum(added[of_who])
    rows["fault"][is_more] = CODES["burst"]
    rows["sequence"] = np.where(rows["sequence"] > 0, np.arange(1, len(rows) + 1), 0)
    return rows


def _gap(rows: Rows, day: Day, fault: Any, _rng: np.random.Generator) -> Rows:
    rows["fault"][_stretch(rows, day, fault.after, fault.seconds)] = CODES["gap"]
    return rows


def _clock_jump(rows: Rows, day: Day, fault: Any, _rng: np.random.Generator) -> Rows:
    of_contract = np.flatnonzero(~day.static["is_index"][rows["who"]])
    first = of_contract[of_contract >= fault.after][:1]
    jumps = np.arange(len(rows)) >= first if fault.lasting and len(first) else np.isin(np.arange(len(rows)), first)
    rows["exchange_ms"][jumps] += round(fault.seconds * 1000)
    rows["traded_s"][jumps] += round(fault.seconds)
    rows["fault"][first] = CODES["clock_jump"]
    return rows


def _crossed(rows: Rows, day: Day, fault: Any, rng: np.random.Generator) -> Rows:
    picked = _picked(rows, day, CODES["crossed"], fault.share, rng)
    tick = day.static["tick"][rows["who"][picked]]
    price = rows["price"][picked]
    rows["bid"][picked], rows["ask"][picked] = price + tick, np.maximum(price - tick, 1)
    return rows


def _spike(rows: Rows, day: Day, fault: Any, rng: np.random.Generator) -> Rows:
    picked = _picked(rows, day, CODES["spike"], fault.share, rng)
    static = day.static[rows["who"][picked]]
    moved = rows["price"][picked] * round(100 + fault.percent) // 100
    on_grid = np.maximum(moved // static["tick"] * static["tick"], static["tick"])
    rows["price"][picked] = np.clip(on_grid, static["lower"], static["upper"])
    return rows


def _spike_outside(rows: Rows, day: Day, fault: Any, rng: np.random.Generator) -> Rows:
    picked = _picked(rows, day, CODES["spike_outside"], fault.share, rng)
    static = day.static[rows["who"][picked]]
    rows["price"][picked] = static["upper"] + static["tick"]
    return rows


def _marked(name: str) -> "Change":
    """Return the change that marks some ticks; their bytes are changed when they are sent."""

    def change(rows: Rows, day: Day, fault: Any, rng: np.random.Generator) -> Rows:
        _picked(rows, day, CODES[name], fault.share, rng)
        return rows

    return change


def _duplicate(rows: Rows, day: Day, fault: Any, rng: np.random.Generator) -> Rows:
    picked = _picked(rows, day, CODES["duplicate"], fault.share, rng)
    rows["fault"][picked] = 0  # it is the second one that is wrong
    rows = np.repeat(rows, picked + 1)
    rows["fault"][np.flatnonzero(picked) + np.arange(1, picked.sum() + 1)] = CODES["duplicate"]
    return rows


def _out_of_order(rows: Rows, day: Day, fault: Any, rng: np.random.Generator) -> Rows:
    picked = _picked(rows, day, CODES["out_of_order"], fault.share, rng)
    place = np.arange(len(rows)) + np.where(picked, fault.by + 0.5, 0.0)
    rows = rows[np.argsort(place, kind="stable")]
    rows["due_ns"] = np.maximum.accumulate(rows["due_ns"])
    return rows


def _with_bytes_changed(payload: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(payload)
    for at in rng.integers(0, len(payload), int(rng.integers(1, CHANGED_MAX + 1))):
        changed[at] ^= int(rng.integers(1, 256))
    return bytes(changed)


def _with_wrong_exchange(payload: bytes, _rng: np.random.Generator) -> bytes:
    return payload[:1] + bytes((payload[1] % 5 + 1,)) + payload[2:]


def _with_wrong_token(payload: bytes, _rng: np.random.Generator) -> bytes:
    return payload[:2] + (NO_TOKEN + payload[2:27])[:25] + payload[27:]


Change: TypeAlias = Callable[[Rows, Day, Any, np.random.Generator], Rows]
Patch: TypeAlias = Callable[[bytes, np.random.Generator], bytes]

PATCHES: Final[dict[str, Patch]] = {
    "corrupt": _with_bytes_changed,
    "truncate": lambda payload, rng: payload[: int(rng.integers(0, len(payload)))],
    "wrong_token": _with_wrong_token,
    "wrong_exchange": _with_wrong_exchange,
}
CHANGES: Final[dict[str, Change]] = {
    "burst": _burst,  # first, as it adds rows
    "clock_jump": _clock_jump,
    "gap": _gap,
    "crossed": _crossed,
    "spike": _spike,
    "spike_outside": _spike_outside,
    **{name: _marked(name) for name in PATCHES},
    "duplicate": _duplicate,
    "out_of_order": _out_of_order,
}
