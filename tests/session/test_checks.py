"""The checks of `doctor`, each against what is in order and what is not."""

import os
from datetime import UTC, date, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from myquant.config.loading import load_config
from myquant.config.schema import Config
from myquant.journal.disk import DISK, Disk
from myquant.session import checks
from myquant.session.at_broker import fence_folder, masked, refuse_unknown
from myquant.session.checks import FAILED, OK, SECOND_NS, UNKNOWN, WARNING, DateSample
from myquant.session.fence import Fence

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * SECOND_NS
REAL = {"public_ip": "93.184.216.34", "local_ip": "192.168.1.7", "mac": "02:00:5e:10:00:01"}


def config(**values: Any) -> Config:
    return load_config(assignments=[f"{name.replace('__', '.')}={value}" for name, value in values.items()]).config


def samples(offset_s: float, *, trip_s: float = 0.1, count: int = 5) -> list[DateSample]:
    """Return samples of a clock that is `offset_s` ahead of the service's, a little more than a fifth of a second apart."""
    found = []
    for number in range(count):
        theirs_ns = NOON_NS + number * 230_000_000
        before_ns = theirs_ns + round((offset_s - trip_s / 2) * SECOND_NS)
        header = format_datetime(datetime.fromtimestamp(theirs_ns // SECOND_NS, UTC), usegmt=True)
        found.append(DateSample(header, before_ns, before_ns + round(trip_s * SECOND_NS)))
    return found


@pytest.mark.parametrize(
    ("offset_s", "state"), [(0.0, OK), (-0.9, OK), (2.5, WARNING), (-2.5, WARNING), (40.0, FAILED), (-4000.0, FAILED)]
)
def test_the_clock_is_held_against_the_headers(offset_s: float, state: str) -> None:
    found = checks.clock_check(samples(offset_s))
    assert found.state == state
    assert bool(found.remedy) == (state != OK)


@pytest.mark.parametrize("offset_s", [-3.0, -0.4, 0.0, 0.3, 12.0])
def test_the_bounds_hold_the_truth_and_more_samples_narrow_them(offset_s: float) -> None:
    widths = []
    for count in (1, 5):
        low, _, rest = checks.clock_check(samples(offset_s, count=count)).text.partition(" to ")
        high = rest.partition(" s ")[0]
        assert float(low) - 0.01 <= offset_s <= float(high) + 0.01
        widths.append(float(high) - float(low))
    assert widths[1] < widths[0] < 1.2


def test_a_clock_without_headers_is_not_known() -> None:
    assert checks.clock_check([]).state == UNKNOWN
    assert checks.clock_check([DateSample("noon", 0, 1)]).state == UNKNOWN
    assert checks.clock_check([*samples(0.0), *samples(100.0)]).state == UNKNOWN


@pytest.mark.parametrize(("segments", "state"), [(3.9, FAILED), (4.1, WARNING), (41, OK)])
def test_space_is_counted_in_segments(segments: float, state: str, tmp_path: Path) -> None:
    assert checks.space_check(int(segments * 64 * 2**20), 64, tmp_path).state == state


def test_a_journal_can_be_tried(tmp_path: Path) -> None:
    assert checks.journal_check(tmp_path, DISK).state == OK
    assert list(tmp_path.iterdir()) == []
    assert checks.journal_check(tmp_path / "none", DISK).state == FAILED


class NoBlocks(Disk):
    """A file system without allocation."""

    def allocate(self, descriptor: int, size: int) -> None:
        raise OSError(95, f"Operation not supported: {descriptor}, {size}")


def test_a_file_system_without_allocation_fails(tmp_path: Path) -> None:
    found = checks.journal_check(tmp_path, NoBlocks())
    assert found.state == FAILED
    assert "results.directory" in found.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "state"), [(0o700, OK), (0o755, OK), (0o775, FAILED), (0o707, FAILED)])
