"""The pages of settings, ticks, the journal and brokers hold what the source says: every key, every name, every place."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from myquant.brokers.packets import REASON_NAMES
from myquant.cli import failures, main
from myquant.config.kinds import allowed
from myquant.config.loading import DEFAULTS
from myquant.config.schema import SECTIONS
from myquant.core.codes import COMMAND_NAMES, EVENT_NAMES, TICK
from myquant.core.records import Command, Event
from myquant.journal.record import BODY, HOLDS_NAMES, INPUT, NOTE_NAMES, RECORD_BYTES, Input, Origin
from myquant.journal.segment import HEADER_BYTES
from myquant.journal.writer import JournalWriter
from myquant.lab.angelone.faults import KINDS
from myquant.ticks.columns import ALIASES

DOCS = Path(__file__).resolve().parents[1] / "docs"
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")
TICKS = (DOCS / "ticks.md").read_text(encoding="utf-8")
JOURNAL = (DOCS / "journal.md").read_text(encoding="utf-8")
BROKERS = (DOCS / "brokers.md").read_text(encoding="utf-8")

SETTING = re.compile(r"^\| `(\w+\.\w+)` \| `(.+?)` \| (.+?) \| .+ \|$", re.MULTILINE)
COLUMN = re.compile(r"^\| ([a-z ]+) \| (?:yes|no) \| (.+) \|$", re.MULTILINE)
PLACES = re.compile(r"^\| (\d+)(?:-(\d+))? \| ([a-z_, ]+) \|", re.MULTILINE)
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


@pytest.mark.parametrize(
    ("heading", "fields"),
    [("### 1, input", (*Event._fields, *Origin._fields)), ("### 2, command", Command._fields)],
)
def test_the_journal_has_every_field_in_its_place(heading: str, fields: tuple[str, ...]) -> None:
    section = JOURNAL.split(f"{heading}", 1)[1].split("\n### ", 1)[0]
    shown = [
        (word, name)
        for first, last, names in PLACES.findall(section)
        for word, name in zip(range(int(first), int(last or first) + 1), names.split(", "), strict=True)
    ]
    assert shown == list(enumerate(fields, BODY))


@pytest.mark.parametrize("names", [HOLDS_NAMES, EVENT_NAMES, COMMAND_NAMES, NOTE_NAMES])
def test_the_journal_has_every_kind(names: dict[int, str]) -> None:
    assert [f"{number} {name}" for number, name in names.items() if f"{number} {name}" not in JOURNAL] == []


def test_a_journal_is_read_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"| 16-23 | bytes of a record: {RECORD_BYTES} |" in JOURNAL
    assert f"| from {HEADER_BYTES} | records |" in JOURNAL
    event = Event(TICK, 3, 1, 1_759_463_112_000_000_000, 0, 26_705, 150, 0, 0, 0, 0, 0, 0)
    (tmp_path / "runs").mkdir()
    writer = JournalWriter.create(tmp_path / "runs" / "monday", key=5, segment_records=64)
    for price in (26_705, 26_710):
        writer.append(INPUT, Input(event._replace(price=price), Origin(*[0] * 8)))
    writer.close()
    monkeypatch.chdir(tmp_path)
    (sample,) = re.findall(r"^```python\n(.*?)^```", JOURNAL, re.MULTILINE | re.DOTALL)
    exec(sample, {})  # noqa: S102  (the page's own program)
    assert capsys.readouterr().out == "1759463112000000000 3 267.05 150\n1759463112000000000 3 267.1 150\n"


def test_brokers_have_every_reason_and_every_fault() -> None:
    shown = re.findall(r"^\| (\d+) \| `(\w+)` \|", BROKERS, re.MULTILINE)
    assert [(int(number), name) for number, name in shown] == list(REASON_NAMES.items())
    assert [name for name in KINDS if f"`{name}`" not in BROKERS] == []
