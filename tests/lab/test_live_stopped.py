"""A session with orders that is stopped with a position open, by a signal that it hears and by one that it does not."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from myquant.errors import MyquantError
from myquant.session.operator import ask_session
from session import book_laws
from session.forks import Child
from session.stage import SYMBOL, Lab, Stage, on_stage, until, write_dense_day

ADDRESS = "10.0.0.9"  # that the lab takes orders from


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path, write_dense_day) as found:
        yield found


def with_position(stage: Stage) -> tuple[Lab, Child]:
    """Start a session and wait till it holds something that is protected; it sells nothing by itself soon."""
    lab = stage.lab(speed=1.0, words=("--static-ip", ADDRESS))
    values: dict[str, Any] = {"risk__base_sl_points": 50, "risk__tp_points": "[50, 60]", "broker__settle_s": 2}
    child = stage.at_broker(lab, angelone__public_ip=ADDRESS, **values)

    def is_protected() -> bool:
        status = stage.status()
        return status is not None and any(
            each["position"] and "working" in (each["stop_order"] or "") for each in status["instruments"]
        )

    until(is_protected, child, stage.folder / "s.said")
    return lab, child


def test_a_stop_names_the_order_that_protects_what_is_held(stage: Stage) -> None:
    lab, child = with_position(stage)
    child.send(signal.SIGTERM)
    assert child.wait() == 0, stage.said()
    (resting,) = (order for order in lab.orders()["orders"] if order["state"] not in book_laws.ENDED)
    events = [json.loads(line) for line in (stage.session() / "log.jsonl").read_text().splitlines()]
    (left,) = [each for each in events if each["event"] == "the session leaves a position open"]
    held, trigger = resting["quantity"], f"{resting['trigger'] / 100:.2f}"
    order = f"sell {held} at {trigger}, working; the broker's id: {resting['order_id']}"
    assert left["position"] == f"{SYMBOL}: {held} held; a stop order rests at the broker ({order})"
    assert "a stop order rests at the broker" in stage.said()


def test_one_that_is_frozen_is_flattened_without_it(stage: Stage) -> None:
    lab, child = with_position(stage)
    child.send(signal.SIGSTOP)
    for request, later in (("status", "ask again"), ("halt", "halt takes effect then")):
        with pytest.raises(MyquantError, match=rf"it is stopped .* lets it go on; if it goes on: {later}"):
            ask_session(stage.session(), request, timeout_s=0.5)
    words = ("--debug", "flatten", "--broker", "angelone", "--yes", "--no-wait")
    assert stage.start("f.said", *words, environ=lab.environ).wait() == 0, stage.said("f")
    assert f'as session s had it: angelone.public_ip = "{ADDRESS}"' in stage.said("f")
    assert book_laws.is_flat(lab.orders())
    child.send(signal.SIGCONT)
    assert child.wait() == 5, stage.said()
    assert "fenced off" in stage.said()
    assert book_laws.is_flat(lab.orders())
