"""Planted secrets in a session with orders, at a broker that throws back all that it is told: they are found nowhere."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.planted import SECRETS, SHAPES, URL, WRONG, Front, fronted, left_behind, tokens_of
from myquant.session.at_broker import masked
from myquant.session.operator import RESUME, ask_session
from session.forks import Child
from session.stage import Lab, Stage, on_stage, until, write_dense_day

CODE = SECRETS["MYQUANT_ANGELONE_CLIENT_CODE"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path, write_dense_day) as found:
        yield found


@pytest.fixture
def lab(stage: Stage) -> Lab:
    faults = ("order_5xx=0.05", "order_garbage=0.05", "reject_late=0.2", "token_roll=after:400")
    return stage.lab(*faults, speed=1.0, environ=SECRETS)


def worked(stage: Stage, front: Front, session: Child) -> None:
    """Wait until every shape was thrown back, and the lab has rejected an order; a person goes on meanwhile."""

    def done() -> bool:
        status = stage.status()
        if status is not None and not status["entries"]["allowed"]:
            ask_session(stage.session(), RESUME, "test")
        return set(front.shown) == set(SHAPES)

    until(done, session, stage.folder / "s.said", 45.0)


def arguments_of(session: Child) -> set[str]:
    """Return the command lines of a session's process and of those that it has started."""
    found, waiting = set(), [session.pid]
    while waiting:
        pid = waiting.pop()
        found.add(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        waiting.extend(map(int, children))
    return found


def hold(places: dict[str, bytes], secrets: list[str]) -> None:
    """Hold that no secret is in what was written, whatever the case of its letters."""
    for place, content in places.items():
        for number, secret in enumerate(secrets):
            assert len(secret) > 5
            assert secret.lower().encode() not in content.lower(), (place, number)


def test_no_secret_of_a_session_with_orders_is_found_anywhere(stage: Stage, lab: Lab) -> None:
    with fronted(lab.environ[URL], tuple(SECRETS.values())) as (front, url):
        at_front = replace(lab, environ=lab.environ | {URL: url})
        pipeline = {"pipeline__handoff": "ring", "pipeline__logging": "async", "pipeline__results": "direct"}
        session = stage.at_broker(at_front, **pipeline)
        worked(stage, front, session)
        lines = arguments_of(session)
        secrets = [*SECRETS.values(), *WRONG.values(), *tokens_of(stage.folder / "cache" / "angelone")]
        session.send(signal.SIGTERM)
        assert session.wait() == 0, stage.said()
        words = ("--debug", "flatten", "--broker", "angelone", "--yes", "--no-wait")
        assert stage.start("f.said", *words, environ=at_front.environ).wait() in (0, 5), stage.said("f")
        refuse(stage, at_front, front)
    written = left_behind(stage.folder)
    names = ("log.jsonl", "session.json", "shadow.json", "others.json", "results/summary.json")
    assert {"s.said", "f.said", *(f"runs/s/{name}" for name in names), "runs/config_audit.jsonl"} <= set(written)
    assert any(name.startswith("runs/s/journal/") for name in written)
    assert len(lines) >= 2, "the reader and the log have processes of their own"
    hold(written | {"arguments": "\n".join(lines).encode()}, secrets)
    said = written["s.said"].decode()
    assert "the broker says" in said
    assert b"***" in written["runs/s/log.jsonl"], "it was thrown back"
    assert masked(CODE) in said.replace("\n", " ")
    assert (stage.folder / "cache" / "angelone" / "tokens.json").stat().st_mode & 0o777 == 0o600


def refuse(stage: Stage, lab: Lab, front: Front) -> None:
    """Let sessions fail before they begin, each with a traceback."""
    front.is_broken = True
    broken = stage.at_broker(lab, name="broken")
    assert broken.wait() == 5
    front.is_broken = False
    for name, wrong in WRONG.items():
        (stage.folder / "cache" / "angelone" / "tokens.json").rename(stage.folder / "tokens.kept")
        refused = stage.at_broker(replace(lab, environ=lab.environ | {name: wrong}), name=name)
        assert refused.wait() == 5, stage.said(name)
        (stage.folder / "tokens.kept").rename(stage.folder / "cache" / "angelone" / "tokens.json")
    for name in ("broken", *WRONG):
        assert "Traceback" in stage.said(name)
