"""A process that has all loaded and forks: a child is at work within some milliseconds, and can be killed like any other.

python forks.py     takes requests and answers them, a line of JSON each; at the end of its input its children end
"""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
LOADED = (  # not polars: it begins threads, and a fork takes only one along
    "myquant.cli.app",
    "myquant.cli.settings",
    "myquant.brokers.angelone.opening",
    "myquant.session.loop",
    "myquant.session.recovery",
    "myquant.session.replay",
    "myquant.session.divergence",
    "myquant.session.broker_side",
    "myquant.session.process",
    "myquant.session.shadow",
    "myquant.lab.angelone.server",
    "myquant.lab.market_day",
    "rich.console",
    "uvloop",
    "keyring",
    "laws.broker_kill_child",
)
LOOK_S = 0.002  # how often an end is looked for


class Child:
    """A child that was forked off."""

    def __init__(self, forks: "Forks", pid: int) -> None:
        self._forks = forks
        self.pid = pid
        self.code: int | None = None

    def send(self, number: int) -> None:
        """Send it a signal; one that has ended is a zombie till it is asked for, so the number is still its own."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """Return its exit code, below 0 for a signal; None: it runs."""
        if self.code is None:
            self.code = self._forks.ask(poll=self.pid)
        return self.code

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for its end and return its exit code."""
        deadline = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline, f"process {self.pid} still runs after {timeout_s} s"
            time.sleep(LOOK_S)
        return code


class Forks:
    """The process that forks, as a test has it."""

    def __init__(self) -> None:
        places = f"{TESTS.parent / 'src'}{os.pathsep}{TESTS}"  # the sources beside these tests, whichever are installed
        environ = os.environ | {"PYTHONPATH": places, "OPENBLAS_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True, env=environ)
        assert self._read() == "ready"

    def start(
        self,
        target: str,
        *arguments: Any,
        said: Path,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Child:
        """Call `module:function` in a child; what it returns is its exit code. stdout and stderr go to the file `said`."""
        request = {"target": target, "arguments": arguments, "said": str(said), "environ": dict(environ or {})}
        return Child(self, self.ask(**request, folder=str(folder or said.parent)))

    def ask(self, **request: Any) -> Any:
        """Send a request and return its answer."""
        stream = self._process.stdin
        assert stream is not None
        stream.write(json.dumps(request) + "\n")
        stream.flush()
        return self._read()

    def close(self) -> None:
        """End it, and all its children."""
        self._process.communicate(timeout=30)

    def _read(self) -> Any:
        stream = self._process.stdout
        assert stream is not None
        return json.loads(stream.readline())


@cache
def forks() -> Forks:
    """Return the one that all tests of this process share; it ends with the process."""
    found = Forks()
    atexit.register(found.close)
    return found


def command(*words: str) -> int:
    """Run a command line of the program: a target."""
    main = import_module("myquant.cli.app").main
    return int(main(words))


def _serve() -> None:
    for name in LOADED:
        import_module(name)
    import_module("session.warming").warm()
    gc.collect()
    gc.freeze()  # a child's collection need not look at what is here, which would copy it
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208  (names are what is wanted)
    assert threads == 1, f"{threads} threads"
    running: set[int] = set()
    _answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            running.discard(pid)
            _answer(os.waitstatus_to_exitcode(status) if pid else None)
        else:
            running.add(pid := os.fork())
            if not pid:
                _work(**request)
            _answer(pid)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _answer(found: Any) -> None:
    print(json.dumps(found), flush=True)  # noqa: T201  (to the process that asked)


def _work(target: str, arguments: Sequence[Any], said: str, environ: Mapping[str, str], folder: str) -> None:
    """Do the work of a child; it never returns."""
    code = 70
    try:
        for number in (0, 1, 2):
            os.dup2(os.open(os.devnull if number == 0 else said, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), number)
        os.environ.update(environ)
        os.chdir(folder)
        module, _, function = target.partition(":")
        code = getattr(import_module(module), function)(*arguments) or 0
    finally:
        sys.stdout.flush()
        if (error := sys.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
