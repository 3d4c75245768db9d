"""`myquant lab`: a local broker that speaks the real one's protocol, with faults to order."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from myquant.cli.options import examples
from myquant.errors import ConfigError

if TYPE_CHECKING:
    from myquant.lab.angelone.faults import Faults
    from myquant.lab.angelone.order_service import Terms
    from myquant.lab.angelone.server import AngelOneLab
    from myquant.lab.market_day import MarketDay

BROKERS: Final = ("angelone",)
REST_PORT: Final = 8210
FEED_PORT: Final = 8211
CASH: Final = 1_000_000.0
EXAMPLES: Final = examples(
    "myquant lab --broker angelone --generate",
    "myquant lab --broker angelone --ticks NIFTY07OCT2524900CE.csv --speed 60",
    "myquant lab --broker angelone --generate --asap --fault duplicate=0.05 --fault drop=connection:1,after:500",
)

Symbols: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol",
        metavar="SYMBOL",
        show_default="NIFTY07OCT2524900CE, or the file's name",
        help="A contract to generate (can be repeated), or the one that the file holds.",
    ),
]
Day: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        "--date",
        metavar="DATE",
        formats=["%Y-%m-%d"],
        show_default="2025-10-03, or the files' only day",
        help="The day to generate, or to play of the files.",
    ),
]


def lab(
    *,
    broker: Annotated[str, typer.Option("--broker", metavar="NAME", show_default=False, help="angelone.")],
    ticks: Annotated[
        list[Path] | None,
        typer.Option("--ticks", metavar="FILE", help="Play a file of ticks; can be repeated, for more contracts."),
    ] = None,
    generate: Annotated[bool, typer.Option("--generate", help="Play generated ticks.")] = False,
    symbols: Symbols = None,
    day: Day = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of generated ticks and of faults.")] = 1,
    speed: Annotated[
        float, typer.Option("--speed", metavar="N", min=0.001, help="Play N times as fast as the exchange.")
    ] = 1.0,
    asap: Annotated[bool, typer.Option("--asap", help="Play as fast as the client takes it.")] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65_535, help="Of the REST service.")
    ] = REST_PORT,
    feed_port: Annotated[
        int, typer.Option("--feed-port", metavar="P", min=0, max=65_535, help="Of the feed.")
    ] = FEED_PORT,
    tls: Annotated[
        Path | None,
        typer.Option("--tls", metavar="CERT.pem", help="Serve https and wss, with this certificate and its key."),
    ] = None,
    cash: Annotated[float, typer.Option("--cash", metavar="RUPEES", min=0, help="What the account can spend.")] = CASH,
    static_ip: Annotated[
        str, typer.Option("--static-ip", metavar="IP", show_default="any", help="The address that orders must name.")
    ] = "",
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="An order with a tag that was seen before makes no other order.")
    ] = False,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME[=VALUES]", help="Make a fault; can be repeated. `help` lists them."),
    ] = None,
) -> None:
    """Serve a broker on this machine: login, instrument master, binary feed and orders, as the real one's.

    The day begins with the first subscription. The indices tick on to two minutes after the market's close. Ctrl-C ends
    the lab; it then prints what it sent and which faults it made.
    """
    from myquant.lab.angelone.faults import parse_faults
    from myquant.lab.angelone.order_service import Terms

    if broker not in BROKERS:
        raise ConfigError(f"--broker {broker}: the lab knows {', '.join(BROKERS)}")
    if faults == ["help"]:
        _list_faults()
        return
    chosen = parse_faults(faults or (), seed)
    on = None if day is None else day.date()
    played = _played(ticks or [], symbols or [], generate=generate, day=on, seed=seed)
    terms = Terms(cash_paise=round(cash * 100), static_ip=static_ip, dedupe=dedupe)
    _serve(played, chosen, terms, speed=None if asap else speed, ports=(port, feed_port), certificate=tls)


def _played(files: list[Path], symbols: list[str], *, generate: bool, day: date | None, seed: int) -> "MarketDay":
    from myquant.lab.market_day import DEFAULT_DAY, DEFAULT_SYMBOL, day_of_files, generated_day

    if generate == bool(files):
        raise ConfigError("say what to play: --ticks FILE or --generate")
    if generate:
        return generated_day(symbols or [DEFAULT_SYMBOL], day=day or DEFAULT_DAY, seed=seed)
    if len(symbols) > 1:
        raise ConfigError(
            "--symbol: files hold one contract each; name at most one, and the others by their files' names"
        )
    return day_of_files(files, symbol=symbols[0] if symbols else None, day=day)


def _list_faults() -> None:
    from dataclasses import fields

    from myquant.lab.angelone.faults import KINDS

    for name, kind in KINDS.items():
        values = ",".join(f"{each.name}:{each.default}" for each in fields(kind))  # type: ignore[arg-type]  # dataclasses
        print(f"{name}={values}\n    {(kind.__doc__ or '').strip()}")


def _serve(
    played: "MarketDay",
    faults: "Faults",
    terms: "Terms",
    *,
    speed: float | None,
    ports: tuple[int, int],
    certificate: Path | None,
) -> None:
    """Serve until a signal ends it."""
    import asyncio
    import os
    import signal
    import ssl

    from myquant.lab.angelone.account import credentials_of
    from myquant.lab.angelone.server import AngelOneLab

    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{certificate}: holds no certificate with its key ({error.strerror}); name a PEM file with both"
            ) from error

    async def serve() -> None:
        ended = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, ended.set)
        port, feed_port = ports
        running = AngelOneLab(
            played,
            speed=speed,
            faults=faults,
            terms=terms,
            credentials=credentials_of(os.environ),
            port=port,
            feed_port=feed_port,
            ssl_context=context,
        )
        async with running:
            _introduce(running, played, faults, speed)
            await ended.wait()
        counts = ", ".join(f"{name} {count}" for name, count in sorted(running.counts.items()))
        print(f"lab: {counts or 'nobody came'}", flush=True)

    try:
        import uvloop
    except ModuleNotFoundError:  # there is none for Windows
        asyncio.run(serve())
    else:
        uvloop.run(serve())


def _introduce(running: "AngelOneLab", played: "MarketDay", faults: "Faults", speed: float | None) -> None:
    """Print the day, the addresses, and what a client needs in its environment."""
    import os

    from myquant.lab.angelone.account import ENVIRONMENT
    from myquant.lab.angelone.faults import KINDS
    from myquant.results.text import counted

    names = ", ".join(each.symbol for each in running.day.instruments)
    pace = "as fast as it is taken" if speed is None else f"{speed:g} x"
    left_out = f" ({counted(played.left_out, 'row')} left out: not usable)" if played.left_out else ""
    print(f"lab: Angel One, {names}, {played.day}, {counted(len(played), 'tick')}{left_out}, {pace}")
    made = [name for name in KINDS if getattr(faults, name) is not None]
    if made:
        print(f"lab: faults: {', '.join(made)} (seed {faults.seed})")
    print(f"lab: REST {running.rest_url}, feed {running.feed_url}, instruments {running.master_url}")
    print("lab: in the other shell:")
    for key, address in (
        ("rest", running.rest_url),
        ("stream", running.feed_url),
        ("master", running.master_url),
        ("update", running.update_url),
    ):
        print(f"export MYQUANT_ANGELONE__{key.upper()}_URL={address}")  # a setting: section angelone
    for name, variable in ENVIRONMENT.items():
        if os.environ.get(variable):
            print(f"# {variable}: the one of this shell")
        else:
            print(f"export {variable}={getattr(running.credentials, name)}")
    print("lab: ready", flush=True)
