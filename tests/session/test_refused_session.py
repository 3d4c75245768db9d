"""A session that is refused before it begins leaves nothing behind; one that had begun stays as it was."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from laws.driver import settings
from myquant import compose
from myquant.brokers.angelone import opening
from myquant.brokers.port import Funds
from myquant.compose import Left, LivePlan, PaperPlan
from myquant.errors import DataError
from myquant.journal.reader import JournalReader
from myquant.journal.record import NOTE, NOTE_VALUES, STARTED, Note
from myquant.journal.writer import JournalWriter
from myquant.session import archive, process
from myquant.strategies.loading import default_strategy

SYMBOL = "NIFTY07OCT2524900CE"
SECRETS = {
    "MYQUANT_ANGELONE_API_KEY": "the-key",
    "MYQUANT_ANGELONE_CLIENT_CODE": "A123456",
    "MYQUANT_ANGELONE_PIN": "4711",
    "MYQUANT_ANGELONE_TOTP_SECRET": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
}
Review = Callable[[Any], None]
Begin = Callable[[Path, Review], Left]


class Client:
    """An account with money."""

    client_code = "A123456"

    async def funds(self) -> Funds:
        return Funds(net=100, available_cash=100)


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    instrument = SimpleNamespace(symbol=SYMBOL, segment="NFO", lot_size=75, tick_size_paise=5)

    async def opened(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(client=Client(), instruments=(instrument,), notes=())

    monkeypatch.setattr(opening, "open_account", opened)
    monkeypatch.setenv("MYQUANT_STATE", str(tmp_path / "state"))


class BrokenProcess:
    """Fails when it has begun."""

    def __init__(self, *_: object) -> None:
        pass

    async def run(self) -> int:
        raise DataError("it broke")


def agree(_: object) -> None:
    pass


def refuse(_: object) -> None:
    raise DataError("the trail of configurations is damaged")


def begin_paper(folder: Path, review: Review, **addresses: str) -> Left:
    loaded = settings({f"angelone.{key}": value for key, value in addresses.items()})
    plan = PaperPlan("angelone", (SYMBOL,), loaded, default_strategy(), folder, SECRETS)
    return compose.paper(plan, review)


def begin_live(folder: Path, review: Review) -> Left:
    loaded = settings({"execution.fill_model": "limit"})
    return compose.live(LivePlan("angelone", (SYMBOL,), loaded, default_strategy(), folder, SECRETS), review)


@pytest.mark.parametrize("begin", [begin_paper, begin_live])
def test_nothing_is_left_of_one_that_is_refused_in_its_review(tmp_path: Path, begin: Begin) -> None:
    folder = tmp_path / "runs" / "s"
    with pytest.raises(DataError, match="the trail"):
        begin(folder, refuse)
    assert list(folder.parent.iterdir()) == []


def test_what_has_begun_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SessionProcess", BrokenProcess)
    folder = tmp_path / "runs" / "s"
    with pytest.raises(DataError, match="it broke"):
        begin_paper(folder, agree)
    kept = archive.read(folder)
    with pytest.raises(DataError, match="the trail"):
        begin_paper(folder, refuse)
    assert archive.read(folder) == kept


def test_a_folder_that_another_process_has_taken_up_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "s"

    async def funds(_: Client) -> Funds:  # the same command was given a second time, and was quicker
        journal = JournalWriter.create(folder, key=archive.read(folder).key, segment_records=1 << 10)
        journal.append(NOTE, Note(STARTED, 0, 0, 0, 0, (0,) * NOTE_VALUES))
        journal.close()
        return Funds(net=100, available_cash=100)

    monkeypatch.setattr(Client, "funds", funds)
    with pytest.raises(DataError, match="the trail"):
        begin_live(folder, refuse)
    assert JournalReader(folder).end().last >= 1


def test_one_that_goes_on_at_another_address_says_so_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SessionProcess", BrokenProcess)
    folder, notes = tmp_path / "runs" / "s", list[tuple[str, ...]]()

    def begin(**addresses: str) -> None:
        with pytest.raises(DataError, match="it broke"):
            begin_paper(folder, lambda opened: notes.append(opened.notes), **addresses)

    begin()
    assert archive.read(folder).moved == {}
    begin(public_ip="10.0.0.9")
    begin(public_ip="10.0.0.9")
    assert notes == [(), ("goes on with angelone.public_ip = 10.0.0.9, before it was 127.0.0.1",), ()]
    assert archive.read(folder).moved == {"angelone.public_ip": "10.0.0.9"}
    lines = (folder / "log.jsonl").read_text().splitlines()
    assert len([line for line in lines if "another address" in line and "10.0.0.9" in line]) == 1
