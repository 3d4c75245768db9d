"""What the commands that start a session have in common: its folder, and the trail of the settings that were used."""

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from myquant.compose import Opened
    from myquant.config.loading import LoadedConfig

EXAMPLE: Final = "NIFTY24NOV2625000CE"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,99}")


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage while a session starts: it leaves 2,000 objects of 195,000, and to look for them takes 0.15 s in all.

    From when it is at work, the session's loop sees to that.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def session_folder(loaded: "LoadedConfig", kind: str, symbols: tuple[str, ...], session: str | None) -> Path:
    """Return the folder of a session. Raises ConfigError for a symbol that is no contract, or a name that can't be one."""
    from myquant import compose
    from myquant.errors import ConfigError
    from myquant.market.contracts import parse_symbol

    for symbol in symbols:
        parsed = parse_symbol(symbol)
        if parsed is None or parsed.expiry is None:
            raise ConfigError(f"{symbol}: is no contract; name one as the exchange does, such as {EXAMPLE}")
    if session is not None and not NAME.fullmatch(session):
        raise ConfigError(
            f"--session {session!r}: must be 1 to 100 letters, digits, spaces or . _ + -, beginning with a letter or digit"
        )
    others = f"+{len(symbols) - 1}" if len(symbols) > 1 else ""
    name = session or f"{kind}-{compose.today(loaded.config.session.timezone)}-{symbols[0]}{others}"
    return Path(loaded.config.results.directory) / name


def print_lines(opened: "Opened", lines: Mapping[str, str]) -> None:
    """Print what a review says line by line, and how the session stands: new, or gone on with, and whether entries are halted."""
    from myquant.cli.output import console

    out, recovered = console(), opened.recovered
    for name, text in lines.items():
        out.print(f"  {name:<10}{text}")
    out.print(f"  {'times':<10}those below are {opened.loaded.config.session.timezone}'s; log and journal have UTC")
    for note in opened.notes:
        out.print(f"  note      {note}")
    if opened.halted:
        out.print(f"  note      entries are halted: {opened.halted}; `myquant resume` lets them in again", style="bold")
    if recovered is None:
        out.print("  new session")
        return
    out.print(
        f"  goes on: {recovered.inputs:,} inputs played back behind record {recovered.snapshot:,},"
        f" {recovered.missing} records written that were missing"
    )
    for remark in recovered.remarks:
        out.print(f"  note      {remark}")


def listed_contracts(opened: "Opened") -> str:
    """Return the contracts of a session with their lots and ticks, as a review shows them."""
    from myquant.results.text import listed

    facts = opened.facts
    pairs = zip(facts.symbols, facts.listed, strict=True)
    return listed([f"{symbol} (lot {lot}, tick {tick / 100:.2f})" for symbol, (lot, tick) in pairs])


def record_use(opened: "Opened", command: str, override: str | None) -> None:
    """Write the use of this configuration into the trail. A session that goes on is not kept from it by a damaged one."""
    import getpass
    import socket
    from datetime import UTC, datetime

    from myquant.cli.output import console
    from myquant.config.audit import ConfigAudit, Use
    from myquant.errors import MyquantError

    facts, loaded = opened.facts, opened.loaded
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    use = Use(who, command, facts.name, facts.engine_hash, () if override is None else (override,))
    try:
        ConfigAudit(Path(loaded.config.results.directory)).record(use, loaded, datetime.now(UTC))
    except MyquantError as error:
        if opened.recovered is None:
            raise
        console().print(f"  note      not in the trail of configurations: {error}", style="bold")
