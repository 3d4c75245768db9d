"""Channels: where their addresses come from, and what of them is secret."""

import pytest

from monitor.posts import settings_of
from myquant.monitor.carrier import with_wishes
from myquant.monitor.channels import Channel, channel_names, read_channels, secret_parts


class Ring:
    """A keyring of the test's."""

    def why_not(self) -> str:
        return ""

    def get_password(self, service: str, name: str) -> str | None:
        return "json://h/kept" if (service, name) == ("myquant-alert", "hook") else None


def test_names_are_those_of_all_severities_the_most_urgent_first() -> None:
    settings = settings_of(info='["mail"]', warning='["mail", "hook"]', critical='["sms", "mail"]')
    assert channel_names(settings) == ("sms", "mail", "hook")


def test_an_address_comes_from_the_environment_or_the_keyring() -> None:
    found = read_channels(("mail", "hook"), {"MYQUANT_ALERT_MAIL": "mailto://h"}, Ring())
    assert found == (Channel("mail", "mailto://h"), Channel("hook", "json://h/kept"))
    assert [each.where for each in found] == ["MYQUANT_ALERT_MAIL", "MYQUANT_ALERT_HOOK"]


@pytest.mark.parametrize("value", ["", "json://planted 4711", None])
def test_one_that_is_missing_or_no_address_is_a_problem_of_that_channel_alone(value: str | None) -> None:
    environ = {"MYQUANT_ALERT_SMS": "json://h"} | ({} if value is None else {"MYQUANT_ALERT_MAIL": value})
    mail, sms = read_channels(("mail", "sms"), environ, Ring())
    assert sms.problem == ""
    assert mail.problem.startswith("channel mail: MYQUANT_ALERT_MAIL")
    assert "planted" not in mail.problem


def test_an_address_is_not_shown() -> None:
    assert "planted" not in repr(Channel("mail", "json://planted-4711"))


@pytest.mark.parametrize(
    ("address", "hidden", "seen"),
    [
        (
            "mailtos://trader:pa%24s4@smtp.example.com?to=me@example.com",
            {"pa%24s4", "pa$s4"},
            {"trader", "me@example.com"},
        ),
        ("tgram://123456789:AAbbCC_ddEE-ff00/987654321/", {"123456789", "AAbbCC_ddEE-ff00", "987654321"}, {"tgram"}),
        ("json://hooks.example.com:8443/services/T0123456/B9876543", {"T0123456", "B9876543"}, {"hooks.example.com"}),
        ("twilio://AC0123456789abcdef:tok3n@15550001111/15552223333", {"AC0123456789abcdef", "tok3n"}, {"twilio"}),
        ("pover://user-key-0123456789@token-0123456789", {"user-key-0123456789", "token-0123456789"}, {"pover"}),
        ("json://h.example/?+X-Api-Key=sekrit&to=you&pass=hush", {"sekrit", "hush"}, {"you"}),
        ("json://h.example/quite/short", {"quite/short"}, {"quite", "short"}),
        ("json://[broken", {"json://[broken", "[broken"}, {"broken"}),
        ("nothing", {"nothing"}, set()),
    ],
)
def test_what_is_hidden_of_an_address(address: str, hidden: set[str], seen: set[str]) -> None:
    parts = set(secret_parts(address))
    assert hidden | {address} <= parts
    assert not parts & seen


def test_no_address_has_no_parts() -> None:
    assert secret_parts("") == ()


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("json://h", "json://h?format=text&overflow=split&redirect=no&cto=17&rto=17"),
        ("json://h/?", "json://h/?format=text&overflow=split&redirect=no&cto=17&rto=17"),
        ("mailto://h?to=a@b.example", "mailto://h?to=a@b.example&format=text&overflow=split&redirect=no&cto=17&rto=17"),
        (
            "json://h?Overflow=truncate&redirect=yes",
            "json://h?Overflow=truncate&redirect=yes&format=text&cto=17&rto=17",
        ),
        (
            "json://h?format=html&overflow=split&redirect=no&cto=1&rto=2",
            "json://h?format=html&overflow=split&redirect=no&cto=1&rto=2",
        ),
    ],
)
def test_plain_text_is_asked_for_unless_the_address_says_otherwise(address: str, asked: str) -> None:
    assert with_wishes(address, 15.0) == asked
