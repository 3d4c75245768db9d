"""Checks of what a session at a broker needs of the machine and the account: each looks at one thing and says what it found."""

import errno
import ipaddress
import json
import os
import socket
import stat
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from myquant.brokers.addresses import is_loopback
from myquant.brokers.token_cache import TokenCache
from myquant.config.schema import Config
from myquant.errors import ConfigError, DataError, JournalError, MyquantError
from myquant.journal.disk import Disk, discard, explained, let_go
from myquant.market.calendar import Calendar
from myquant.market.contracts import contract, parse_symbol
from myquant.session.fence import holder, read_epoch

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"

SECOND_NS: Final = 10**9
MIB: Final = 2**20
CLOCK_OK_NS: Final = SECOND_NS  # beyond it times of the log mislead
CLOCK_MAX_NS: Final = 10 * SECOND_NS  # beyond it one-time passwords, which last 30 s, may be refused
SEGMENTS_MIN: Final = 4  # of the journal, that have to fit on the disk
SEGMENTS_GOOD: Final = 40
INDIA: Final = timedelta(hours=5, minutes=30)
_PLACEHOLDER_MAC: Final = "00:00:00:00:00:00"
_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class Check(NamedTuple):
    """What was found: `state` is ok, warning, failed or unknown; `remedy` is empty where nothing is to be done."""

    name: str
    state: str
    text: str
    remedy: str = ""


class Lab(NamedTuple):
    """What a lab says of itself, and no broker would. `static_ip`: the address that orders must name; empty: any."""

    day: date
    static_ip: str


class DateSample(NamedTuple):
    """An answer's Date header, and our wall clock before the request and after the answer, ns."""

    date: str
    before_ns: int
    after_ns: int


def service_check(url: str, away: str) -> Check:
    """Say whether the broker's service answers; `away`: why it could not be reached, and what to see to."""
    return Check("service", FAILED, away) if away else Check("service", OK, f"{url} answers")


def not_checked(*names: str) -> list[Check]:
    """Say of checks that need the broker's service that there was none."""
    return [Check(name, UNKNOWN, "not checked: the service can't be reached") for name in names]


def clock_check(samples: Sequence[DateSample]) -> Check:
    """Hold the wall clock against a service's Date headers.

    A header says the second in which the service wrote it: our clock less its clock lies between `before - (date + 1 s)`
    and `after - date` of every sample. How good that is depends on how the samples lie in the second.
    """
    name = "clock"
    bounds = [
        (each.before_ns - second_ns - SECOND_NS, each.after_ns - second_ns)
        for each in samples
        if (second_ns := _second_ns(each.date)) is not None
    ]
    if not bounds:
        return Check(name, UNKNOWN, "the broker's service sends no readable Date", "compare with a time server")
    low, high = max(low for low, _ in bounds), min(high for _, high in bounds)
    if low > high:
        return Check(name, UNKNOWN, "the Dates of its answers contradict each other", "run it again")
    found = f"{low / SECOND_NS:+.2f} to {high / SECOND_NS:+.2f} s from the broker's, as far as its Date header tells"
    away_ns = max(low, -high, 0)  # so far away it is at least
    state = OK if away_ns <= CLOCK_OK_NS else WARNING if away_ns <= CLOCK_MAX_NS else FAILED
    return Check(name, state, found, "" if state == OK else "let a time service set this machine's clock")


def _second_ns(text: str) -> int | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp()) * SECOND_NS


def space_check(free_bytes: int, segment_mib: int, where: Path) -> Check:
    """Hold the disk's free space against the size of the journal's segments."""
    text = f"{free_bytes / 2**30:.1f} GiB free for {where}"
    segment = segment_mib * MIB
    if free_bytes < SEGMENTS_MIN * segment:
        return Check(
            "disk space", FAILED, text, f"free the disk: {SEGMENTS_MIN} segments of {segment_mib} MiB are needed"
        )
    if free_bytes < SEGMENTS_GOOD * segment:
        return Check("disk space", WARNING, text, "free the disk: a long day may need more")
    return Check("disk space", OK, text)


def journal_check(folder: Path, disk: Disk) -> Check:
    """Try in a folder what the journal does: blocks allocated beforehand, a store into a mapping, a wait for the disk."""
    name, path = "journal", folder / f".doctor.{os.getpid()}"
    try:
        with explained(path, "can't be used for a journal"):
            descriptor = disk.create(path)
            try:
                disk.allocate(descriptor, MIB)
                with disk.map_to_write(descriptor, MIB) as memory:
                    memory[0] = 1
                disk.sync_data(descriptor)
            finally:
                let_go(disk, descriptor)
                discard(disk, path)
    except JournalError as error:
        remedy = "name another folder with results.directory: not every file system allocates blocks beforehand"
        return Check(name, FAILED, str(error), remedy if _cannot(error) else "")
    return Check(name, OK, f"{folder}: blocks can be allocated, mapped and synced")


