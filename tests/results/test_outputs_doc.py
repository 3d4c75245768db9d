"""docs/outputs.md lists every column and key, and nothing else."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from myquant.core import codes
from myquant.results.summary import summary
from myquant.results.trades import EQUITY_COLUMNS, TRADE_COLUMNS
from myquant.results.write import FILES
from results.sample import rich_record

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")

# Where the keys are names that occur rather than names of figures.
MAPS = {
    "exits": "<reason>",
    "by_symbol": "<symbol>",
    "ticks.rejected_by_reason": "<reason>",
    "gates": "<gate>",
    "denied_entries": "<reason>",
    "versions": "<package>",
}


def listed(heading: str) -> list[str]:
    """Return the first column of the first table under a heading."""
    lines = PAGE.split(f"{heading}\n", 1)[1].splitlines()
    rows = [line for line in takewhile(lambda line: not line.startswith("## "), lines) if line.startswith("| `")]
    return [row.split("`")[1] for row in rows]


def keys(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            inner = MAPS[name] if name in MAPS else str(key)
            yield from keys(part, f"{name}.{inner}" if name else inner)
    elif isinstance(value, list):
        for part in value:
            yield from keys(part, f"{name}[]")
    else:
        yield name


def test_columns() -> None:
    assert tuple(listed("## trades.csv")) == TRADE_COLUMNS
    assert tuple(listed("## equity.csv")) == EQUITY_COLUMNS


def test_keys() -> None:
    written = list(dict.fromkeys(keys(summary(rich_record()))))
    documented = listed("## summary.json")
    documented.remove("contract_notes")  # stands there for its null
    assert documented == written


def test_files() -> None:
    assert tuple(listed("# What a run leaves behind")) == FILES


@pytest.mark.parametrize(
    "names", [codes.EXIT_NAMES, codes.HALT_NAMES, codes.REJECTION_NAMES, codes.GATE_NAMES, codes.DENIAL_NAMES]
)
def test_every_name_of_a_code_is_told(names: dict[int, str]) -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", PAGE)) | {f"take_profit_{tier}" for tier in range(1, codes.MAX_TIERS + 1)}
    assert set(names.values()) <= told
