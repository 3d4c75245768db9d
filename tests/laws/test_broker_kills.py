"""Law: a session with orders at a broker is killed at any moment, again and again: nothing is lost, nothing is doubled.

The oracle is the book of the lab, which lives in a process of its own. Some sessions play at once: most of a life is
waiting.
"""

import json
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from laws import broker_kill_child
from laws.broker_kill_child import AT_WORK_SAID, FOUND, KEY, STATE
from myquant.journal.reader import JournalReader
from myquant.session.playback import Playback
from myquant.session.runner import NoOrders
from session import book_laws
from session.forks import Child, forks

LONG: Final = bool(os.environ.get("MYQUANT_LONG"))
KILLS: Final = 10_000 if LONG else 500
KILLS_EACH: Final = 25  # of a session, before it is played to its end
TOGETHER: Final = 4
QUICK: Final = 20  # times as fast as the machine's time
# When one is killed: so many of ten so long at most after they were begun, after they had taken up the session, and after
# the first look at the books. To take it up and to look takes a tenth of a second.
MOMENTS: Final = (("", 2, 0.1), (AT_WORK_SAID, 2, 0.1), (FOUND, 6, 0.25))
FINISH_S: Final = 30.0
LOOK_S: Final = 0.001
RECOVERED_S: Final = 5.0  # till what is held is protected again


class Play:
    """A session on its lab: it is killed so many times, and then plays to its end."""

    def __init__(self, folder: Path, seed: int, kills: int, *, dedupe: bool) -> None:
        folder.mkdir()
        self.folder, self.seed, self.left = folder, seed, kills
        self.rng = np.random.default_rng(seed)
        self.origin_ns = time.monotonic_ns()
        self.protected_ms: list[float] = []
        self.is_over = False
        self._said = folder / "said"
        self._child: Child | None = None
        self._kill_at = self._deadline = 0.0
        self._lab = self._start("serve", "lab.said", *(["dedupe"] if dedupe else []))

    def step(self) -> None:
        """Do what is due."""
        if not (self.folder / STATE).exists():
            assert self._lab.poll() is None, (self.folder / "lab.said").read_text()
        elif self._child is None:
            self._live()
        elif self.left:
            self._kill()
        elif (code := self._child.poll()) is not None:
            assert code == 0, self._context()
            self._note_protected()
            self._hold()
            self._lab.send(signal.SIGKILL)
            self.is_over = True
        else:
            assert time.monotonic() < self._deadline, self._context()

    def end(self) -> None:
        for child in (self._lab, self._child):
            if child is not None:
                child.send(signal.SIGKILL)

    def _start(self, target: str, said: str, *arguments: Any) -> Child:
        common = (str(self.folder), self.origin_ns, self.seed, QUICK)
        return forks().start(f"laws.broker_kill_child:{target}", *common, *arguments, said=self.folder / said)

    def _live(self) -> None:
        self._said.write_text("")
        now = time.monotonic()
        self._child = self._start("play", "said", time.monotonic_ns(), int(not self.left))
        self._moment = MOMENTS[self.rng.choice(len(MOMENTS), p=[tenths / 10 for _, tenths, _ in MOMENTS])]
        self._kill_at = 0.0
        self._deadline = now + FINISH_S

    def _kill(self) -> None:
        """Kill it at its moment."""
        assert self._child is not None
        now = time.monotonic()
        if not self._kill_at:
            said, _, seconds = self._moment
            if said in self._said.read_text():
                self._kill_at = now + self.rng.uniform(0, seconds)
            else:
                assert self._child.poll() is None, self._context()
                assert now < self._deadline, self._context()
        elif now >= self._kill_at:
            self._child.send(signal.SIGKILL)
            assert self._child.wait() == -signal.SIGKILL, self._context()
            self._note_protected()
            self._child = None
            self.left -= 1

    def _note_protected(self) -> None:
        for line in self._said.read_text().splitlines():
            if line.startswith(FOUND):
                self.protected_ms.append(float(line.split()[1]))

    def _hold(self) -> None:
        address = json.loads((self.folder / STATE).read_text())["rest"]
        with urllib.request.urlopen(f"{address}/lab/orders", timeout=5) as reply:  # noqa: S310  (the lab's own address)
            oracle = json.load(reply)
        assert book_laws.is_flat(oracle), self._context()
        engine = broker_kill_child.new_engine()
        playback = Playback(engine, NoOrders(), asks_again=False)
        for block in JournalReader(self.folder / "session").blocks():
            playback.feed(block)
        playback.end()
        self.held = book_laws.hold(oracle, self.folder / "session", engine, KEY, self._context())

    def _context(self) -> str:
        return f"{self.folder}, seed {self.seed}, {self.left} kills left: {self._said.read_text()[-3000:]}"


def play(folder: Path, kills: int, *, dedupe: bool) -> list[Play]:
    """Play sessions till there were so many kills, some of them at once."""
    plays: list[Play] = []
    running: list[Play] = []
    try:
        while running or len(plays) * KILLS_EACH < kills:
            while len(running) < TOGETHER and len(plays) * KILLS_EACH < kills:
                seed = len(plays) + 1 + 1000 * dedupe
                plays.append(Play(folder / str(seed), seed, KILLS_EACH, dedupe=dedupe))
                running.append(plays[-1])
            for each in running:
                each.step()
            running = [each for each in running if not each.is_over]
            time.sleep(LOOK_S)
    finally:
        for each in plays:
            each.end()
    return plays


@pytest.mark.parametrize("dedupe", [False, True], ids=["no-dedupe", "dedupe"])
def test_random_kills_lose_and_double_nothing(disk_path: Path, *, dedupe: bool) -> None:
    plays = play(disk_path, KILLS // 2, dedupe=dedupe)
    orders = sum(each.held.orders for each in plays)
    protected_ms = [ms for each in plays for ms in each.protected_ms]
    assert orders >= KILLS // 2, "they hardly did anything"
    assert np.percentile(protected_ms, 99) <= RECOVERED_S * 1000, protected_ms
