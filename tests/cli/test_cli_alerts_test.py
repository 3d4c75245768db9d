"""`myquant alerts test`, with real servers on loopback."""

import asyncio

import pytest

from cli.ended import Ended, Run
from monitor.servers import HOST, Mailbox, Sink, hangs, smtp, tcp

PASSWORD = "planted-Pass-4711"  # noqa: S105  (planted)


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def mail_address(port: int) -> str:
    return f"mailto://{HOST}:{port}?from=a@example.com&to=b@example.com&mode=insecure&smtp={HOST}"


def test_each_channel_gets_a_message_and_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tried() -> Ended:
        async with smtp(mailbox) as mail_port, tcp(sink) as port:
            monkeypatch.setenv("MYQUANT_ALERT_MAIL", mail_address(mail_port))
            monkeypatch.setenv("MYQUANT_ALERT_HOOK", f"json://{HOST}:{port}/")
            lists = ('alerts.info=["hook"]', 'alerts.critical=["mail"]')
            return await asyncio.to_thread(run, "alerts", "test", "--set", lists[0], "--set", lists[1])

    mailbox, sink = Mailbox(), Sink()
    ended = asyncio.run(tried())
    assert (ended.code, ended.err) == (0, "")
    assert [line.rsplit(" in ")[0] for line in ended.out.splitlines()] == ["mail: delivered", "hook: delivered"]
    assert "Subject: INFO test: this channel works" in mailbox.mails[0]
    assert len(sink.bodies) == 1


def test_what_goes_wrong_is_told_with_a_remedy_and_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tried() -> Ended:
        async with smtp(Mailbox()) as closed:
            pass
        async with (
            smtp(Mailbox(), password=b"another") as login,
            smtp(Mailbox(recipient="550 no such user")) as nobody,
            tcp(hangs) as slow,
            tcp(Sink("404 Not Found")) as lost,
        ):
            addresses = {
                "down": mail_address(closed),
                "login": mail_address(login).replace("://", f"://me:{PASSWORD}@"),
                "nobody": mail_address(nobody),
                "slow": f"json://me:{PASSWORD}@{HOST}:{slow}/",
                "lost": f"json://me:{PASSWORD}@{HOST}:{lost}/",
                "odd": f"nonsense://{PASSWORD}",
            }
            for name, address in addresses.items():
                monkeypatch.setenv(f"MYQUANT_ALERT_{name.upper()}", address)
            return await asyncio.to_thread(run, "alerts", "test", *addresses, "none", "--set", "alerts.attempt_s=5")

    ended = asyncio.run(tried())
    assert ended.code == 1
    assert ended.errors == ["not delivered: down, login, nobody, slow, lost, odd, none"]
    lines = dict(line.split(": not delivered: ") for line in ended.out.splitlines())
    for name, remedy in {
        "down": "check host and port in MYQUANT_ALERT_DOWN",
        "login": "check user, password or token in MYQUANT_ALERT_LOGIN",
        "nobody": "check the recipient in MYQUANT_ALERT_NOBODY",
        "slow": "no answer within 5 s: is the host right",
        "lost": "check the path in MYQUANT_ALERT_LOST",
        "odd": "the address in MYQUANT_ALERT_ODD can't be used",
        "none": "MYQUANT_ALERT_NONE not set",
    }.items():
        assert remedy in lines[name]
    assert PASSWORD not in ended.out + ended.err


def test_no_channel_at_all_says_how_to_make_one(run: Run) -> None:
    ended = run("alerts", "test")
    assert (ended.code, ended.out) == (2, "")
    assert "MYQUANT_ALERT_MAIL" in ended.err
    assert "keyring set myquant-alert mail" in ended.err


@pytest.mark.parametrize(
    ("severity", "told"), [("info", "alerts.info is empty"), ("critical", "MYQUANT_ALERT_MAIL not set")]
)
def test_a_severity_chooses_its_channels(run: Run, severity: str, told: str) -> None:
    ended = run("alerts", "test", "--severity", severity, "--set", 'alerts.critical=["mail"]')
    assert ended.code != 0
    assert told in ended.out + ended.err


def test_a_name_that_is_none_is_refused(run: Run) -> None:
    ended = run("alerts", "test", "My Mail")
    assert (ended.code, ended.errors) == (
        2,
        ["'My Mail': no name of a channel: small letters, digits and _, 32 at most"],
    )
