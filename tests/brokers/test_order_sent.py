"""What an order port tells of each request that it has written."""

import asyncio

from brokers.order_stage import SECOND_NS, Stage, failure, new_order, play, row_of, success
from myquant.brokers.port import SentRequest
from myquant.core import codes

START_NS = 1000 * SECOND_NS  # by the stage's clock


def sent_by(stage: Stage) -> list[SentRequest]:
    """Return where the port tells what it writes from now on."""
    sent: list[SentRequest] = []
    stage.port.on_sent = sent.append
    return sent


def test_an_order_is_told_of_once_its_bytes_are_written() -> None:
    async def scenario(stage: Stage) -> None:
        written: list[tuple[int, SentRequest]] = []
        stage.port.on_sent = lambda sent: written.append((len(stage.wire.written), sent))
        stage.port.submit(new_order(side=codes.SELL, trigger=9_000))
        submit = SentRequest(codes.SUBMIT, 1, START_NS, 0, 1, 1, 65, 10_050, 9_000, again=False)
        assert written == [(1, submit)]
        stage.wire.answer(success())
        await asyncio.sleep(1)
        stage.port.modify(1, 10_000, 8_990)
        stage.port.cancel(1)
        at_ns = START_NS + SECOND_NS
        assert written[1:] == [
            (2, SentRequest(codes.MODIFY, 1, at_ns, 0, 1, 1, 65, 10_000, 8_990, again=False)),
            (3, SentRequest(codes.CANCEL, 1, at_ns, 0, 1, 1, 65, 0, 0, again=False)),
        ]

    play(scenario)


def test_each_slice_is_told_of_when_it_leaves_with_what_it_has_waited() -> None:
    async def scenario(stage: Stage) -> None:
        sent = sent_by(stage)
        stage.wire.room = 1
        stage.port.submit(new_order(quantity=325, side=codes.SELL))  # at most 130 in one piece
        assert [(each.part, each.parts, each.quantity, each.waited_ns) for each in sent] == [(1, 3, 130, 0)]
        for broker_id in ("b1", "b2"):
            await asyncio.sleep(0.5)
            stage.wire.answer(success(broker_id))
        assert [(each.part, each.quantity) for each in sent[1:]] == [(2, 130), (3, 65)]
        assert [each.waited_ns for each in sent[1:]] == [SECOND_NS // 2, SECOND_NS]
        assert [each.written_ns - START_NS for each in sent] == [0, SECOND_NS // 2, SECOND_NS]

    play(scenario)


def test_what_never_leaves_is_not_told_of() -> None:
    async def scenario(stage: Stage) -> None:
        sent = sent_by(stage)
        stage.wire.turn(is_open=False)
        stage.port.submit(new_order())
        await asyncio.sleep(5)
        stage.wire.turn(is_open=True)
        assert [each[0] for each in stage.told()] == [codes.ORDER_REJECT]
        stage.port.prime(new_order(2))
        stage.port.cancel_orphan(row_of(broker_id="x"))  # it leaves, and is none of ours
        assert (len(stage.wire.written), sent) == (1, [])

    play(scenario)


def test_a_request_that_is_written_again_is_told_of_again() -> None:
    async def scenario(stage: Stage) -> None:
        sent = sent_by(stage)
        stage.port.submit(new_order())
        stage.wire.answer(failure("AG8002"))  # the broker has ended the session
        await asyncio.sleep(0.1)
        assert [(each.order_id, each.again) for each in sent] == [(1, False), (1, True)]
        assert len(stage.wire.written) == 2

    play(scenario)
