"""The pages of settings and of ticks hold what the source says: every key with its default and range, every name."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from myquant.cli import failures, main
from myquant.config.kinds import allowed
from myquant.config.loading import DEFAULTS
from myquant.config.schema import SECTIONS
from myquant.ticks.columns import ALIASES

DOCS = Path(__file__).resolve().parents[1] / "docs"
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")
TICKS = (DOCS / "ticks.md").read_text(encoding="utf-8")

SETTING = re.compile(r"^\| `(\w+\.\w+)` \| `(.+?)` \| (.+?) \| .+ \|$", re.MULTILINE)
COLUMN = re.compile(r"^\| ([a-z ]+) \| (?:yes|no) \| (.+) \|$", re.MULTILINE)
SAMPLE = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def settings() -> list[tuple[str, Any]]:
    sections = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    return [(f"{section}.{key}", value) for section, keys in sections.items() for key, value in keys.items()]


def range_of(section: str, key: str) -> str:
    """Return what a setting may be, as its messages say it, shortened for a table."""
    text = re.sub(r" with at most \d+ decimals", "", allowed(SECTIONS[section].model_fields[key]))
    return re.sub(r"\ba number (from )?", "", text.replace("a whole number from", "whole,"))


def test_the_settings_have_every_key_with_its_default_and_no_other() -> None:
    shown = [(key, tomllib.loads(f"value = {default}")["value"]) for key, default, _ in SETTING.findall(SETTINGS)]
    assert [(key, repr(value)) for key, value in shown] == [(key, repr(value)) for key, value in settings()]


def test_the_settings_have_every_range() -> None:
    shown = {key: text for key, _, text in SETTING.findall(SETTINGS)}
    assert shown == {key: range_of(*key.split(".")) for key, _ in settings()}


def test_no_row_of_the_settings_is_overlooked() -> None:
    assert len(SETTING.findall(SETTINGS)) == sum(line.startswith("| `") for line in SETTINGS.splitlines())


def test_the_ticks_have_every_name_of_a_column_and_no_other() -> None:
    shown = {meaning: tuple(re.findall(r"`(\w+)`", names)) for meaning, names in COLUMN.findall(TICKS)}
    assert shown == ALIASES


@pytest.mark.parametrize("sample", SAMPLE.findall(TICKS))
def test_the_samples_are_valid(sample: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "day.csv"
    path.write_text(sample, encoding="utf-8")
    assert main(["ticks", "check", str(path), "--strict"]) == failures.DONE, capsys.readouterr().err


def test_there_are_samples() -> None:
    assert len(SAMPLE.findall(TICKS)) == 3
