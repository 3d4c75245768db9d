"""A session on a lab that is treated roughly: suspended, killed again and again, its disk full, its secrets looked for."""

import errno
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from lab.planted import SECRETS, WRONG, left_behind, tokens_of
from myquant.core import codes
from myquant.journal import record
from session.forks import Child
from session.stage import SYMBOL, Stage, assert_sound, journal_keys, on_stage, source_keys, until, write_day

NO_FEED = {"feed": {"healthy": False}}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as found:
        yield found


def ticks_taken(stage: Stage, least: int, child: Child) -> None:
    """Wait until a session has taken so many ticks."""

    def taken() -> bool:
        status = stage.status()
        return status is not None and status["instruments"][0]["ticks"] >= least

    until(taken, child, stage.folder / "s.said")


def test_a_suspended_session_misses_nothing(stage: Stage) -> None:
    lab = stage.lab(speed=2000)
    session = stage.paper(lab)
    ticks_taken(stage, 500, session)
    session.send(signal.SIGSTOP)
    time.sleep(1.2)  # more than twice the silence that a connection may keep
    session.send(signal.SIGCONT)
    assert session.wait() == 0, stage.said()
    journal = assert_sound(stage.session())
    assert len(source_keys(stage.ticks) - set(journal_keys(journal))) <= 1  # of a first packet nothing is known before
    assert "the loop was late" in stage.said()


def test_random_kills_of_a_whole_session(stage: Stage) -> None:
    rng = np.random.default_rng(3)
    lab = stage.lab(speed=600)  # its day is not over before the last of them begins, however slow the machine
    for kills in count():
        session = stage.paper(lab)
        if kills % 2:  # while it begins, or soon after
            time.sleep(rng.uniform(0.3, 0.9))
        else:  # at work, however long that took
            until(lambda: (stage.status() or NO_FEED)["feed"]["healthy"], session, stage.folder / "s.said")
            time.sleep(rng.uniform(0, 0.6))
        if kills < 4:
            session.send(signal.SIGKILL)
        code = session.wait()
        if code != -signal.SIGKILL:
            break
    assert code == 0, stage.said()
    journal = assert_sound(stage.session())
    assert set(journal_keys(journal)) <= source_keys(stage.ticks)
    assert len(journal.notes_of(record.STARTED)) > 2
    assert len(journal.notes_of(record.STOPPED)) == 1


def assert_ended_by_the_disk(stage: Stage, session: Child) -> None:
    """Hold that a session whose disk took nothing more ended flat, with its code, and can be gone on with."""
    assert session.wait() == 4, stage.said()
    assert f"halted symbol={SYMBOL} reason=journal" in stage.said()
    assert "the results can't be written" in stage.said()
    journal = assert_sound(stage.session())
    assert journal.commands_of(codes.HALTED)["reason"].tolist() == [codes.BY_JOURNAL]
    opened, closed = (journal.commands_of(kind) for kind in (codes.POSITION_OPENED, codes.TRADE_CLOSED))
    assert opened["quantity"].sum() == closed["quantity"].sum() > 0
    assert not (opened["sequence"] > journal.commands_of(codes.HALTED)["sequence"][0]).any()
    (stopped,) = journal.notes_of(record.STOPPED)
    assert stopped["code"] == 4


def long_day(stage: Stage) -> None:
    """Let the afternoon have more ticks than two segments take."""
    write_day(stage.folder / f"{SYMBOL}.csv", count=12_000)


@pytest.mark.parametrize("fill_model", ["ltp", "limit"])
def test_no_file_may_grow_any_more(stage: Stage, fill_model: str) -> None:
    long_day(stage)
    session = stage.paper(stage.lab(speed=900), execution__fill_model=fill_model)
    ticks_taken(stage, 100, session)
    resource.prlimit(session.pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
    assert_ended_by_the_disk(stage, session)
    assert os.strerror(errno.EFBIG) in stage.said()


def fill(path: Path) -> None:
    """Take all that a disk has left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017  (that it comes is sure)


def test_a_full_disk(stage: Stage) -> None:
    place = stage.folder / "runs"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("only a superuser who may mount can make a small disk")
    try:
        long_day(stage)
        lab = stage.lab(speed=900)
        session = stage.paper(lab)
        ticks_taken(stage, 100, session)
        filler = place / "filler"
        fill(filler)
        assert_ended_by_the_disk(stage, session)
        assert os.strerror(errno.ENOSPC) in stage.said()
        filler.unlink()
        again = stage.paper(lab)
        ticks_taken(stage, 100, again)
        status = stage.status()
        assert status is not None
        assert "halted: journal" in status["entries"]["reason"]
        again.send(signal.SIGTERM)
        assert again.wait() == 0
        assert_sound(stage.session())
    finally:
        stage.end()
        time.sleep(0.1)
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607  (where it is differs)


@pytest.mark.parametrize("faults", [(), ("token_roll=after:2000",), ("login_garbage=2",)], ids=str)
def test_no_secret_is_found_anywhere(stage: Stage, faults: tuple[str, ...]) -> None:
    lab = stage.lab(*faults, environ=SECRETS)
    assert stage.paper(lab).wait() == 0, stage.said()
    tokens = stage.folder / "cache" / "angelone" / "tokens.json"
    secrets = [*SECRETS.values(), *WRONG.values(), *tokens_of(tokens.parent)]
    for name, wrong in WRONG.items():
        tokens.unlink(missing_ok=True)
        refused = stage.paper(replace(lab, environ=lab.environ | {name: wrong}), name=name)
        assert refused.wait() == 5
        assert "Traceback" in stage.said(name)
    written = left_behind(stage.folder)
    assert {"s.said", "runs/s/log.jsonl", *(f"{name}.said" for name in WRONG)} <= set(written)
    for place, content in written.items():
        for number, secret in enumerate(secrets):
            assert len(secret) > 5
            assert secret.encode() not in content, (place, number)