def test_only_the_owner_may_write(mode: int, state: str, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    folder.chmod(mode)
    assert checks.folder_check("runs", folder, os.geteuid()).state == state


def test_folders_that_are_none(tmp_path: Path) -> None:
    owner = os.geteuid()
    assert checks.folder_check("runs", tmp_path / "none", owner).state == OK
    (tmp_path / "file").write_text("")
    assert checks.folder_check("runs", tmp_path / "file", owner).state == FAILED
    assert checks.folder_check("runs", tmp_path, owner + 1).state == FAILED


def test_tokens_are_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    assert checks.token_check(path).state == OK
    path.write_text("{}")
    path.chmod(0o600)
    assert checks.token_check(path).state == OK
    path.chmod(0o644)
    assert checks.token_check(path).state == FAILED


def test_the_calendar_covers_today_and_tomorrow() -> None:
    assert [each.state for each in checks.calendar_checks("NFO", TODAY)] == [OK, OK]
    assert [each.state for each in checks.calendar_checks("NFO", date(2026, 12, 31))] in ([OK, OK], [OK, WARNING])
    assert [each.state for each in checks.calendar_checks("NFO", date(2090, 1, 1))] == [FAILED, WARNING]
    assert [each.state for each in checks.calendar_checks("XYZ", TODAY)] == [FAILED, WARNING]


def test_contracts_are_known_or_not() -> None:
    symbols = ["NIFTY24NOV2625000CE", "NIFTY03OCT2525000CE", "NOSUCH24NOV26100CE"]
    known, expired, unknown = checks.contract_checks(symbols, config(), TODAY)
    assert known.state == OK
    assert "lot " in known.text
    assert (expired.state, unknown.state) == (FAILED, FAILED)
    assert "expired on 2025-10-03" in expired.text
    (last,) = checks.contract_checks(["NIFTY24NOV2625000CE"], config(), date(2026, 11, 24))
    assert last.text.endswith("expires today")


def test_the_master_says_how_it_differs() -> None:
    assert checks.master_check([], []).state == UNKNOWN
    assert checks.master_check(["X"], ["another lot"]).state == WARNING
    assert checks.master_check(["X"], []).state == OK


@pytest.mark.parametrize(
    ("own", "state"),
    [
        (REAL, UNKNOWN),
        ({}, FAILED),
        ({**REAL, "public_ip": "10.0.0.7"}, FAILED),
        ({**REAL, "public_ip": "2606:2800:220:1::1"}, FAILED),
        ({**REAL, "public_ip": "1.2.3"}, FAILED),
        ({**REAL, "mac": "00:00:00:00:00:00"}, WARNING),
        ({"rest_url": "http://127.0.0.1:8000"}, UNKNOWN),
    ],
)
def test_the_static_address(own: dict[str, str], state: str) -> None:
    assert checks.address_check(config(**{f"angelone__{name}": value for name, value in own.items()})).state == state


@pytest.mark.parametrize(
    ("leaves_from", "state"),
    [("", UNKNOWN), ("192.168.1.7", UNKNOWN), (REAL["public_ip"], UNKNOWN), ("93.184.216.99", FAILED)],
)
def test_a_way_out_with_another_public_address_fails(leaves_from: str, state: str) -> None:
    own = config(**{f"angelone__{name}": value for name, value in REAL.items()})
    found = checks.address_check(own, None, leaves_from)
    assert found.state == state
    assert "angelone.public_ip" in found.remedy or state == UNKNOWN


def test_the_way_out_is_found_without_a_packet() -> None:
    assert checks.way_out("http://127.0.0.1:9") == "127.0.0.1"
    assert checks.way_out("http://host.invalid") == ""


@pytest.mark.parametrize(("static_ip", "state"), [("", OK), ("10.1.1.1", OK), ("10.1.1.2", FAILED)])
def test_a_lab_tells_which_address_it_accepts(static_ip: str, state: str) -> None:
    lab = checks.lab_of(f'{{"day": "2025-10-03", "static_ip": "{static_ip}"}}'.encode())
    assert lab is not None
    own = config(angelone__rest_url="http://127.0.0.1:8000", angelone__public_ip="10.1.1.1")
    found = checks.address_check(own, lab)
    assert found.state == state
    assert found.remedy == ("" if state == OK else "set angelone.public_ip to 10.1.1.2")
    assert "2025-10-03" in checks.lab_check(lab).text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"day": 1, "static_ip": ""}', b'{"day": "2025-10-03"}']
)
def test_what_is_no_lab_says_nothing(body: bytes) -> None:
    assert checks.lab_of(body) is None


def test_the_time_zone_is_indias() -> None:
    assert checks.zone_check("Asia/Kolkata", NOON).state == OK
    assert checks.zone_check("Europe/Berlin", NOON).state == FAILED
    assert checks.zone_check("Nowhere/Else", NOON).state == FAILED


def test_settings_without_which_nothing_is_sent_or_halts() -> None:
    assert [each.state for each in checks.settings_checks(config())] == [FAILED, WARNING]
    whole = config(
        execution__fill_model="limit",
        risk__max_day_loss=5000,
        risk__max_orders_per_second=5,
        risk__max_orders_per_day=500,
    )
    assert [each.state for each in checks.settings_checks(whole)] == [OK, OK]


def test_machine_code_is_there_or_not() -> None:
    assert checks.code_check(lambda: True).state == OK
    assert checks.code_check(lambda: False).state == WARNING


def test_the_fence_says_who_took_it(tmp_path: Path) -> None:
    folder = fence_folder(tmp_path, config(), "A123456")
    assert checks.fence_check(folder, DISK).text == "nobody has taken it yet"
    Fence.raise_epoch(folder, "monday", DISK)
    assert checks.fence_check(folder, DISK).text == f"epoch 1, last taken by monday, process {os.getpid()}"
    (folder / "fence").write_bytes(b"x" * 8)
    assert checks.fence_check(folder, DISK).state == FAILED


def test_accounts_have_fences_of_their_own(tmp_path: Path) -> None:
    lab = config(angelone__rest_url="http://127.0.0.1:8000")
    folders = {fence_folder(tmp_path, each, code) for each in (config(), lab) for code in ("A1", "A2")}
    assert len(folders) == 4
    assert "A123456" not in str(fence_folder(tmp_path, lab, "A123456"))


def test_a_client_code_is_masked() -> None:
    assert masked("A123456") == "A1***56"
    assert masked("A123") == "****"


def test_an_unknown_broker_is_refused() -> None:
    with pytest.raises(Exception, match="--broker nobody: not known; one of angelone"):
        refuse_unknown("nobody")
