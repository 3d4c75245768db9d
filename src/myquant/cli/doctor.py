"""`myquant doctor`: whether machine and account are ready for a session at a broker."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myquant.cli.options import Assignments, ConfigFiles, Strategy, examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from myquant.brokers.angelone.settings import AngelOneCredentials
    from myquant.config.loading import LoadedConfig
    from myquant.session.checks import Check, DateSample, Lab

EXAMPLES: Final = examples(
    "myquant doctor --broker angelone",
    "myquant doctor --broker angelone NIFTY24NOV2625000CE --config mine.toml",
    "myquant doctor --broker angelone --json",
)
EXIT_CODES: Final = """\b
Exit codes: 0 nothing failed (there may be warnings); 1 something failed; 2 bad usage or configuration;
5 the broker can't be reached"""
SAMPLES: Final = 5
SAMPLE_S: Final = 0.23  # they fall on different parts of the second
TIMEOUT_S: Final = 5.0


def doctor(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL]...", show_default=False, help="Contracts that are to be traded."),
    ] = None,
    *,
    broker: Annotated[str, typer.Option("--broker", metavar="NAME", show_default=False, help="angelone.")],
    config: ConfigFiles = None,
    assignments: Assignments = None,
    strategy: Strategy = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check clock, disk, permissions, credentials, calendar, contracts, static IP, settings, machine code and fence.

    It logs in and asks for profile and funds; it sends no order and fences nobody off.
    """
    import json

    from myquant.cli.settings import load_settings
    from myquant.errors import BrokerError, MyquantError
    from myquant.session.at_broker import refuse_unknown
    from myquant.session.checks import FAILED, code_check, service_check
    from myquant.session.quick_loop import run_loop
    from myquant.session.runner import is_ready
    from myquant.strategies.loading import load_strategy

    refuse_unknown(broker)
    chosen = load_strategy(strategy)
    loaded = load_settings(chosen, config=config, assignments=assignments)
    wanted = list(dict.fromkeys(symbols or []))
    url = loaded.config.angelone.rest_url
    away, lab = run_loop(_reach(url))
    found = [service_check(url, away), *_of_machine(loaded, broker), code_check(lambda: is_ready(chosen))]
    found += run_loop(_of_broker(broker, wanted, loaded, lab, is_away=bool(away)))
    if as_json:
        print(json.dumps([each._asdict() for each in found], indent=2, ensure_ascii=False))
    else:
        _print(found)
    failed = BrokerError.exit_code if away else MyquantError.exit_code
    raise typer.Exit(failed if any(each.state == FAILED for each in found) else 0)


def _of_machine(loaded: "LoadedConfig", broker: str) -> "list[Check]":
    import shutil
    from datetime import UTC, datetime

    from myquant.journal.disk import DISK
    from myquant.session import checks
    from myquant.strategies.cache import cache_folder

    config, owner = loaded.config, os.geteuid()
    runs, cache = Path(config.results.directory), cache_folder()
    there = next(folder for folder in (runs.absolute(), *runs.absolute().parents) if folder.is_dir())
    return [
        *checks.settings_checks(config),
        checks.zone_check(config.session.timezone, datetime.now(UTC)),
        checks.space_check(shutil.disk_usage(there).free, config.journal.segment_mib, there),
        checks.journal_check(there, DISK),
        checks.folder_check("runs", runs, owner),
        checks.folder_check("cache", cache, owner),
        checks.token_check(cache / broker / "tokens.json"),
    ]


async def _of_broker(
    broker: str, symbols: "Sequence[str]", loaded: "LoadedConfig", lab: "Lab | None", *, is_away: bool
) -> "list[Check]":
    from myquant.compose import today
    from myquant.errors import ConfigError
    from myquant.journal.disk import DISK
    from myquant.session import checks
    from myquant.session.at_broker import account_secrets, fence_folder, state_folder
    from myquant.session.checks import FAILED, Check
    from myquant.strategies.cache import cache_folder

    config, cache = loaded.config, cache_folder() / broker
    url, names = config.angelone.rest_url, list(symbols) or [config.instrument.symbol]
    dates = [] if is_away else await _dates(url)
    on = today(config.session.timezone) if lab is None else lab.day
    found = [] if lab is None else [checks.lab_check(lab)]
    if is_away and _is_here(url):  # the day and the address are the lab's
        found += checks.not_checked("calendar", *(f"contract {name}" for name in names), "static IP")
    else:
        found += [*checks.calendar_checks(config.instrument.exchange, on), *checks.contract_checks(names, config, on)]
        found.append(checks.address_check(config, lab, checks.way_out(url) if dates else ""))
    found += checks.not_checked("clock") if is_away else [checks.clock_check(dates)]
    try:
        own = account_secrets(broker, os.environ)
    except ConfigError as error:
        return [*found, Check("credentials", FAILED, str(error))]
    found.append(checks.fence_check(fence_folder(state_folder(), config, own.client_code), DISK))
    if is_away:
        return found + checks.not_checked("credentials", "funds", "master")
    return found + await _of_account(loaded, own, cache, on, symbols)


async def _of_account(
    loaded: "LoadedConfig", own: "AngelOneCredentials", cache: Path, on: "date", symbols: "Sequence[str]"
) -> "list[Check]":
    """Log in, without trading, and look at what the broker says."""
    from myquant.cli.output import money
    from myquant.errors import MyquantError
    from myquant.session import checks
    from myquant.session.at_broker import masked, open_at_broker
    from myquant.session.checks import FAILED, OK, WARNING, Check

    found = []
    try:
        async with open_at_broker(loaded, own, cache=cache, today=on) as at:
            client = at.account.client
            await client.profile()
            since = "" if client.logins else _kept_since(cache, loaded.config.session.timezone)
            found.append(checks.login_check(masked(own.client_code), since))
            cash = (await client.funds()).available_cash
            least = loaded.config.broker.min_funds
            state = OK if cash >= 100 * least and cash > 0 else WARNING
            found.append(Check("funds", state, money(cash / 100), "" if state == OK else "entries halt: add funds"))
    except MyquantError as error:
        return [*found, Check("funds" if found else "credentials", FAILED, str(error))]
    try:
        async with open_at_broker(loaded, own, cache=cache, today=on, symbols=symbols) as at:
            found.append(checks.master_check(symbols, at.account.notes))
    except MyquantError as error:
        found.append(Check("master", FAILED, str(error)))
    return found


def _kept_since(cache: Path, zone: str) -> str:
    """Return when the day's tokens were kept."""
    from zoneinfo import ZoneInfo

    from myquant.results.text import date_time

    return date_time((cache / "tokens.json").stat().st_mtime_ns, ZoneInfo(zone))


