"""How full a hand-off was: told for each while anew."""

import asyncio
import time
from typing import Any

import pytest

from myquant.session.handoff import POLL_S
from myquant.session.quick_loop import run_loop
from session.played_feed import KINDS, Heard, Played, handed, until


@pytest.mark.parametrize("kind", KINDS)
def test_the_fullest_of_a_while_is_told_once(kind: str) -> None:
    async def scenario() -> None:
        heard = Heard()
        handoff: Any = handed(kind, Played(1500), heard)
        handoff.start()
        time.sleep(0.3)  # noqa: ASYNC251  (the session is to be busy)
        await until(lambda: any(said.startswith("all played") for said in heard.texts()))
        counts, fullest = handoff.counts(), handoff.take_fullest()
        assert fullest.capacity == counts.capacity
        assert (fullest.depth > 0) == (kind != "callback")
        assert fullest.depth <= counts.high_water
        await asyncio.sleep(20 * POLL_S)
        assert handoff.take_fullest().depth < max(1, fullest.depth)
        await handoff.aclose()
        assert handoff.take_fullest().depth <= counts.capacity

    run_loop(asyncio.wait_for(scenario(), 60))
