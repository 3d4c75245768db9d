from dashboard.doors import Clock
from myquant.dashboard import throttle
from myquant.dashboard.throttle import Throttle


def after(wrong: int, addresses: int = 1) -> tuple[Throttle, Clock]:
    clock = Clock()
    made = Throttle(clock)
    for number in range(wrong):
        made.note_wrong(f"10.0.0.{number % addresses}")
    return made, clock


def test_the_wait_doubles_from_the_fifth_on_up_to_five_minutes() -> None:
    waits = [after(wrong)[0].wait_s("10.0.0.0") for wrong in (0, 4, 5, 6, 7, 13, 14, 19)]
    assert waits == [0, 0, 1, 2, 4, 256, 300, 300]


def test_a_wait_is_over_when_it_is_and_the_next_wrong_one_begins_a_longer_one() -> None:
    made, clock = after(5)
    clock.now_s += 1
    assert made.wait_s("10.0.0.0") == 0
    made.note_wrong("10.0.0.0")
    assert made.wait_s("10.0.0.0") == 2


def test_another_address_does_not_wait() -> None:
    assert after(19)[0].wait_s("10.0.0.9") == 0


def test_wrong_ones_from_everywhere_make_everybody_wait() -> None:
    assert after(19, addresses=19)[0].wait_s("10.9.9.9") == 0
    assert after(20, addresses=20)[0].wait_s("10.9.9.9") == 1
    assert after(23, addresses=23)[0].wait_s("10.9.9.9") == 8


def test_a_right_one_ends_it_and_so_does_an_hour() -> None:
    made, _ = after(8)
    made.note_right("10.0.0.0")
    assert made.wait_s("10.0.0.0") == 0
    made, clock = after(8)
    clock.now_s += throttle.FORGET_S
    made.note_wrong("10.0.0.0")
    assert made.wait_s("10.0.0.0") == 0


def test_one_host_has_one_count_whatever_addresses_it_takes() -> None:
    made, _ = after(0)
    for number in range(5):
        made.note_wrong(f"2001:db8:1:2::{number:x}")
    assert [made.wait_s(each) for each in ("2001:db8:1:2:ffff::1", "2001:db8:1:3::1")] == [1, 0]
    for address in ("::ffff:10.1.1.1", "10.1.1.1", "fe80::1%eth0", "no address"):
        made.note_wrong(address)
    assert made.wait_s("10.1.1.1") == 0


def test_the_table_is_bounded_and_what_is_counted_in_all_stays() -> None:
    made, _ = after(0)
    for number in range(throttle.ADDRESSES_MAX + 50):
        made.note_wrong(f"10.1.{number // 250}.{number % 250}")
    assert len(made._rows) == throttle.ADDRESSES_MAX
    assert made.wait_s("192.168.0.1") == throttle.WAIT_MAX_S
