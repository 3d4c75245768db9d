"""A session that dies with a position, and the alert of it arriving at a webhook: what `make demo-monitor` runs.

    python examples/monitoring/demo_monitor.py [--seed N] [--speed N]

A generated day is played in the lab, a session trades it on paper, the monitor watches, and its alerts go to a web server of this
script. The session is killed while it holds something (or after a while); the same command then goes on with it, and the end of
the alert arrives, too. Every command is shown before it runs. Works in the folder where it is called: the session goes to
runs/, all else, the monitor's own folder included, to build/demo/monitor/. Settings of the environment are left out.
"""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

SYMBOL = "NIFTY07OCT2524900CE"
FOLDER = Path("build/demo/monitor")
READY_S = 120.0
POSITION_S = 60.0
SETTING = re.compile(r"MYQUANT_\w+__\w+")
EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)

Arrived = tuple[float, dict[str, Any]]


def main() -> int:
    parser = argparse.ArgumentParser(description="A session dies, and an alert arrives.")
    parser.add_argument("--seed", type=int, default=55, help="of the generated day")
    parser.add_argument("--speed", type=float, default=40, help="of the market")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped then, too
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    plain = {key: value for key, value in os.environ.items() if not SETTING.fullmatch(key)}
    paper = ("paper", "--broker", "angelone", SYMBOL, "--session", name, "--set", "capital.initial_capital=1000000")
    with ExitStack() as running:
        arrived, address = running.enter_context(sink())
        day = ("--generate", "--seed", str(asked.seed), "--speed", str(asked.speed), "--port", "0", "--feed-port", "0")
        lab = running.enter_context(beside("lab", "--broker", "angelone", *day, environ=plain))
        addresses = dict(EXPORT.findall(wait_for(lab, "lab: ready")))
        watching = {**plain, "MYQUANT_ALERT_DEMO": address, "MYQUANT_STATE": str(FOLDER.absolute() / "state")}
        channels = [f'alerts.{severity}=["demo"]' for severity in ("info", "warning", "critical")]
        words = [word for each in (*channels, "monitor.port=0") for word in ("--set", each)]
        say(f'eval "$(grep ^export {FOLDER}/lab.txt)"    # the address of the lab, and the secrets of its account')
        say(f"export MYQUANT_ALERT_DEMO={address} MYQUANT_STATE=$PWD/{FOLDER}/state")
        monitor = running.enter_context(beside("monitor", "--no-dashboard", *words, environ=watching))
        session = running.enter_context(beside(*paper, environ={**plain, **addresses}))
        held = wait_for_position(name, session, plain)
        say(f"kill -9 {session.pid}    # it holds {held}")
        killed_s = time.monotonic()
        session.kill()
        show(arrival(arrived, re.compile(rf"{name} \(paper\): engine_dead \(\w+\) raised"), monitor), killed_s)
        again_s = time.monotonic()
        session = running.enter_context(beside(*paper, environ={**plain, **addresses}))
        show(arrival(arrived, re.compile(rf"{name} \(paper\): engine_dead \(\w+\) resolved"), monitor), again_s)
        say(f"kill {session.pid}    # the session ends in order")
        session.terminate()
        session.wait(READY_S)
    print("\nThe alert came, and its end came.")
    return 0


@contextmanager
def sink() -> Iterator[tuple["Queue[Arrived]", str]]:
    """Run a web server that takes what a channel `json://` delivers; yield what arrives, and its address for apprise."""
    arrived: Queue[Arrived] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.put((time.monotonic(), json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield arrived, f"json://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def beside(*words: str, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of myquant beside the script, what it says into a file of its own; end it at the end."""
    log = FOLDER / f"{words[0]}.txt"
    say(f"myquant {shlex.join(words)} > {log} 2>&1 &")
    with log.open("w") as out:
        process = subprocess.Popen(command(*words), stdout=out, stderr=subprocess.STDOUT, env=environ)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(READY_S)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(process: subprocess.Popen[bytes], text: str) -> str:
    """Wait until the lab has said something; return all that it said."""
    deadline = time.monotonic() + READY_S
    while text not in (said := (FOLDER / "lab.txt").read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"error: the lab did not begin:\n{said}")
        time.sleep(0.1)
    return said


def wait_for_position(name: str, session: subprocess.Popen[bytes], environ: Mapping[str, str]) -> str:
    """Wait until the session ticks and holds something, for a minute at most; return what it holds."""
    begun_s = ticked_s = time.monotonic()
    while time.monotonic() < ticked_s + POSITION_S:
        if session.poll() is not None or time.monotonic() > begun_s + READY_S:
            sys.exit(f"error: the session does not trade:\n{(FOLDER / 'paper.txt').read_text()}")
        words = command("status", name, "--json")
        answer = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
        if answer.returncode:
            ticked_s = time.monotonic()  # it compiles, or recovers
            time.sleep(0.5)
            continue
        (found,) = json.loads(answer.stdout)["instruments"]
        if found["position"]:
            return f"{found['position']['quantity']} {found['symbol']}"
    return "nothing"


def arrival(arrived: "Queue[Arrived]", wanted: re.Pattern[str], monitor: subprocess.Popen[bytes]) -> Arrived:
    """Wait for a message whose text has what is wanted; print the titles of others."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and monitor.poll() is None:
        try:
            when_s, message = arrived.get(timeout=0.5)
        except Empty:
            continue
        if wanted.search(message["message"]):
            return when_s, message
        print(f"(another message: {message['title']})", flush=True)
    sys.exit(f"error: no such message arrived; the monitor said:\n{(FOLDER / 'monitor.txt').read_text()}")


def show(arrived: Arrived, since_s: float) -> None:
    when_s, message = arrived
    print(f"\nArrived after {when_s - since_s:.1f} s:\n{message['title']}\n{message['message']}", flush=True)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "myquant", *words]


def say(line: str) -> None:
    print(f"\n$ {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
