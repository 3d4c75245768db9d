"""The faults that the lab can make, each off until it is given, and how a command line names them.

Faults of the stream change the day itself, by a seed, before it is played: the same seed gives the same faults. They
befall ticks of contracts, never of an index, and a tick has one at most. Faults of a connection come after a number of
packets on it. Faults of the login befall the first tries. Those of the order side stand in `order_faults`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from myquant.errors import ConfigError
from myquant.lab.angelone.fault import Fault
from myquant.lab.angelone.order_faults import (
    AckLost,
    Book5xx,
    FillThenSilence,
    ManualTrade,
    Order5xx,
    Order429,
    OrderGarbage,
    OrderLate,
    OrderLost,
    OrderTimeout,
    RejectLate,
    SquareOff,
    UpdateDelay,
    UpdateDuplicate,
    UpdateReorder,
)


@dataclass(frozen=True)
class Duplicate(Fault):
    """A tick's packet comes twice."""

    share: float = 0.01


@dataclass(frozen=True)
class OutOfOrder(Fault):
    """A tick's packet comes `by` packets late."""

    share: float = 0.01
    by: int = 3


@dataclass(frozen=True)
class Gap(Fault):
    """After the first `after` packets of the day no contract's packet comes for some seconds of the day; indices do."""

    after: int = 1000
    seconds: float = 60.0


@dataclass(frozen=True)
class Corrupt(Fault):
    """One to eight random bytes of the packet are changed."""

    share: float = 0.01


@dataclass(frozen=True)
class Truncate(Fault):
    """The packet ends too early."""

    share: float = 0.01


@dataclass(frozen=True)
class WrongToken(Fault):
    """The packet carries a token that nobody asked for."""

    share: float = 0.01


@dataclass(frozen=True)
class WrongExchange(Fault):
    """The packet carries another exchange type."""

    share: float = 0.01


@dataclass(frozen=True)
class Crossed(Fault):
    """The best bid is above the best ask."""

    share: float = 0.01


@dataclass(frozen=True)
class Spike(Fault):
    """The price is so many percent too high (or low, negative), within the circuit limits."""

    share: float = 0.001
    percent: float = 20.0

    signed = ("percent",)


@dataclass(frozen=True)
class SpikeOutside(Fault):
    """The price is above the upper circuit limit."""

    share: float = 0.001


@dataclass(frozen=True)
class ClockJump(Fault):
    """A packet's times are so many seconds ahead (or behind, negative); `lasting` 1: and those of all that follow."""

    after: int = 1000
    seconds: float = 300.0
    lasting: int = 0

    signed = ("seconds",)


@dataclass(frozen=True)
class Burst(Fault):
    """For some seconds of the day every tick is followed by prints of its price and size: `times` in all."""

    after: int = 1000
    seconds: float = 60.0
    times: int = 10


@dataclass(frozen=True)
class Mute(Fault):
    """A connection stays open, answers pings, and sends no packet: for so long (wall clock), or for ever (0)."""

    after: int = 1000
    seconds: float = 0.0
    connection: int = 1  # which one, from 1; 0: every


@dataclass(frozen=True)
class Drop(Fault):
    """A connection is cut off, without a close frame."""

    connection: int = 2  # which one, from 1; 0: every
    after: int = 1000


@dataclass(frozen=True)
class HalfOpen(Fault):
    """A connection stays open, and the lab neither reads nor writes any more."""

    after: int = 1000
    connection: int = 1  # which one, from 1; 0: every


@dataclass(frozen=True)
class TokenRoll(Fault):
    """Once, when a connection has so many packets: all sockets are closed, no token but for a refresh is good any more."""

    after: int = 1000


@dataclass(frozen=True)
class SlowHandshake(Fault):
    """A connection is answered so much later (wall clock)."""

    seconds: float = 2.0
    connection: int = 0  # which one, from 1; 0: every


@dataclass(frozen=True)
class Login429(Fault):
    """The first logins are answered with 429 and plain text."""

    tries: int = 3


@dataclass(frozen=True)
class Login5xx(Fault):
    """The first logins are answered with 500, 502, 503, 504 and HTML."""

    tries: int = 3


