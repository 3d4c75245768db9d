"""What is wrong with the settings, one line each: the key, its value, where it was set, and what is allowed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from myquant.config.kinds import RefusedError, allowed, are_numbers, convert, show
from myquant.config.layers import Models, Setting, plain
from myquant.config.schema import SECTIONS
from myquant.config.watching import HIDDEN

NAME_MAX = 64  # a longer name is like none of ours, and slow to compare
OWN_SECTION = " (the section of your own strategy is known with --strategy FILE.py only)"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
BOUND_ERRORS = frozenset(get_args(ErrorType))  # pydantic's own: the kind and range of the key say them better


def misplaced(setting: Setting, models: Models) -> str | None:
    """Return what is wrong with the place of a setting, with the nearest name that exists; None when it is in place."""
    section, key, value, origin = setting
    if section is None:
        if key is None:
            return f"{origin} {show(value)}: must be section.key=value"
        if key in models:
            return f"{key} = {show(value)} ({origin}): is a section; write [{key}] and its keys below"
        return f"{plain(key)} = {show(value)} ({origin}): stands outside any section{_home(key, models)}"
    if section not in models:
        near = _nearest(section, models)
        meant = f"; did you mean [{near}]?" if near else ""
        may_be_own = models.keys() == SECTIONS.keys() and (near is None or near in section.split("_"))
        return f"[{plain(section)}] ({origin}): unknown section{meant}{OWN_SECTION if may_be_own else ''}"
    keys = models[section].model_fields
    if key is None or key in keys:
        return None
    near = _nearest(key, keys)
    hint = f"; did you mean {section}.{near}?" if near and key not in _keys(models) else _home(key, models)
    return f"{section}.{plain(key)} = {show(value)} ({origin}): unknown key{hint}"


def _keys(models: Models) -> dict[str, str]:
    return {key: section for section, model in models.items() for key in model.model_fields}


def _nearest(name: str, names: Mapping[str, Any]) -> str | None:
    return next(iter(get_close_matches(name, names, 1)), None) if len(name) <= NAME_MAX else None


def _home(key: str, models: Models) -> str:
    """Return the hint of the section in which a key like this one stands."""
    keys = _keys(models)
    near = _nearest(key, keys)
    return f"; did you mean {keys[near]}.{near}?" if near else ""


@dataclass(frozen=True)
class Given:
    """A section as it was given: values by key, and by `section.key` the origin of each."""

    section: str
    model: type[BaseModel]
    values: Mapping[str, Any]
    origins: Mapping[str, str]

    def named(self, key: str) -> str:
        """Return `section.key = value (origin)`."""
        name = f"{self.section}.{key}"
        if key not in self.values:
            return f"{name} is not set"
        value = "(not shown)" if name in HIDDEN else show(self.values[key])  # it may be a password that was put there
        return f"{name} = {value} ({self.origins[name]})"

    def must_be(self, key: str) -> str:
        """Return the line that says what is allowed for a key."""
        field = self.model.model_fields[key]
        return f"{self.named(key)}: must be {allowed(field)}{self._as_list(key) if are_numbers(field) else ''}"

    def _as_list(self, key: str) -> str:
        """Return the form of a list where single numbers were given: `risk.tp_points=5,10`."""
        value = self.values.get(key)
        numbers = [] if isinstance(value, list | tuple) else NUMBER.findall(show(value))
        return f"; write a list as in '{self.section}.{key}=[{','.join(numbers)}]'" if numbers else ""

    def line(self, error: ErrorDetails) -> str:
        """Return an error of pydantic's as our line: a validator's own words, or the kind and range of the key."""
        context = error.get("ctx", {})
        if error["type"] == "contradiction":
            return f"{', '.join(map(self.named, context['keys']))}: {context['text']}"
        if "error" in context:
            words = str(context["error"])  # what a validator raised
        else:
            words = "" if error["type"] in BOUND_ERRORS and error["loc"] else error["msg"]
        if not error["loc"]:
            return f"[{self.section}]: {plain(words)}"
        key = str(error["loc"][0])
        return f"{self.named(key)}: {plain(words)}" if words else self.must_be(key)


def check(given: Given) -> tuple[dict[str, Any], BaseModel | None, list[str]]:
    """Return the converted values of a section, its model (None when anything is wrong) and a line for each problem."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in given.values.items():
        try:
            values[key] = convert(value, given.model.model_fields[key])
        except RefusedError:
            problems.append(given.must_be(key))
    refused = given.values.keys() - values.keys()
    try:
        settings = given.model.model_validate(values, strict=True)
    except ValidationError as error:
        # A key refused above is not there, so what pydantic says of it, or of the whole, is no news.
        found = error.errors(include_url=False)
        if refused:
            found = [each for each in found if each["loc"] and each["loc"][0] not in refused]
        lines = dict.fromkeys(map(given.line, found))  # several bad items of one list are one problem
        return values, None, [*problems, *lines]
    return values, (None if problems else settings), problems
