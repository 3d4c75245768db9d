"""The days in one row: the bytes of a stretch, and what a client's decoder makes of them."""

import struct
from datetime import date
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.labs import DAY, OPEN_NS, OTHER, SYMBOL, small_day
from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.tokens import NO_INSTRUMENT, Token, TokenTable
from myquant.brokers.packets import ALIVE, CLOCK_JUMP, FIRST_PACKETS, HEARTBEATS, QUOTED, QUOTES, TICKED, TICKS
from myquant.core.records import Event
from myquant.journal.record import Origin
from myquant.lab.angelone.packet import PACKET_BYTES, SNAP_QUOTE
from myquant.lab.angelone.server import day_packets
from myquant.lab.angelone.tape import Stretch, Tape
from myquant.lab.market_day import MarketDay, market_day
from myquant.lab.market_days import generated_days
from myquant.ticks.batch import InstrumentName
from myquant.ticks.generate import SECOND_NS

LEAP_MS: Final = 100_000
JUMP_NS: Final = 120 * SECOND_NS  # feed.max_clock_jump_s, as it is by default
ZONE_OFFSET_NS: Final = 19_800 * SECOND_NS
SEQUENCE: Final = slice(27, 35)


def moved(ticks: MarketDay, day: date) -> MarketDay:
    shift_ns = (day - ticks.day).days * 86_400 * SECOND_NS
    names = [InstrumentName(known.symbol) for known in ticks.contracts]
    columns = (ticks.price, ticks.volume, ticks.bid, ticks.ask, ticks.instrument)
    return market_day(day, names, ticks.time_ns + shift_ns, *columns)


SMALL = small_day(90, (SYMBOL, OTHER))
TAPE = Tape([SMALL, moved(SMALL, date(2025, 10, 6)), moved(SMALL, date(2025, 10, 7))], LEAP_MS)


def payloads(content: bytes | memoryview) -> list[bytes]:
    """Return the payloads of frames, in whatever lengths they come."""
    whole, at, found = bytes(content), 0, []
    while at < len(whole):
        head, size = (2, whole[at + 1]) if whole[at + 1] < 126 else (4, int.from_bytes(whole[at + 2 : at + 4], "big"))
        found.append(whole[at + head : at + head + size])
        at += head + size
    return found


def row_of(stretch: Stretch, row: int) -> bytes:
    """Return what is sent with a row."""
    return bytes(stretch.content[stretch.ends[row - 1] if row else 0 : stretch.ends[row]])


def sequence_of(payload: bytes) -> int:
    return int.from_bytes(payload[SEQUENCE], "little")


def time_ms_of(payload: bytes) -> int:
    return int(struct.unpack_from("<q", payload, 35)[0])


def decoder_of(tape: Tape) -> FrameDecoder:
    tokens = [Token(each.exchange_type, each.token, who) for who, each in enumerate(tape.contracts)]
    indices = [Token(each.exchange_type, each.token, NO_INSTRUMENT) for each in tape.indices]
    return FrameDecoder(TokenTable([*indices, *tokens]), ZONE_OFFSET_NS, JUMP_NS)


@pytest.mark.parametrize("mode", PACKET_BYTES)
def test_a_day_s_rows_are_the_lab_s_packets_of_contracts_by_another_number(mode: int) -> None:
    tape = Tape([SMALL], LEAP_MS)
    tokens = {each.token for each in tape.contracts}
    played = [packet for packet in day_packets(SMALL, mode=mode) if packet[2:27].rstrip(b"\0").decode() in tokens]
    rows = payloads(tape.stretch(0, len(tape), mode).content)
    assert [sequence_of(row) for row in rows] == list(range(1, len(SMALL) + 1))
    assert [row[:27] + row[35:] for row in rows] == [packet[:27] + packet[35:] for packet in played]


@given(st.integers(0, len(TAPE) - 1), st.data())
def test_a_row_s_bytes_are_the_same_in_every_stretch(begin: int, data: st.DataObject) -> None:
    end = data.draw(st.integers(begin + 1, len(TAPE)))
    mode = data.draw(st.sampled_from([*PACKET_BYTES]))
    whole, part = TAPE.stretch(0, len(TAPE), mode), TAPE.stretch(begin, end, mode)
    assert len(part.ends) == end - begin
    assert part.ends[-1] == len(part.content)
    for row in range(begin, end - 1):
        assert row_of(part, row - begin) == row_of(whole, row)
    last = row_of(part, end - 1 - begin)
    assert row_of(whole, end - 1).startswith(last)  # what follows on a leap belongs between two rows of one stretch
    assert len(payloads(last)) == 1


def test_the_days_and_their_first_rows_are_told() -> None:
    assert TAPE.days == [(DAY, 0), (date(2025, 10, 6), 90), (date(2025, 10, 7), 180)]
    assert [each.symbol for each in TAPE.contracts] == [SYMBOL, OTHER]
    assert [each.name for each in TAPE.indices] == ["NIFTY"]
    assert TAPE.time_ms[0] * 10**6 == OPEN_NS