def _cannot(error: JournalError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.ENOSYS}


def folder_check(name: str, folder: Path, owner: int) -> Check:
    """See that only its owner can write in a folder: what is in it is believed, or run."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return Check(name, OK, f"{folder}: is not there yet, and will be made")
    except OSError as error:
        return Check(name, FAILED, f"{folder}: can't be looked at ({error.strerror})", "name another folder")
    if not stat.S_ISDIR(status.st_mode):
        return Check(name, FAILED, f"{folder}: is no folder", "move it aside")
    if status.st_uid != owner:
        return Check(name, FAILED, f"{folder}: belongs to another user", "name a folder of your own")
    if status.st_mode & _BY_OTHERS:
        return Check(name, FAILED, f"{folder}: others can write in it", f"chmod go-w {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, FAILED, f"{folder}: can't be written", f"chmod u+rwx {folder}")
    return Check(name, OK, f"{folder}: only you can write in it")


def token_check(path: Path) -> Check:
    """See that nobody else can read the day's tokens."""
    try:
        TokenCache(path).load()
    except ConfigError as error:
        return Check("token file", FAILED, str(error), f"delete {path}: the next start logs in anew")
    return Check("token file", OK, f"{path}: {'only you can read it' if path.exists() else 'is not there yet'}")


def calendar_checks(exchange: str, today: date) -> list[Check]:
    """See whether the calendar knows today and tomorrow."""
    found = []
    for name, day, worst in (("today", today, FAILED), ("tomorrow", today + timedelta(days=1), WARNING)):
        try:
            session = Calendar.load().session(exchange, day, expiry=None)
        except DataError as error:
            found.append(Check(f"calendar {name}", worst, str(error), "take a version with a newer calendar"))
            continue
        text = "closed" if session is None else f"{session.open:%H:%M} to {session.close:%H:%M} ({session.name})"
        found.append(Check(f"calendar {name}", OK, f"{exchange} on {day}: {text}"))
    return found


def contract_checks(symbols: Iterable[str], config: Config, today: date) -> list[Check]:
    """See whether the contract book knows what these contracts need on a day: today, or that of the lab."""
    found = []
    own = config.instrument
    for symbol in symbols:
        parsed = parse_symbol(symbol)
        try:
            known = contract(symbol, today, lot_size=own.lot_size, tick_size=own.tick_size)
        except MyquantError as error:
            found.append(Check(f"contract {symbol}", FAILED, str(error)))
            continue
        freeze = "not known" if known.freeze_quantity is None else f"{known.freeze_quantity}"
        text = f"lot {known.lot_size}, tick {known.tick_size_paise / 100:.2f}, freeze quantity {freeze}"
        ends_today = parsed is not None and parsed.expiry == today
        state = WARNING if known.freeze_quantity is None else OK
        remedy = "" if state == OK else "keep orders below the exchange's freeze quantity yourself"
        found.append(Check(f"contract {symbol}", state, text + (", expires today" if ends_today else ""), remedy))
    return found


def master_check(symbols: Sequence[str], notes: Sequence[str]) -> Check:
    """Say how the broker's instrument master and the contract book differ."""
    if not symbols:
        return Check("master", UNKNOWN, "no contract was named", "name those that are to be traded")
    if notes:
        return Check(
            "master", WARNING, "; ".join(notes), "what the broker lists holds; see that sizes are as you expect"
        )
    return Check("master", OK, f"lists {', '.join(symbols)} as the contract book has them")


