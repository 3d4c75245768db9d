"""`myquant config audit`: the trail of configurations, printed and verified."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.ended import Run
from myquant.config.audit import ConfigAudit, Use
from myquant.config.loading import load_config

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)


@pytest.fixture
def trail() -> Path:
    audit = ConfigAudit(Path("runs"))
    audit.record(
        Use("asha@desk", "live --broker angelone X", "monday", "e" * 64, ("the lab was away",)), load_config(), NOW
    )
    audit.record(
        Use("asha@desk", "live --broker angelone X", "tuesday", "e" * 64),
        load_config(assignments=["risk.max_rejects=2"]),
        NOW,
    )
    return audit.path


def test_the_trail_is_printed(run: Run, trail: Path) -> None:
    ended = run("config", "audit")
    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[0].startswith("1 2026-11-23 09:00:00 IST asha@desk monday live --broker angelone X config ")
    assert lines[1] == "overrides the lab was away"
    assert lines[3] == "changed risk.max_rejects = 3 -> 2"
    assert lines[4].startswith(f"{trail}: 2 uses, the chain is whole; its end ")


def test_json_has_every_field(run: Run, trail: Path) -> None:
    del trail
    told = json.loads(run("config", "audit", "--json").out)
    assert told["problems"] == []
    assert told["entries"][1]["time"] == "2026-11-23T03:30:00Z"
    assert told["entries"][1]["values"]["risk.max_rejects"] == "2"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_broken_chain_names_the_line_and_ends_with_3(run: Run, trail: Path, form: tuple[str, ...]) -> None:
    trail.write_text(trail.read_text().replace("the lab was away", "the lab was broken"))
    ended = run("config", "audit", *form)
    assert ended.code == 3
    assert ended.errors[0].startswith(f"{trail}, line 2: does not follow from the line before it: ")


def test_an_empty_trail_is_whole(run: Run) -> None:
    ended = run("config", "audit", "--directory", "none")
    assert ended.code == 0
    assert "0 uses, the chain is whole" in ended.out


def test_a_cut_line_is_told(run: Run, trail: Path) -> None:
    with trail.open("a") as file:
        file.write('{"number": 3')
    ended = run("config", "audit")
    assert ended.code == 0
    assert "its last line was cut while it was written" in ended.out
