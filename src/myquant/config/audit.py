"""The trail of the configurations that were used: who began what, when, with which settings, and what he overrode."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from myquant.config.chain import Chain, Fields, Read
from myquant.config.loading import LoadedConfig
from myquant.config.trading import trading_hash

FILE: Final = "config_audit.jsonl"
# Where a lab listens is another port with each of its starts, and says nothing of what is traded.
_ON_THIS_MACHINE: Final = re.compile(r'"(?:http|ws)s?://(?:127(?:\.\d+){3}|localhost|\[::1\])(?::\d+)?(?:/[^"]*)?"')
LAB: Final = "(an address on this machine)"
REMEDY: Final = "restore it from a copy, or move it aside and say why: a new one begins"


@dataclass(frozen=True)
class Use:
    """One use of a configuration.

    `who`: user@host; `command`: as it was called, without secrets; `overrides`: the reasons a person gave for what would
    have been refused.
    """

    who: str
    command: str
    session: str
    engine_hash: str
    overrides: tuple[str, ...] = ()


class ConfigAudit:
    """The trail in one folder of runs."""

    def __init__(self, runs: Path) -> None:
        self._chain = Chain(runs / FILE, REMEDY)

    @property
    def path(self) -> Path:
        """The file."""
        return self._chain.path

    def record(self, use: Use, loaded: LoadedConfig, now: datetime) -> Fields:
        """Write that a configuration is used, durably, and return the line: what differs from the one before is in it.

        Raises DataError where the trail was changed, ConfigError or MyquantError where it can't be written.
        """
        values = {name: loaded.text_of(name) for name in loaded.values}

        def compose(entries: list[Fields]) -> Fields:
            return {
                "time": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "who": use.who,
                "command": use.command,
                "session": use.session,
                "config_hash": loaded.hash,
                "trading_hash": trading_hash(loaded),
                "engine_hash": use.engine_hash,
                "overrides": list(use.overrides),
                "changed": _changed(entries[-1].get("values") if entries else None, values),
                "values": values,
            }

        return self._chain.append(compose)

    def read(self) -> Read:
        """Return all lines, and what is wrong with them."""
        return self._chain.read()


def _changed(before: Any, values: dict[str, str]) -> list[str]:
    """Return what differs from the values of the line before; nothing for the first one.

    One address on this machine is as good as another, and not named: `values` has it.
    """
    if not isinstance(before, dict):
        return []
    names = dict.fromkeys([*before, *values])
    pairs = [(name, _shown(before.get(name)), _shown(values.get(name))) for name in names]
    return [f"{name} = {old} -> {new}" for name, old, new in pairs if old != new]


def _shown(value: Any) -> str:
    text = "(not set)" if value is None else str(value)
    return LAB if _ON_THIS_MACHINE.fullmatch(text) else text
