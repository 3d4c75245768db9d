"""`myquant flatten --broker`: the fence first, then the plan and the question, then a broker in virtual time."""

import errno
import io
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.ended import Run
from myquant.brokers.port import BrokerInstrument
from myquant.config.loading import LoadedConfig, load_config
from myquant.errors import BrokerError
from myquant.journal import disk
from myquant.journal.disk import DISK, Disk
from myquant.session import archive, at_broker, quick_loop
from myquant.session.at_broker import fence_folder
from myquant.session.fence import Fence
from myquant.strategies.loading import default_strategy
from session import flattening_market
from session.flattening_market import KEY, LOT, SYMBOL, TICK, TOKEN, Market
from session.test_archive import facts_of

OTHER = "50001"
CODE = "A123456"
SECRETS = {"API_KEY": "key", "CLIENT_CODE": CODE, "PIN": "4711", "TOTP_SECRET": "JBSWY3DPEHPK3PXP"}


class Port(Market):
    """The market as an order port that is started and closed."""

    started = False
    public_ip = ""  # that orders name

    def start(self) -> None:
        self.started = True

    async def aclose(self) -> None:
        assert self.started
        self.started = False


class At:
    """An account that has logged in."""

    account = SimpleNamespace(notes=("the tokens can't be kept",))

    def __init__(self, port: Port) -> None:
        self._port = port

    def orders(self, key: int) -> Port:
        assert key == KEY
        return self._port

    def contracts(self) -> "At":
        return self

    async def instruments(self, symbols: list[str]) -> tuple[BrokerInstrument, ...]:
        return tuple(BrokerInstrument(each, "NFO", TOKEN, 2, LOT, TICK) for each in symbols)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


@pytest.fixture
def fenced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fence:
    """Return the fence of an engine of the account that still runs."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"MYQUANT_ANGELONE_{name}", value)
    monkeypatch.setenv("MYQUANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))
    return Fence.take(fence_folder(tmp_path / "state", load_config().config, CODE), "monday", DISK)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, fenced: Fence) -> Port:
    assert fenced.holds()
    found = Port({TOKEN: 150, OTHER: 75}, prices={TOKEN: 10_000, OTHER: 5_000})
    found.rest()

    @asynccontextmanager
    async def opened(loaded: LoadedConfig, *_: Any, **__: Any) -> AsyncIterator[At]:
        found.public_ip = loaded.config.angelone.public_ip
        yield At(found)

    def in_virtual_time(main: Coroutine[Any, Any, Any]) -> Any:
        return flattening_market.run(main)

    monkeypatch.setattr(at_broker, "open_at_broker", opened)
    monkeypatch.setattr(at_broker, "new_key", lambda: KEY)
    monkeypatch.setattr(quick_loop, "run_loop", in_virtual_time)
    monkeypatch.setattr("time.monotonic_ns", flattening_market.now_ns)
    return found


def test_the_account_is_fenced_and_flat(run: Run, port: Port, fenced: Fence) -> None:
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert port.true == {TOKEN: 0, OTHER: 0}
    assert not fenced.holds()
    lines = ended.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("fenced: "))
    assert lines[at].startswith("fenced: no engine on this machine that began before can send orders")
    assert "(the last was monday, process " in lines[at]
    assert f"  close   +150 {SYMBOL}, INTRADAY" in lines
    assert lines[-1] == "flat: the broker's books say so"
    assert "  note    the tokens can't be kept" in lines
    assert not port.started
    assert not any(secret in ended.out for secret in SECRETS.values())


def session_at(folder: Path, *assignments: str) -> str:
    """Make the folder of a session of these settings, and return its path."""
    loaded = load_config(assignments=assignments)
    archive.create(folder, facts_of(loaded), loaded, default_strategy())
    return str(folder)


@pytest.mark.parametrize(
    ("words", "used"),
    [((), "10.0.0.9"), (("--set", "angelone.public_ip=10.0.0.7"), "10.0.0.7")],
)
def test_it_speaks_to_the_broker_as_the_session_did(
    run: Run, port: Port, tmp_path: Path, words: tuple[str, ...], used: str
) -> None:
    place = fence_folder(tmp_path / "state", load_config().config, CODE)
    folder = session_at(tmp_path / "tuesday", "angelone.public_ip=10.0.0.9")
    Fence.take(place, "tuesday", DISK, session=folder).close()
    for _ in range(2):  # a second run still knows whose settings they were
        ended = run("flatten", "--broker", "angelone", "--yes", *words)
        assert ended.code == 0
        assert port.public_ip == used
        line = 'as session tuesday had it: angelone.public_ip = "10.0.0.9"\n'
        assert ended.out.startswith(line) == (not words)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_session_that_can_not_be_read_keeps_nobody_from_getting_out(
    run: Run, port: Port, tmp_path: Path, *, is_there: bool
) -> None:
    place = fence_folder(tmp_path / "state", load_config().config, CODE)
    folder = tmp_path / "tuesday"
    if is_there:
        session_at(folder)
        (folder / "config.toml").write_text('[angelone]\npublic_ip = "nowhere"\n')
    Fence.take(place, "tuesday", DISK, session=str(folder)).close()
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert ended.code == 0
    assert ended.out.startswith("the last session's settings can't be taken: ")
    assert port.true == {TOKEN: 0, OTHER: 0}


def test_where_no_session_is_known_it_says_whose_settings_count(run: Run, port: Port) -> None:
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert port.public_ip == "127.0.0.1"
    assert ended.out.startswith("no session of this account at https://apiconnect.angelone.in is known here: ")


def test_one_contract_alone(run: Run, port: Port) -> None:
    ended = run("flatten", "--broker", "angelone", "--yes", "--symbol", SYMBOL, "--no-wait")
    assert ended.code == 0
    assert port.true == {TOKEN: 0, OTHER: 75}
    assert f"  left alone: +75 {OTHER} (INTRADAY)" in ended.out
    assert "not waited: an order that was under way may still fill in the next 35 s" in ended.out


def test_what_cannot_be_closed_is_no_success(run: Run, port: Port) -> None:
    def refuse(_: Any) -> None:
        raise flattening_market.RefusedError("the market is closed")

    port.on_place = refuse
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert ended.code == 5
    assert ended.errors == ["angelone: not flat: close what is left in the broker's own application, or run this again"]


class Terminal(io.StringIO):
    """A terminal at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("no\n", 1), ("", 1)])
