"""Text for the terminal: amounts, counts and places."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from myquant.results.text import MINUS, grouped

NOTHING: Final = "-"


def console() -> Console:
    """Return the console of stdout; it breaks no line and colours no number."""
    return Console(highlight=False, soft_wrap=True, markup=False)


def money(amount: float | None) -> str:
    """Return rupees grouped as in India, with a minus sign that every terminal has."""
    return NOTHING if amount is None else grouped(amount).replace(MINUS, "-")


def ratio(value: float | None, unit: str = "") -> str:
    """Return a figure with two decimals and its unit."""
    return NOTHING if value is None else f"{value:,.2f}{unit}"


def counts(numbers: Mapping[str, int]) -> str:
    """Return the counts that are not zero: `green 29,000, signal 1,200`."""
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items() if number)


def places(examples: Sequence[Mapping[str, Any]]) -> str:
    """Return where rows stand: `day.csv:45, :46, other.csv:3`."""
    texts = []
    previous = None
    for example in examples:
        file = example["file"]
        texts.append(f"{'' if file == previous else file}:{example['line']}")
        previous = file
    return ", ".join(texts)
