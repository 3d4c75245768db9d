"""Orders at a broker, with no money at stake: a paper session, then the same with orders at the lab: `make demo-live`.

    python examples/sessions/demo_live.py [--seed N] [--speed N]

Some minutes of generated ticks are traded twice with the settings of demo_live.toml: on paper, as fast as they are taken,
which is the evidence that `myquant live` asks for; then with orders at the lab, at twenty times the market's speed. What
the session says of its trades is held against the lab's own book of orders. Every command is shown before it runs. Works in
the folder where it is called: sessions go to runs/, what is said beside them to build/demo/.
"""

import argparse
import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SYMBOL = "NIFTY07OCT2524900CE"
SETTINGS = Path(__file__).with_suffix(".toml")
FOLDER = Path("build/demo")
TICKS = FOLDER / f"{SYMBOL}.csv"
LAB = FOLDER / "lab-live.txt"
READY_S = 60.0
SETTING = re.compile(r"MYQUANT_\w+__\w+")
EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)
REST = "MYQUANT_ANGELONE__REST_URL"


def main() -> int:
    parser = argparse.ArgumentParser(description="A session on paper, then with orders at the lab.")
    parser.add_argument("--seed", type=int, default=55, help="of the generated ticks")
    parser.add_argument("--speed", type=float, default=20, help="of the market while orders go to the lab")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the lab is stopped then, too
    FOLDER.mkdir(parents=True, exist_ok=True)
    plain = {key: value for key, value in os.environ.items() if not SETTING.fullmatch(key)}
    with_config = ("--config", str(SETTINGS))
    try:
        run(
            "ticks",
            "generate",
            str(TICKS),
            "--quotes",
            "--force",
            "--seed",
            str(asked.seed),
            *with_config,
            environ=plain,
        )
        rehearsal = session("paper", "--asap", environ=plain)
        live = session("live", "--speed", str(asked.speed), environ=plain)
        run("replay", str(live), environ=plain)
    except subprocess.CalledProcessError as failed:
        return int(failed.returncode)
    print_shadow(live)
    print(f"\nThe reports: {rehearsal / 'results' / 'report.html'}, {live / 'results' / 'report.html'}")
    return 0


def session(kind: str, *pace: str, environ: Mapping[str, str]) -> Path:
    """Run a session on a lab of its own, and return its folder; with orders, hold it against the lab's book."""
    name = f"demo-{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder = Path("runs") / name
    knowing = ("--i-understand",) if kind == "live" else ()
    words = (kind, "--broker", "angelone", SYMBOL, *knowing, "--session", name, "--config", str(SETTINGS))
    with lab(*pace, environ=environ) as addresses:
        say(f"eval \"$(grep '^export ' {LAB})\"")
        run(*words, environ={**environ, **addresses}, log=FOLDER / f"{kind}-log.txt")
        if kind == "live":
            hold_against_lab(addresses[REST], folder)
    return folder


@contextmanager
def lab(*pace: str, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run the lab, on ports that are free; yield what a client of it needs in its environment."""
    words = ("lab", "--broker", "angelone", "--ticks", str(TICKS), *pace, "--port", "0", "--feed-port", "0")
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


def hold_against_lab(url: str, folder: Path) -> None:
    """Print the lab's book of orders beside what the session says that it traded."""
    say(f"curl -s {url}/lab/orders")
    with urllib.request.urlopen(f"{url}/lab/orders", timeout=READY_S) as reply:  # noqa: S310  (the lab's own address)
        book: dict[str, Any] = json.load(reply)
    orders = book["orders"]
    states = [each["state"] for each in orders]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    value = sum(-each["side"] * each["value"] for each in orders) / 100
    units = [sum(each["filled"] for each in orders if each["side"] == side) for side in (1, -1)]
    with (folder / "results" / "trades.csv").open(newline="") as file:
        trades = list(csv.DictReader(file))
    sold = sum(int(each["quantity"]) for each in trades)
    gross = sum(float(each["gross_pnl"]) for each in trades)
    print(
        f"The lab's book  {len(orders)} orders ({counts}): {units[0]} units bought, {units[1]} sold, gross {value:,.2f}"
    )
    print(f"The session     {len(trades)} trades: {sold} units sold, gross {gross:,.2f}")
    if units[0] != units[1] or units[1] != sold or abs(value - gross) >= 0.005:
        sys.exit("error: they are not the same")
    print("The same, to the paisa")


def print_shadow(folder: Path) -> None:
    """Print how far the simulated exchange, which ran beside, was from the lab's."""
    path = folder / "shadow.json"
    say(f"cat {path}")
    shadow = json.loads(path.read_text())
    filled = f"{shadow['both_filled']} filled at both, {shadow['only_real_filled']} at the lab only"
    print(f"The shadow      of {shadow['orders']} orders {filled}, {shadow['only_shadow_filled']} simulated only")
    if shadow["worse_mean_paise"] is not None:
        worst = f"{shadow['worse_p95_paise']:.1f} paise in 95 % of them at most"
        print(
            f"                the lab's prices were worse by {shadow['worse_mean_paise']:.1f} paise a unit on average, {worst}"
        )


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
