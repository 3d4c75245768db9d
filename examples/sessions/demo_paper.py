"""A generated day through the lab and a paper session, then its replay and its divergence: what `make demo-paper` runs.

    python examples/sessions/demo_paper.py [--seed N]

Every command is shown before it runs, so that it can be repeated by hand. Works in the folder where it is called: the
session goes to runs/, the lab's output and the session's log to build/demo/. Settings of the environment are left out.
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
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

SYMBOL = "NIFTY07OCT2524900CE"
FOLDER = Path("build/demo")
LAB = FOLDER / "lab.txt"
LOG = FOLDER / "session-log.txt"
READY_S = 60.0
SETTING = re.compile(r"MYQUANT_\w+__\w+")
EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description="A day of a paper session against the lab.")
    parser.add_argument("--seed", type=int, default=55, help="of the generated day")
    seed = parser.parse_args().seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the lab is stopped then, too
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    session = Path("runs") / name
    plain = {key: value for key, value in os.environ.items() if not SETTING.fullmatch(key)}
    try:
        with lab(seed, plain) as addresses:
            say(f"eval \"$(grep '^export ' {LAB})\"")
            symbol = (SYMBOL, "--session", name, "--set", "capital.initial_capital=1000000")
            run("paper", "--broker", "angelone", *symbol, environ={**plain, **addresses}, log=LOG)
        run("replay", str(session), environ=plain)
        run("divergence", str(session), environ=plain)
    except subprocess.CalledProcessError as failed:
        return int(failed.returncode)
    print(f"\nThe report: {session / 'results' / 'report.html'}")
    return 0


@contextmanager
def lab(seed: int, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run the lab, on ports that are free; yield what a client of it needs in its environment."""
    words = (
        "lab",
        "--broker",
        "angelone",
        "--generate",
        "--seed",
        str(seed),
        "--asap",
        "--port",
        "0",
        "--feed-port",
        "0",
    )
    say(f"myquant {shlex.join(words)} > {LAB} &")
    with LAB.open("w") as out:
        process = subprocess.Popen(command(*words), stdout=out, env=environ)
    try:
        yield addresses_of(process)
    finally:
        process.terminate()
        process.wait(READY_S)
    say("kill %1")
    print(LAB.read_text().splitlines()[-1])


def addresses_of(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """Wait until the lab is ready, and return what it printed for the other shell."""
    deadline = time.monotonic() + READY_S
    while "lab: ready" not in (text := LAB.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"error: the lab did not begin:\n{text}")
        time.sleep(0.1)
    return dict(EXPORT.findall(text))


def run(*words: str, environ: Mapping[str, str], log: Path | None = None) -> None:
    """Show a command of myquant and run it; what it logs goes to a file, and is shown when it fails."""
    say(f"myquant {shlex.join(words)}" + (f" 2> {log}" if log else ""))
    if log is None:
        subprocess.run(command(*words), env=environ, check=True)
        return
    with log.open("w") as errors:
        ended = subprocess.run(command(*words), env=environ, stderr=errors, check=False)
    if ended.returncode:
        print(log.read_text(), file=sys.stderr)
    ended.check_returncode()


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "myquant", *words]


def say(line: str) -> None:
    print(f"\n$ {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
