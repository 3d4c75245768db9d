"""A session in the lab and the pages on which to watch it: what `make demo-dashboard` runs.

    python examples/dashboard/demo_dashboard.py [--seed N] [--speed N] [--minutes N]

A generated day is played in the lab, a session trades it with simulated fills, the monitor watches it and begins the pages, where
halt, resume and flatten work. The link that is printed lets one browser in. Every command is shown before it runs. Ctrl-C ends it
all, or the minutes that are given. Works in the folder where it is called: the session goes to runs/, all else to
build/demo/dashboard/. Settings of the environment are left out.
"""

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

SYMBOL = "NIFTY07OCT2524900CE"
FOLDER = Path("build/demo/dashboard")
READY_S = 120.0
SETTING = re.compile(r"MYQUANT_\w+__\w+")
EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)

Process = subprocess.Popen[bytes]


def main() -> int:
    parser = argparse.ArgumentParser(description="A session in the lab, and the pages on which to watch it.")
    parser.add_argument("--seed", type=int, default=55, help="of the generated day")
    parser.add_argument("--speed", type=float, default=20, help="of the market")
    parser.add_argument("--minutes", type=float, help="after which it ends; else Ctrl-C ends it")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that everything is stopped then, too
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    kept = {key: value for key, value in os.environ.items() if not SETTING.fullmatch(key)}
    plain = {**kept, "MYQUANT_STATE": str(FOLDER.absolute() / name)}
    day = ("--generate", "--seed", str(asked.seed), "--speed", str(asked.speed), "--port", "0", "--feed-port", "0")
    pages = ("--set", "dashboard.controls=true", "--set", "dashboard.port=0", "--set", "monitor.port=0")
    with suppress(KeyboardInterrupt), ExitStack() as running:
        say(f"export MYQUANT_STATE=$PWD/{FOLDER}/{name}")
        lab = running.enter_context(beside("lab", "--broker", "angelone", *day, environ=plain))
        addresses = dict(EXPORT.findall(wait_for_lab(lab)))
        say(f'eval "$(grep ^export {FOLDER}/lab.txt)"    # the address of the lab, and the secrets of its account')
        trades = ("--broker", "angelone", SYMBOL, "--session", name, "--set", "capital.initial_capital=1000000")
        session = running.enter_context(beside("paper", *trades, environ={**plain, **addresses}))
        monitor = running.enter_context(beside("monitor", *pages, environ=plain))
        say("myquant dashboard link    # another one, when this was used or is older than ten minutes")
        print(link(monitor, plain), flush=True)
        print(
            "\nOpen it in a browser: what it shows may be halted, resumed and flattened. Ctrl-C ends all.", flush=True
        )
        wait(session, asked.minutes)
    return 0


@contextmanager
def beside(*words: str, environ: Mapping[str, str]) -> Iterator[Process]:
    """Run a command of myquant beside the script, what it says into a file of its own; end it at the end."""
    log = FOLDER / f"{words[0]}.txt"
    say(f"myquant {shlex.join(words)} > {log} 2>&1 &")
    with log.open("w") as out:
        process = subprocess.Popen(command(*words), stdout=out, stderr=subprocess.STDOUT, env=environ, process_group=0)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(READY_S)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for_lab(lab: Process) -> str:
    """Wait until the lab is ready; return all that it said."""
    deadline = time.monotonic() + READY_S
    while "lab: ready" not in (said := (FOLDER / "lab.txt").read_text()):
        if lab.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"error: the lab did not begin:\n{said}")
        time.sleep(0.1)
    return said


def link(monitor: Process, environ: Mapping[str, str]) -> str:
    """Return a link that lets a browser in, once the pages are served."""
    deadline = time.monotonic() + READY_S
    while monitor.poll() is None and time.monotonic() < deadline:
        asking = subprocess.run(
            command("dashboard", "link"), env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
        if not asking.returncode:
            return asking.stdout.decode().strip()
        time.sleep(0.5)
    sys.exit(f"error: the pages did not begin:\n{(FOLDER / 'monitor.txt').read_text()}")


def wait(session: Process, minutes: float | None) -> None:
    """Wait for some minutes, or for ever; say it when the session's day is over meanwhile."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    is_told = False
    while deadline is None or time.monotonic() < deadline:
        if session.poll() is not None and not is_told:
            is_told = True
            print(f"\nThe session is over (exit code {session.returncode}); the pages stay until Ctrl-C.", flush=True)
        time.sleep(0.5)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "myquant", *words]


def say(line: str) -> None:
    print(f"\n$ {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
