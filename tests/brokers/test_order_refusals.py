"""Angel One's order port: refusals that are certain by their words, and changes that came too late."""

import pytest

from brokers.order_stage import KEY, OPTION, Stage, failure, new_order, play, row_of, success
from myquant.brokers.http import Reply
from myquant.brokers.port import Books, Funds, Remedy, order_tag
from myquant.core import codes, orders

TAG = order_tag(KEY, 1, 0)


@pytest.mark.parametrize(
    "reply",
    [
        failure("LAB003", "The request does not come from the registered static IP"),
        failure("", "Order from unregistered IPv4 address"),
        failure("AB7002", "IPs are not whitelisted"),
        Reply(403, failure("AG7001", "Invalid IP Address").body),
        Reply(403, b"Your IP is not allowed to place orders"),
    ],
)
def test_a_wrong_static_address_is_a_refusal_that_names_the_setting(reply: Reply) -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(reply)
        (answer,) = stage.answers
        assert (answer.kind, answer.code) == (codes.ORDER_REJECT, codes.BY_VENUE)
        assert "angelone.public_ip is not the address that it accepts orders from" in answer.words
        assert answer.words.endswith(str(Remedy.ADDRESS))

    play(scenario)


@pytest.mark.parametrize("words", ["Insufficient funds", "Script not found", "Invalid tip", "equipment", "SIP"])
def test_other_words_are_no_refusal_of_the_address(words: str) -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(failure("AB7777", words))
        assert stage.answers == []

    play(scenario)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(408, b"<html>408 Request Timeout. Your IP: 10.0.0.1</html>"),
        Reply(499, b"client closed request; ip=10.0.0.1"),
        failure("AB9999", "Request timed out at OMS (ip 10.2.3.4:8080)"),
        failure("", "Connection to static address pool lost, order state unknown"),
        Reply(409, failure("", "Duplicate request from IP").body),
        Reply(403, b"Request limit reached for IP 10.0.0.1"),
        Reply(403, b"Your IP 10.0.0.1: requests are being throttled"),
    ],
)
def test_words_that_name_an_address_and_something_else_leave_the_order_unknown(reply: Reply) -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(reply)
        assert stage.answers == []
        assert stage.doubts

    play(scenario)


@pytest.mark.parametrize("kind", ["modify", "cancel"])
def test_a_change_of_an_order_that_has_just_ended_is_no_warning_but_the_books_are_looked_at(kind: str) -> None:
    def ask(stage: Stage) -> None:
        if kind == "cancel":
            stage.port.cancel(1)
        else:
            stage.port.modify(1, 9_900, 0)
        stage.wire.answer(failure("AB1013"))

    async def scenario(stage: Stage) -> None:
        stage.port.submit(new_order())
        stage.wire.answer(success())
        stage.answers.clear()
        for _ in range(2):  # without a look in between it is the same race
            ask(stage)
        assert [(answer.kind, answer.words) for answer in stage.answers] == [(codes.CHANGE_REJECT, "")] * 2
        doubt = f"{kind} of order 1, part 0: it was filled or cancelled meanwhile, says the broker"
        assert stage.doubts == [doubt] * 2
        books = Books((row_of(TAG),), (), (), Funds(0, 0), round(1001e9))
        stage.port.settle(books, 10**9)
        stage.answers.clear()
        ask(stage)
        assert "AB1013" in stage.answers[0].words  # the books had it at work: that is told
        ended = row_of(TAG, state=orders.FILLED, filled=65, value=65 * 10_050)
        stage.port.settle(books._replace(orders=(ended,)), 10**9)
        assert [answer.words for answer in stage.answers[1:]] == [""]

    play(scenario)


def test_an_order_of_another_that_we_cancel_is_told_as_such_and_its_refusal_whole() -> None:
    async def scenario(stage: Stage) -> None:
        stage.port.cancel_orphan(row_of(broker_id="x"))
        stage.wire.answer(failure("LAB003", f"The request does not come from the registered static IP{' .' * 20}"))
        stage.updates.on_row(row_of(broker_id="x", state=orders.CANCELLED))

    refused, cancelled = play(scenario).doubts
    assert refused.endswith(str(Remedy.ADDRESS))
    assert cancelled.startswith(f"an order that we cancel: x, {OPTION.symbol}, state cancelled")
