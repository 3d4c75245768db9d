"""Measure, decide, switch on, prove, measure again: what `make demo-evidence` runs.

    python examples/evidence/demo_evidence.py [--folder DIR] [--ticks N] [--rate R]

The first baseline is of the plain pipeline. What its gate switches on and proves is on in the next one, whose shares are other
ones, and so on until nothing more is worth it. Every command is shown before it runs, so that it can be repeated by hand.
Settings of the environment are left out.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

PLAIN = {"handoff": "queue", "logging": "sync", "results": "direct", "frames": "append", "tick_line_every": "100"}
ROUNDS_MAX = 5
SETTING = re.compile(r"MYQUANT_\w+__\w+")
ENVIRON = {key: value for key, value in os.environ.items() if not SETTING.fullmatch(key)}


def main() -> int:
    parser = argparse.ArgumentParser(description="From the plain pipeline to the one that is proven.")
    parser.add_argument("--folder", type=Path, default=Path("build/demo-evidence"), help="where the reports go")
    parser.add_argument("--ticks", type=int, default=10_000, help="that each baseline measures")
    parser.add_argument("--rate", type=int, default=970, help="ticks a second")
    parser.add_argument("--seed", type=int, default=55, help="of the generated days")
    asked = parser.parse_args()
    for earlier in asked.folder.glob("round-*"):
        shutil.rmtree(earlier)
    pipeline = dict(PLAIN)
    try:
        for number in range(1, ROUNDS_MAX + 1):
            folder = asked.folder / f"round-{number}"
            run("baseline", *measured(pipeline, asked), "--out", str(folder))
            run("gate", str(folder), "--apply", "--verify")
            kept = tomllib.loads((folder / "evidence" / "overlay.toml").read_text(encoding="utf-8")).get("pipeline", {})
            if kept.items() <= pipeline.items():
                break
            pipeline |= kept
        run("compare", str(asked.folder / "round-1"), str(folder), may_fail=True)
    except subprocess.CalledProcessError as failed:
        return int(failed.returncode)
    print(f"\nThe last report: {folder / 'baseline.html'}")
    print(
        "What evidence has switched on:", ", ".join(f"{key} = {value}" for key, value in changed(pipeline)) or "nothing"
    )
    return 0


def measured(pipeline: dict[str, str], asked: argparse.Namespace) -> list[str]:
    """Return the words that ask for a baseline of a pipeline."""
    words = ["--ticks", str(asked.ticks), "--rate", str(asked.rate), "--seed", str(asked.seed)]
    words += ["--set", "capital.initial_capital=1000000"]
    if pipeline == PLAIN:
        return ["--plain", *words]
    return words + [word for key, value in pipeline.items() for word in ("--set", f"pipeline.{key}={value}")]


def changed(pipeline: dict[str, str]) -> list[tuple[str, str]]:
    """Return what is not plain any more."""
    return [(key, value) for key, value in pipeline.items() if value != PLAIN[key]]


def run(*words: str, may_fail: bool = False) -> None:
    """Show a command of myquant and run it."""
    print(f"\n$ myquant {shlex.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "myquant", *words], env=ENVIRON, check=not may_fail)


if __name__ == "__main__":
    sys.exit(main())