async def _reach(url: str) -> "tuple[str, Lab | None]":
    """Return why a service can't be reached, and what to see to; and what a lab says of itself. No other is asked for that.

    Empty: it answers; None: it is no lab.
    """
    from myquant.brokers.http import Http, NoAnswerError, unreachable
    from myquant.brokers.secrets import Redactor
    from myquant.session.checks import lab_of

    at_lab = _is_here(url)
    try:
        async with Http(Redactor()) as http:
            how = ("GET", f"{url}/lab/about") if at_lab else ("HEAD", url)
            reply = await http.once(*how, {}, timeout_s=TIMEOUT_S)
    except NoAnswerError as error:
        return unreachable(url, "angelone.rest_url", error), None
    return "", lab_of(reply.body) if at_lab and reply.status == 200 else None


def _is_here(url: str) -> bool:
    from urllib.parse import urlsplit

    from myquant.brokers.addresses import is_loopback

    return is_loopback(urlsplit(url).hostname or "")


async def _dates(url: str) -> "list[DateSample]":
    """Return the Date headers of a few answers of a service; nothing secret is sent, nothing else is asked for."""
    import asyncio
    import time

    import aiohttp

    from myquant.brokers.addresses import verifying
    from myquant.session.checks import DateSample

    found = []
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(ssl=verifying(None))
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for _ in range(SAMPLES):
            before_ns = time.time_ns()
            try:
                async with session.head(url, allow_redirects=False) as answer:
                    found.append(DateSample(answer.headers.get("Date", ""), before_ns, time.time_ns()))
            except (aiohttp.ClientError, TimeoutError, OSError):
                break
            await asyncio.sleep(SAMPLE_S)
    return found


def _print(found: "Sequence[Check]") -> None:
    from myquant.cli.output import console

    out = console()
    styles = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "yellow"}
    width = max(len(each.name) for each in found)
    for each in found:
        out.print(f"{each.state:<8}", style=styles[each.state], end="")
        out.print(f" {each.name:<{width}}  {each.text}")
        if each.remedy:
            out.print(f"{'':<{width + 9}}  {each.remedy}")
