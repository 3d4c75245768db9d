"""A strategy's parameters: a pydantic model in its file, a named tuple of numbers in compiled code."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast, get_type_hints

from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo

from myquant.config.problems import Given, check
from myquant.errors import ConfigError
from myquant.strategies.problems import line_in, words

KINDS: Final = {bool: bool, int: int, float: float, Decimal: float}
EXAMPLE: Final = "as in period: int = Field(20, ge=2, le=500)"
INT64_MAX: Final = 2**63 - 1

Place = Callable[[str], str]  # from the name of a parameter ("" for all of them) to `file:line`


class NoParams(NamedTuple):
    """The parameters of a strategy that has none; compiled code wants a field."""

    unused: int = 0


NoParams.__name__ = "Params"  # what messages call it


def check_model(model: object, section: str, place: Place, files: Collection[str]) -> type[BaseModel]:
    """Return a strategy's model, guarded; ConfigError with the line of the first thing about it that can't be used."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigError(f"{place('')}: Params must be a pydantic model: class Params(BaseModel)")
    for name, field in model.model_fields.items():
        if problem := _problem(field):
            raise ConfigError(f"{place(name)}: Params.{name} {problem}")
    model = _guarded(model, files)
    values = {name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()}
    origins = dict.fromkeys((f"{section}.{name}" for name in values), "its default")
    _, settings, problems = check(Given(section, model, values, origins))
    if settings is None:
        name, problem = problems[0].removeprefix(f"{section}.").partition(" ")[0], problems[0]
        told = problem.removeprefix(f"[{section}]: ")
        own = told.startswith(tuple(f"{file}:" for file in files))  # a validator's error names its line
        raise ConfigError(told if own else f"{place(name if name in values else '')}: {problem}")
    try:
        plain_parameters(params_tuple(model), section, dict(settings))
    except ConfigError as error:
        raise ConfigError(f"{place('')}: {error}") from error
    return model


def params_tuple(model: type[BaseModel] | None) -> type:
    """Return the parameters' model as a named tuple type of int, float and bool."""
    if model is None or not model.model_fields:
        return NoParams
    kinds = [(name, KINDS[cast("type", field.annotation)]) for name, field in model.model_fields.items()]
    made: type = NamedTuple("Params", kinds)  # type: ignore[misc]
    return made


def plain_parameters(params: type, section: str, values: Mapping[str, Any]) -> Any:
    """Return the parameters as compiled code takes them; ConfigError where a validator made something else of one."""
    if params is NoParams:
        return NoParams()
    return params(
        **{name: _plain(f"{section}.{name}", values[name], kind) for name, kind in get_type_hints(params).items()}
    )


def _plain(name: str, value: object, kind: type) -> Any:
    fits = isinstance(value, kind | Decimal | int if kind is float else kind)
    if not fits or (kind is not bool and isinstance(value, bool)) or (kind is int and abs(value) > INT64_MAX):  # type: ignore[arg-type]
        raise ConfigError(
            f"{name}: a validator of Params made {value!r} of it, which is no {kind.__name__}; return the value"
        )
    return kind(value)


def _problem(field: FieldInfo) -> str | None:
    if field.annotation not in KINDS:
        return f"must be an int, a float or a bool, {EXAMPLE}"
    if field.is_required():
        return f"needs a default, {EXAMPLE}"
    if field.alias or field.validation_alias or field.default_factory_takes_validated_data:
        return "must have no alias and a plain default"
    if isinstance(field.json_schema_extra, dict):
        return f"has bounds that pydantic does not know: {', '.join(field.json_schema_extra)}; it knows ge, gt, le, lt"
    return None


def _guarded(model: type[BaseModel], files: Collection[str]) -> type[BaseModel]:
    """Return the model with whatever its validators raise told as pydantic tells a ValueError, with the user's line."""

    def told(value: Any, handler: ModelWrapValidatorHandler[BaseModel]) -> BaseModel:
        try:
            made: object = handler(value)
        except ValidationError:
            raise
        except Exception as error:  # whatever a user's validator raises
            raise ValueError(f"{line_in(error, files) or model.__name__}: {words(error)}") from error
        if not isinstance(made, model):
            # A ValueError, because it is these that pydantic makes part of its own.
            raise ValueError(f"a validator of {model.__name__} returned {made!r}; it must return self")  # noqa: TRY004
        return made

    class Guarded(model):  # type: ignore[valid-type, misc]
        @model_validator(mode="wrap")
        @classmethod
        def _tell_with_line(cls, value: Any, handler: Any) -> Any:
            return told(value, handler)

    Guarded.__name__ = model.__name__
    return Guarded