def test_a_person_is_asked(
    run: Run, port: Port, fenced: Fence, answer: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert run("flatten", "--broker", "angelone").code == code
    assert port.true[TOKEN] == (0 if code == 0 else 150)
    assert bool(port.placed) == (code == 0)
    assert fenced.holds() == (code != 0)  # who says no has stopped nothing


@pytest.mark.parametrize(
    ("words", "holds", "said"),
    [(("--yes",), False, "fenced, but not flat: "), ((), True, "NOT FENCED: an engine that runs can send orders")],
)
def test_a_broker_that_can_not_be_reached_delays_only_the_fence_of_one_who_is_asked(
    run: Run, fenced: Fence, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], holds: bool, said: str
) -> None:
    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> AsyncIterator[Any]:
        if fenced.holds() == holds:
            raise BrokerError("Angel One: instrument master failed: it can't be reached")
        yield

    monkeypatch.setattr(at_broker, "open_at_broker", opened)
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    ended = run("flatten", "--broker", "angelone", *words)
    assert ended.code == 5
    assert fenced.holds() == holds
    assert said in ended.out


def test_who_holds_the_fence_need_not_be_known(run: Run, port: Port, fenced: Fence, tmp_path: Path) -> None:
    assert port.started is False
    name = fence_folder(tmp_path / "state", load_config().config, CODE) / "holder.json"
    name.unlink()
    name.mkdir()
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert "\nNOT FENCED" not in ended.out
    assert not fenced.holds()


@pytest.mark.usefixtures("port")
def test_a_fence_that_cannot_be_raised_is_told(run: Run, tmp_path: Path) -> None:
    folder = fence_folder(tmp_path / "state", load_config().config, CODE)
    (folder / "fence").write_bytes(b"x" * 8)
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert ended.code == 0
    assert "\nNOT FENCED: " in ended.out
    assert "an engine that runs, or wakes up, can send orders again: end it now, in another terminal" in ended.out
    assert f"kill -9 {os.getpid()}, session monday, unless it has ended" in ended.out


class BrokenDisk(Disk):
    """A disk one of whose calls fails."""

    def __init__(self, call: str, code: int) -> None:
        def refuse(*_: object) -> Any:
            raise OSError(code, os.strerror(code))

        setattr(self, call, refuse)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize(
    ("call", "head"),
    [
        ("sync_data", "FENCED IN MEMORY ONLY: "),
        ("open_or_create", "NOT FENCED: "),
        ("open_to_write", "NOT FENCED: "),
        ("map_to_write", "NOT FENCED: "),
        ("create", "fenced: "),
        ("sync", "fenced: "),
        ("names", "NOT FENCED: "),
    ],
)
def test_a_failing_disk_keeps_nobody_from_getting_out(
    run: Run, port: Port, monkeypatch: pytest.MonkeyPatch, call: str, head: str, code: int
) -> None:
    monkeypatch.setattr(disk, "DISK", BrokenDisk(call, code))
    ended = run("flatten", "--broker", "angelone", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert port.true == {TOKEN: 0, OTHER: 0}
    assert f"\n{head}" in f"\n{ended.out}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("monday", "--broker", "angelone"), "takes no session"),
        (("--symbol", "X"), "go with --broker"),
        (("--no-wait",), "go with --broker"),
        (("--set", "risk.max_rejects=2"), "go with --broker"),
        (("--broker", "nobody", "--yes"), "--broker nobody: not known"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    ended = run("flatten", *words)
    assert ended.code == 2
    assert said in ended.err
