"""Texts of pages: what is to be typed stands out, and nothing that a name holds becomes a part of the page."""

import pytest

from myquant.dashboard.components import Cell, coded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("start `myquant monitor`.", "start <code>myquant monitor</code>."),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("one ` alone", "one ` alone"),
        ("`<b>` & <script>", "<code>&lt;b&gt;</code> &amp; &lt;script&gt;"),
        ("``", "``"),
    ],
)
def test_what_is_to_be_typed_stands_out(text: str, shown: str) -> None:
    assert coded(text) == shown


def test_a_link_and_a_plain_text_are_no_html() -> None:
    assert not Cell("start `it`", "/runs").is_coded
    assert not Cell("flat").is_coded
    assert Cell("start `it`").is_coded
