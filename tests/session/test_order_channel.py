"""Since when there is no way to the broker, as a session's telemetry has it."""

from session.broker_books import SECOND_NS
from session.test_broker_orders import Desk


def test_since_when_there_is_no_way_to_the_broker() -> None:
    desk = Desk()
    since = [desk.orders.channel_lost_ns]  # nobody has asked for one yet
    desk.stage.now_ns = 5 * SECOND_NS
    desk.attached()
    since.append(desk.orders.channel_lost_ns)
    desk.port.on_channel(True, "")
    since.append(desk.orders.channel_lost_ns)
    for second, why in ((40, "closed"), (45, "refused")):
        desk.stage.now_ns = second * SECOND_NS
        desk.port.on_channel(False, why)
        since.append(desk.orders.channel_lost_ns)
    assert since == [None, 5 * SECOND_NS, None, 40 * SECOND_NS, 40 * SECOND_NS]