@dataclass(frozen=True)
class LoginGarbage(Fault):
    """The first logins are answered with 200 and half a JSON text."""

    tries: int = 3


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Which faults to make; None: not this one."""

    seed: int = 1
    duplicate: Duplicate | None = None
    out_of_order: OutOfOrder | None = None
    gap: Gap | None = None
    corrupt: Corrupt | None = None
    truncate: Truncate | None = None
    wrong_token: WrongToken | None = None
    wrong_exchange: WrongExchange | None = None
    crossed: Crossed | None = None
    spike: Spike | None = None
    spike_outside: SpikeOutside | None = None
    clock_jump: ClockJump | None = None
    burst: Burst | None = None
    mute: Mute | None = None
    drop: Drop | None = None
    half_open: HalfOpen | None = None
    token_roll: TokenRoll | None = None
    slow_handshake: SlowHandshake | None = None
    login_429: Login429 | None = None
    login_5xx: Login5xx | None = None
    login_garbage: LoginGarbage | None = None
    order_timeout: OrderTimeout | None = None
    order_late: OrderLate | None = None
    order_lost: OrderLost | None = None
    ack_lost: AckLost | None = None
    order_429: Order429 | None = None
    order_5xx: Order5xx | None = None
    order_garbage: OrderGarbage | None = None
    reject_late: RejectLate | None = None
    fill_then_silence: FillThenSilence | None = None
    update_duplicate: UpdateDuplicate | None = None
    update_reorder: UpdateReorder | None = None
    update_delay: UpdateDelay | None = None
    book_5xx: Book5xx | None = None
    square_off: SquareOff | None = None
    manual_trade: ManualTrade | None = None


NO_FAULTS: Final = Faults()
KINDS: Final[dict[str, type[Fault]]] = {
    "duplicate": Duplicate,
    "out_of_order": OutOfOrder,
    "gap": Gap,
    "corrupt": Corrupt,
    "truncate": Truncate,
    "wrong_token": WrongToken,
    "wrong_exchange": WrongExchange,
    "crossed": Crossed,
    "spike": Spike,
    "spike_outside": SpikeOutside,
    "clock_jump": ClockJump,
    "burst": Burst,
    "mute": Mute,
    "drop": Drop,
    "half_open": HalfOpen,
    "token_roll": TokenRoll,
    "slow_handshake": SlowHandshake,
    "login_429": Login429,
    "login_5xx": Login5xx,
    "login_garbage": LoginGarbage,
    "order_timeout": OrderTimeout,
    "order_late": OrderLate,
    "order_lost": OrderLost,
    "ack_lost": AckLost,
    "order_429": Order429,
    "order_5xx": Order5xx,
    "order_garbage": OrderGarbage,
    "reject_late": RejectLate,
    "fill_then_silence": FillThenSilence,
    "update_duplicate": UpdateDuplicate,
    "update_reorder": UpdateReorder,
    "update_delay": UpdateDelay,
    "book_5xx": Book5xx,
    "square_off": SquareOff,
    "manual_trade": ManualTrade,
}


def parse_faults(texts: Sequence[str], seed: int) -> Faults:
    """Read faults as a command line names them: `drop`, `duplicate=0.05`, `mute=after:500,seconds:10`.

    A bare value is that of the fault's first field. Raises ConfigError, which lists what is known.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, _, values = text.partition("=")
        name = name.replace("-", "_")
        if name not in KINDS:
            raise ConfigError(f"--fault {text}: there is no such fault; known are {', '.join(KINDS)}")
        if name in found:
            raise ConfigError(f"--fault {text}: {name} is named twice; name it once")
        found[name] = KINDS[name](**_values(text, KINDS[name], values))
    return Faults(seed=seed, **found)


def _values(text: str, kind: type[Fault], values: str) -> dict[str, Any]:
    known = {each.name: each.type for each in fields(kind)}  # type: ignore[arg-type]  # all kinds are dataclasses
    found: dict[str, Any] = {}
    for part in filter(None, values.split(",")):
        key, colon, value = part.rpartition(":")
        key = key if colon else next(iter(known))
        if key not in known:
            raise ConfigError(f"--fault {text}: {key} is none of its values, which are {', '.join(known)}")
        number = int if known[key] is int else float
        try:
            found[key] = number(value)
        except ValueError:
            raise ConfigError(
                f"--fault {text}: {key} = {value!r} is not {'a whole' if number is int else 'a'} number"
            ) from None
    return found
