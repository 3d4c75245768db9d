"""The way of an order to the write, primed, so that it is quick when an order comes."""

import pytest

from brokers.order_stage import Stage, new_order, play, success
from myquant.core import codes


def test_priming_writes_nothing_and_changes_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(1000):  # more than the rate allows
            stage.port.prime(new_order())
        assert stage.wire.written == []
        stage.port.submit(new_order())
        assert len(stage.wire.written) == 1
        with pytest.raises(ValueError, match="order 1 was sent before"):
            stage.port.prime(new_order())
        stage.port.prime(new_order(2))
        stage.wire.answer(success("b1"))
        assert [told[:2] for told in stage.told()] == [(codes.ORDER_ACK, 1)]

    play(scenario)
