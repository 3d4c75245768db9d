"""Load the configuration: defaults < file < values < environment < assignments, checked, frozen and hashed."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from myquant.config.kinds import is_kind, write
from myquant.config.layers import (
    Models,
    Setting,
    from_assignments,
    from_environment,
    from_file,
    from_mapping,
    plain,
    read_toml,
)
from myquant.config.problems import Given, check, misplaced
from myquant.config.schema import SECTIONS, Config
from myquant.config.watching import HIDDEN, WATCHING
from myquant.errors import ConfigError

DEFAULTS = Path(__file__).with_name("defaults.toml")
DEFAULT = "default"
SET = "(set)"  # what is shown of a hidden value
PROBLEMS_MAX = 100  # suggesting a name for each of very many would take minutes
SECTION_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")  # no double underscore: variables split there


@dataclass(frozen=True, eq=False)
class LoadedConfig:
    """A checked configuration that changes no more, and where each of its values came from.

    Attributes:
        config: the built-in sections, frozen.
        sections: the further sections that the caller named, each an instance of its own model.
        values: every effective value by `section.key`, in the order of the models.
        origins: by the same keys `default`, the path of a file, `argument`, the name of a variable, or `--set`.
        hash: SHA-256 in hex of the values; neither origin nor notation (15, 15.0, 15.00) changes it, nor what only watches
            sessions (`watching.WATCHING`).
    """

    config: Config
    sections: dict[str, BaseModel]
    values: dict[str, Any]
    origins: dict[str, str]
    hash: str

    def text_of(self, name: str) -> str:
        """Return a value as TOML has it; of a hidden one only that it is set."""
        return shown(name, self.values[name])

    def to_toml(self) -> str:
        """Return the effective configuration as TOML, which loads back to the same hash; hidden values that are set are left out."""
        lines: list[str] = []
        section = ""
        for name, value in self.values.items():
            if (text := shown(name, value)) == SET:
                continue
            previous, (section, key) = section, name.split(".", 1)
            if section != previous:
                lines += ["", f"[{section}]"]
            lines.append(f"{key if key.isascii() else write(key)} = {text}")
        return "\n".join(lines[1:]) + "\n"


def shown(name: str, value: Any) -> str:
    """Return the value of a setting as TOML has it; of a hidden one only that it is set."""
    return SET if name in HIDDEN and value else write(value)


def load_config(
    *,
    files: Sequence[Path] = (),
    values: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    sections: Models | None = None,
) -> LoadedConfig:
    """Load the configuration from its layers; a later one overrides an earlier one, key by key.

    Args:
        files: TOML files, each with any of the keys; a later one overrides an earlier one.
        values: a mapping of sections, from the Python API.
        environment: variables such as MYQUANT_RISK__BASE_SL_POINTS=20; none is read unless they are passed.
        assignments: `section.key=value` each, from the command line.
        sections: the pydantic model of each further section, such as that of a user's strategy.

    Raises:
        ConfigError: with one line for each thing that is wrong in the file, a key, a value or a section's model.
    """
    models: Models = {**SECTIONS, **_own_sections(sections or {})}
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f"config values: must be a mapping of sections, not a {type(values).__name__}")
    layers = chain(
        _defaults(),
        _model_defaults(sections or {}),
        *map(from_file, files),
        from_mapping(values or {}, "argument"),
        from_environment(environment or {}, models),
        from_assignments(assignments, models),
    )
    return _checked(layers, models)


@cache
def _defaults() -> tuple[Setting, ...]:
    return tuple(from_mapping(read_toml(DEFAULTS), DEFAULT))


def _own_sections(sections: Models) -> Models:
    """Return the caller's sections; ConfigError when a name or a model's field is none that a setting can have."""
    problems = []
    for section, model in sections.items():
        if section in SECTIONS or not SECTION_NAME.fullmatch(section):
            problems.append(f"[{plain(section)}]: not free as the name of a section of {model.__name__}'s parameters")
        for key, field in model.model_fields.items():
            named = f"{plain(section)}.{key} (class {model.__name__})"
            if not is_kind(field):
                problems.append(
                    f"{named}: must be a bool, int, float, Decimal, str or Literal, or a tuple or list of one"
                )
            if field.alias or field.validation_alias or field.default_factory_takes_validated_data:
                problems.append(f"{named}: must have no alias and a plain default")
    if problems:
        raise ConfigError("\n".join(problems))
    return sections


def _model_defaults(sections: Models) -> Iterator[Setting]:
    """Read the defaults of the caller's models, so that they are checked like any other value."""
    for section, model in sections.items():
        for key, field in model.model_fields.items():
            if not field.is_required():
                yield Setting(section, key, field.get_default(call_default_factory=True), DEFAULT)


def _checked(layers: Iterator[Setting], models: Models) -> LoadedConfig:
    """Merge the layers and check the result; ConfigError with every problem."""
    given: dict[str, dict[str, Any]] = {section: {} for section in models}
    origins: dict[str, str] = {}
    problems: list[str] = []
    for setting in layers:
        if problem := misplaced(setting, models):
            problems.append(problem)
            if len(problems) == PROBLEMS_MAX:
                raise ConfigError("\n".join([*problems, "and perhaps more: mend these first"]))
        elif setting.section is not None and setting.key is not None:
            given[setting.section][setting.key] = setting.value
            origins[f"{setting.section}.{setting.key}"] = setting.origin
    found: dict[str, BaseModel] = {}
    effective: dict[str, Any] = {}
    for section, model in models.items():
        values, settings, wrong = check(Given(section, model, given[section], origins))
        problems += wrong
        if settings is not None:
            found[section] = settings
            effective |= {f"{section}.{key}": values[key] for key in model.model_fields}
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    config = Config.model_validate({section: found.pop(section) for section in SECTIONS})
    return LoadedConfig(config, found, effective, {name: origins[name] for name in effective}, _hash(effective))


def _hash(values: Mapping[str, Any]) -> str:
    of_sessions = (name for name in sorted(values) if name.partition(".")[0] not in WATCHING)
    text = "".join(f"{name} = {write(values[name])}\n" for name in of_sessions)
    return hashlib.sha256(text.encode()).hexdigest()


def diff(a: LoadedConfig, b: LoadedConfig) -> list[tuple[str, Any, Any]]:
    """Return (`section.key`, value in a, value in b) for each value that differs; None where a side lacks the key."""
    names = dict.fromkeys([*a.values, *b.values])
    return [
        (name, a.values.get(name), b.values.get(name)) for name in names if a.values.get(name) != b.values.get(name)
    ]