def test_the_digest_is_that_of_the_rows() -> None:
    assert Tape([SMALL], LEAP_MS).digest == Tape([SMALL], 5_000).digest
    assert Tape([SMALL], LEAP_MS).digest != Tape([small_day(90)], LEAP_MS).digest


def test_an_index_steps_through_a_leap() -> None:
    found = payloads(row_of(TAPE.stretch(0, 180, SNAP_QUOTE), 89))
    times = [time_ms_of(payload) for payload in [*found, payloads(row_of(TAPE.stretch(90, 91, SNAP_QUOTE), 0))[0]]]
    assert len(found) > 2000
    assert {sequence_of(payload) for payload in found[1:]} == {0}
    assert set(np.diff(times)[:-1].tolist()) == {LEAP_MS}
    assert 0 < times[-1] - times[-2] <= LEAP_MS


def test_an_opening_is_an_index_at_the_row_s_time_and_what_leads_there() -> None:
    row_ms = int(TAPE.time_ms[100])
    fresh, near, back = (
        payloads(TAPE.opening(100, SNAP_QUOTE, after)) for after in (0, row_ms - LEAP_MS, row_ms + 10**8)
    )
    assert fresh == near == back
    assert [(sequence_of(each), time_ms_of(each)) for each in fresh] == [(0, row_ms)]
    far = payloads(TAPE.opening(100, SNAP_QUOTE, int(TAPE.time_ms[0])))
    times = [int(TAPE.time_ms[0]), *map(time_ms_of, far)]
    assert max(np.diff(times)) <= LEAP_MS
    assert times[-1] == row_ms


@pytest.mark.parametrize("seconds", [99, 101, 7200])
def test_a_quiet_hour_is_a_leap_too(seconds: int) -> None:
    later_ns = np.where(np.arange(90) < 40, 0, seconds * SECOND_NS)
    columns = (SMALL.price, SMALL.volume, SMALL.bid, SMALL.ask, SMALL.instrument)
    names = [InstrumentName(SYMBOL), InstrumentName(OTHER)]
    tape = Tape([market_day(DAY, names, SMALL.time_ns + later_ns, *columns)], LEAP_MS)
    decoder = decoder_of(tape)
    became = taken(decoder, tape, 0, 90)
    assert became.count(TICKED) + became.count(QUOTED) == 90
    assert decoder.counts[CLOCK_JUMP] == 0
    assert became.count(ALIVE) == 1 + seconds // 100


def taken(decoder: FrameDecoder, tape: Tape, begin: int, end: int, after_ms: int = 0) -> list[int]:
    """Return what became of each frame of a stretch that comes all at once."""
    stretch = tape.stretch(begin, end, SNAP_QUOTE)
    frames = payloads(tape.opening(begin, SNAP_QUOTE, after_ms)) + payloads(stretch.content)
    return [decoder.take(frame, 10**9, 10**18) for frame in frames]


def test_each_row_of_several_days_is_an_input_to_a_client() -> None:
    days = generated_days(ticks=70_000, seed=3)
    tape = Tape(days, LEAP_MS)
    decoder = decoder_of(tape)
    begin, end = len(days[0]) - 500, len(days[0]) + 500
    inputs = []
    stretch = tape.stretch(begin, end, SNAP_QUOTE)
    for frame in payloads(tape.opening(begin, SNAP_QUOTE, 0)) + payloads(stretch.content):
        if decoder.take(frame, 10**9, 10**18) in {TICKED, QUOTED}:
            words = decoder.words[0].tolist()
            inputs.append((Event(*words[: len(Event._fields)]), Origin(*words[len(Event._fields) :])))
    assert [origin.packet for _, origin in inputs] == list(range(begin + 1, end + 1))
    volume = np.concatenate([day.volume for day in days])[begin:end]
    assert [event.volume for event, _ in inputs][1:] == np.maximum(volume, 1).tolist()[1:]  # the first has no before
    counts = decoder.counts
    assert (counts[TICKS], counts[QUOTES], counts[FIRST_PACKETS]) == (999, 1, 1)
    assert counts.sum() == 999 + 1 + 1 + counts[HEARTBEATS]


def test_stretches_with_days_between_them_are_inputs_too() -> None:
    decoder = decoder_of(TAPE)
    first = taken(decoder, TAPE, 0, 10)
    later = taken(decoder, TAPE, 200, 210, int(TAPE.time_ms[9]))
    assert first.count(TICKED) + first.count(QUOTED) == 10
    assert later.count(TICKED) == 10
    assert decoder.counts[CLOCK_JUMP] == 0


def test_without_the_index_s_steps_a_client_refuses_the_next_day() -> None:
    tape = Tape([SMALL, moved(SMALL, date(2025, 10, 6))], 10**9)
    decoder = decoder_of(tape)
    taken(decoder, tape, 0, 180)
    assert decoder.counts[CLOCK_JUMP] == 90
