"""The configuration as the options of a command line give it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from myquant.config.loading import LoadedConfig, load_config

if TYPE_CHECKING:
    from pydantic import BaseModel

    from myquant.strategies.loading import LoadedStrategy


def load_settings(
    strategy: "str | LoadedStrategy | None",
    *,
    config: Sequence[Path] | None,
    assignments: Sequence[str] | None,
    flags: Mapping[str, str] | None = None,
) -> LoadedConfig:
    """Return the effective configuration: defaults < files < environment < `--set` < options that stand for a key.

    `strategy` is loaded, or `FILE.py[:Name]`; `flags` maps such an option to its assignment `section.key=value`.
    """
    flags = flags or {}
    loaded = load_config(
        files=config or (),
        environment=os.environ,
        assignments=[*(assignments or ()), *flags.values()],
        sections=own_sections(strategy),
    )
    origins = {assignment.partition("=")[0]: option for option, assignment in flags.items()}
    return replace(loaded, origins=loaded.origins | origins)


def own_sections(strategy: "str | LoadedStrategy | None") -> "dict[str, type[BaseModel]]":
    """Return the model of a strategy's own section by its name; the default strategy has none of its own."""
    if strategy is None:
        return {}
    if isinstance(strategy, str):
        from myquant.strategies.loading import load_strategy

        strategy = load_strategy(strategy)
    return {} if strategy.model is None else {strategy.section: strategy.model}