def lab_of(body: bytes) -> Lab | None:
    """Return what a service on this machine answers to `/lab/about`; None: it is no lab, or one that does not say."""
    try:
        told = json.loads(body)
        return Lab(date.fromisoformat(told["day"]), str(told["static_ip"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def lab_check(lab: Lab) -> Check:
    """Say that contracts and calendar are looked at as on the day that the lab plays."""
    return Check("lab", OK, f"plays {lab.day}: contracts and calendar are looked at as on that day")


def way_out(url: str) -> str:
    """Return the address of this machine from which packets to a service leave; nothing is sent. Empty: not known."""
    parts = urlsplit(url)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.connect((parts.hostname or "", parts.port or 443))
            return str(datagrams.getsockname()[0])
    except OSError:
        return ""


def address_check(config: Config, lab: Lab | None = None, leaves_from: str = "") -> Check:
    """Look at the address that orders name, as far as it can be seen from here; what the broker sees, only an order would tell.

    `leaves_from`: `way_out`, where the service was reached. Behind a router it is not the address that is seen outside.
    """
    own, name = config.angelone, "static IP"
    if is_loopback(urlsplit(own.rest_url).hostname or ""):
        return _address_at_lab(own.public_ip, lab)
    remedy = "set angelone.public_ip to the address that is registered with the broker"
    try:
        address = ipaddress.ip_address(own.public_ip)
    except ValueError:
        return Check(name, FAILED, f"{own.public_ip}: is no IP address", remedy)
    if not address.is_global or address.version != 4:
        return Check(
            name, FAILED, f"{own.public_ip}: is no public IPv4 address, and orders are accepted from one only", remedy
        )
    if own.mac == _PLACEHOLDER_MAC or is_loopback(own.local_ip):
        text = "angelone.local_ip and angelone.mac are placeholders"
        return Check(name, WARNING, text, "set them to those of this machine: every order names them")
    if leaves_from and ipaddress.ip_address(leaves_from).is_global and leaves_from != own.public_ip:
        text = f"{own.public_ip} is configured, and this machine's way out has {leaves_from}: orders will be refused"
        return Check(name, FAILED, text, f"{remedy}, and send from the machine that has it")
    text = f"{own.public_ip} is configured; what the broker sees is not known: it looks at orders only"
    return Check(name, UNKNOWN, text, "see that it is the address of this machine's way out, and the registered one")


def _address_at_lab(public_ip: str, lab: Lab | None) -> Check:
    name = "static IP"
    if lab is None:
        return Check(name, UNKNOWN, f"{public_ip}: the service is on this machine, and does not say what it accepts")
    if not lab.static_ip:
        return Check(name, OK, f"{public_ip}: the lab accepts orders from any address")
    if lab.static_ip == public_ip:
        return Check(name, OK, f"{public_ip}: the one that the lab accepts orders from")
    text = f"{public_ip}: the lab accepts orders from {lab.static_ip} only, and will refuse them"
    return Check(name, FAILED, text, f"set angelone.public_ip to {lab.static_ip}")


def login_check(whose: str, kept_since: str) -> Check:
    """Say by what the account was entered; `kept_since`: the time of a kept token, empty: by PIN and one-time password."""
    how = f" by a token kept from {kept_since}; PIN and TOTP were not tried" if kept_since else ""
    return Check("credentials", OK, f"logged in as {whose}{how}")


def zone_check(zone: str, now: datetime) -> Check:
    """See that the time zone's data is there, and that it is India's time."""
    try:
        offset = now.astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return Check("time zone", FAILED, f"{zone}: has no data on this machine", "install tzdata")
    if offset != INDIA:
        return Check("time zone", FAILED, f"{zone}: is {offset} from UTC, not India's 5:30", "set session.timezone")
    return Check("time zone", OK, zone)


def settings_checks(config: Config) -> list[Check]:
    """Look at the settings without which no order is sent, or no limit halts."""
    found = []
    model, risk = config.execution.fill_model, config.risk
    if model == "limit":
        found.append(Check("fill model", OK, "limit"))
    else:
        found.append(
            Check("fill model", FAILED, f'"{model}" knows no orders under way', 'set execution.fill_model = "limit"')
        )
    off = [name for name in ("max_day_loss", "max_orders_per_second", "max_orders_per_day") if not getattr(risk, name)]
    names = ", ".join(f"risk.{name}" for name in off)
    found.append(
        Check("limits", WARNING, f"no limit: {names}", "set them") if off else Check("limits", OK, "each one is set")
    )
    return found


def code_check(is_ready: Callable[[], bool]) -> Check:
    """See whether the engine's machine code is on disk."""
    if is_ready():
        return Check("machine code", OK, "is there")
    remedy = "the first start compiles it, up to a minute: do it before the open"
    return Check("machine code", WARNING, "is not there", remedy)


def fence_check(folder: Path, disk: Disk) -> Check:
    """Say who took the account's fence last."""
    try:
        epoch, last = read_epoch(folder, disk), holder(folder, disk)
    except JournalError as error:
        return Check("fence", FAILED, str(error))
    if not epoch:
        return Check("fence", OK, "nobody has taken it yet")
    whom = f"{last.name}, process {last.pid}" if last is not None else "somebody who is not known"
    return Check("fence", OK, f"epoch {epoch}, last taken by {whom}")
