"""Colours of the pages: whatever is to be read stands out from what is behind it, by day and by night."""

import re
from importlib.resources import files
from itertools import product

import pytest

STYLE = files("myquant.dashboard").joinpath("assets", "pages.css").read_text(encoding="utf-8")
TEXTS = ("ink", "quiet", "link", "ok", "degraded", "failed")
EDGES = ("focus", "edge")  # of what is operated
GROUNDS = ("paper", "raised")


def colours(selector: str) -> dict[str, str]:
    """Return the variables of a rule by their names."""
    (block,) = re.findall(rf"^{re.escape(selector)} {{([^}}]*)}}", STYLE, re.MULTILINE)
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, 0 to 1, as WCAG 2 has it."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted(map(luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [":root", "body.body--dark"])
def test_what_is_read_stands_out(theme: str) -> None:
    table = colours(theme)
    weak = {
        (name, ground): round(contrast(table[name], table[ground]), 2)
        for names, least in ((TEXTS, 4.5), (EDGES, 3.0))
        for name, ground in product(names, GROUNDS)
        if contrast(table[name], table[ground]) < least
    }
    assert weak == {}


def test_both_themes_have_the_same_colours_and_no_rule_has_one_of_its_own() -> None:
    assert colours(":root").keys() == colours("body.body--dark").keys()
    rules = re.sub(r"^(:root|body\.body--dark) {[^}]*}", "", STYLE, flags=re.MULTILINE)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules) == []


def test_what_is_touched_is_large_enough() -> None:
    for selector in ("button.plain, .q-btn", ".fields input:not([type=checkbox]), .fields select", ".check", "summary"):
        (block,) = re.findall(rf"^{re.escape(selector)} {{([^}}]*)}}", STYLE, re.MULTILINE)
        assert "min-height: 36px" in block, selector
