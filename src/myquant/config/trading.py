"""The settings that decide what is traded: those that two sessions must share for one to say something of the other."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from myquant.config.kinds import write
from myquant.config.loading import LoadedConfig
from myquant.config.schema import SECTIONS

# What decides entries, exits, sizes and prices, and what is held back. `execution` counts as a whole, though a few of its
# keys are the simulated exchange's only: a rehearsal against a kinder exchange would show less. `feed` counts as it says
# which prices are seen, and from when on a silence holds entries back.
TRADING: Final = ("strategy", "risk", "execution", "feed", "capital", "session", "instrument", "charges")
# Contracts end week by week, and a session names its own: the symbol of the settings serves files without one.
NOT_TRADING: Final = ("instrument.symbol",)
# Where a broker's services are, and where this machine is: a session may go on with others.
PLACES: Final = tuple(
    f"angelone.{key}" for key in ("rest_url", "stream_url", "master_url", "update_url", "public_ip", "local_ip", "mac")
)


def trading_values(loaded: LoadedConfig) -> dict[str, Any]:
    """Return the values that count, by `section.key`: of the sections in `TRADING`, and of a strategy's own.

    Left out are where services are (`angelone`), how orders at a broker are watched over (`orders`: a rehearsal has none
    there), how a session is kept and observed (`journal`, `pipeline`, `results`), what refuses rows of files
    (`data_quality`), and `evidence`.
    """
    return {
        name: value
        for name, value in loaded.values.items()
        if is_trading(name.partition(".")[0]) and name not in NOT_TRADING
    }


def is_trading(section: str) -> bool:
    """Return whether a section counts: one of `TRADING`, or a strategy's own."""
    return section in TRADING or section not in SECTIONS


def trading_hash(loaded: LoadedConfig) -> str:
    """Return the SHA-256 in hex of the values that count; neither order nor notation changes it."""
    text = "".join(f"{name} = {write(value)}\n" for name, value in sorted(trading_values(loaded).items()))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two sets of values, as `key = value before -> value now` each."""
    names = dict.fromkeys([*before, *now])
    return [
        f"{name} = {_text(before.get(name))} -> {_text(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _text(value: Any) -> str:
    return "(not set)" if value is None else write(value)
