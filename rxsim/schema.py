"""Checked values from mappings: pydantic's errors as one sentence with the dotted path."""

from __future__ import annotations

import contextlib
import difflib
import math
import reprlib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Tag,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, core_schema

from rxsim.durations import SECONDS, minutes_or_months, seconds_of
from rxsim.errors import SettingError
from rxsim.folders import names_in

ModelT = TypeVar("ModelT", bound=BaseModel)


def _no_bool(value: Any) -> Any:
    """Refuse true/false and bytes where a number is due (Python counts True as 1)."""
    if isinstance(value, bool | bytes):
        raise ValueError(f"found {in_yaml(value)}, expected a number")
    return value


def whole(value: Any) -> Any:
    """Read text such as `1e3`, which YAML leaves as text, as a whole number."""
    value = _no_bool(value)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            number = float(value)
            if number.is_integer() and "e" in value.lower():
                return int(number)
    return value


def _decimal(value: Any) -> Any:
    """Read text such as `1e-6`, which YAML leaves as text, as a number; -0.0 becomes 0.0."""
    value = _no_bool(value)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    # Adding 0.0 turns -0.0 into 0.0: equal settings must have one canonical text.
    return value + 0.0 if isinstance(value, float) else value


def _percent(value: Any) -> Any:
    """Read text such as `3%` as the number of percent; anything else is returned as it is."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        with contextlib.suppress(ArithmeticError):
            return Decimal(value.rstrip()[:-1].strip())
    return value


def _relative(value: Any) -> Any:
    """Read a share: a number, or text such as `3%` for 0.03."""
    percent = _percent(value)
    if isinstance(percent, Decimal):
        with contextlib.suppress(ArithmeticError):
            return float(percent / 100)  # in decimal, so that 0.3% is exactly what 0.003 is
        return value
    return _decimal(percent)


def _percentile(value: Any) -> Any:
    """Read a number of percent: 99.9, or text such as `99.9%` for the same."""
    percent = _percent(value)
    return float(percent) if isinstance(percent, Decimal) else _decimal(percent)


Number = Annotated[float, BeforeValidator(_decimal), Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_decimal)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_decimal)]
Relative = Annotated[float, BeforeValidator(_relative), Field(allow_inf_nan=False)]
"""A share of something, or a relative sigma: `3%` is 0.03."""
Percentile = Annotated[
    float, Field(gt=0, le=100, allow_inf_nan=False), BeforeValidator(_percentile)
]
"""A number that is in percent already: `99.9%` is 99.9."""
Integer = Annotated[int, BeforeValidator(whole)]


def _seconds(value: Any) -> Any:
    """Read a length of time: a number of seconds, or text such as `1d`."""
    if not isinstance(value, str):
        return _decimal(value)
    seconds = seconds_of(value)
    if seconds is None:
        units = ", ".join(SECONDS)
        raise ValueError(
            f"found {in_yaml(value)}, expected a time in seconds, or a number and a unit of {units}, "
            f"such as 1h or 1d{minutes_or_months(value)}"
        )
    return seconds


def _whole_as_int(seconds: float) -> int | float:
    """Write whole seconds without a point: a time of 0 has a single canonical form."""
    return int(seconds) if seconds.is_integer() else seconds


Duration = Annotated[
    float,
    Field(ge=0, allow_inf_nan=False),
    BeforeValidator(_seconds),
    PlainSerializer(_whole_as_int),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}),
]
"""A length of time in seconds, 0 or above: `1h` is 3600."""
LongerThanZero = Annotated[Duration, Field(gt=0)]
"""A length of time above 0."""


class AtMost:
    """Marks a number whose bound needs a word: `Annotated[Relative, AtMost(1, "it is a share")]`."""

    def __init__(self, bound: float, meaning: str) -> None:
        """Keep the largest value, and what the number means to whoever gave a larger one."""
        self._bound, self._meaning = bound, meaning

    def _checked(self, value: float) -> float:
        if value > self._bound:
            raise ValueError(f"found {value:g}, expected {self._bound:g} or below: {self._meaning}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Check a value after it is taken as a number."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        """State the bound in a JSON schema."""
        return {**handler(core), "maximum": self._bound}


class Choice:
    """Marks a setting that takes one of some names: `Annotated[str, Choice(metric_options)]`."""

    _none_yet = "no such choice exists yet; leave it out"

    def __init__(self, names: Callable[[], Sequence[str]]) -> None:
        """Keep a function that returns the names; it is called when a value is checked."""
        self._names = names

    def _known(self, value: Any) -> Any:
        names = self._names()
        if not names:
            raise ValueError(f"found {in_yaml(value)}, but {self._none_yet}")
        if value not in names:
            *others, last = map(repr, names)
            listed = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"found {in_yaml(value)}, expected {listed}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Check a value before it is taken as text."""
        return core_schema.no_info_before_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        """List the names in a JSON schema."""
        return {**handler(core), "enum": list(self._names())}


class ChoiceIn(Choice):
    """Marks a setting that names a file of a folder: `Annotated[str, ChoiceIn("rxsim.encodings")]`."""

    def __init__(self, package: str, suffix: str = ".py") -> None:
        """Take the folder's dotted name and the suffix of its files (see `rxsim.folders`)."""
        super().__init__(partial(names_in, package, suffix))
        setting = package.rpartition(".")[2]
        self._none_yet = f"no such step exists yet; leave {setting} empty"


class Section(BaseModel):
    """Base of every settings section: immutable, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def validated(model: type[ModelT], values: Mapping[Any, Any], where: str) -> ModelT:
    """Check a mapping against a model.

    Args:
        model: the pydantic model.
        values: the mapping as YAML or the command line gave it.
        where: name of the source in an error message.

    Raises:
        SettingError: naming the dotted path, what was found and what was expected.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise SettingError(f"{where}: {_sentence(model, error)}") from None


def dotted_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every key that a model knows, sections included."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        yield path
        inner = _section_of(field.annotation)
        if inner is not None:
            yield from dotted_names(inner, f"{path}.")
    other_names = model.model_json_schema().get("properties", {})
    yield from (f"{prefix}{name}" for name in other_names if name not in model.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Find the section behind an annotation such as `Device` or `Device | None`."""
    if any(isinstance(mark, Tag) for mark in getattr(annotation, "__metadata__", ())):
        return _section_of(typing.get_args(annotation)[0])  # one of several forms
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            section = _section_of(part)
            if section is not None:
                return section
    return None


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """Return the first problem of a validation error as one sentence."""
    problem = _first_problem(error.errors(include_url=False))
    # Where a value may have several types, pydantic adds the type it tried: that is no part of a name.
    path = ".".join(str(part) for part in problem["loc"] if "[" not in str(part))
    value = problem.get("input")
    kind = problem["type"]
    if kind == "extra_forbidden":
        return _unknown_key(model, path)
    if kind == "invalid_key":
        parent = ".".join(str(part) for part in problem["loc"][:-1])
        return (
            f"{parent}{': ' if parent else ''}the key {in_yaml(value)} is not text (YAML reads on, "
            "off, yes and no as true or false); put it in quotes"
        )
    if kind == "missing":
        return f"{path} is missing; add it"
    if kind in ("model_type", "dict_type"):
        return f"{path}: found {in_yaml(value)}, expected a mapping of settings"
    reason = problem.get("ctx", {}).get("error")  # of a check of rxsim's own
    message = str(reason)
    if reason is None:
        message = f"found {in_yaml(value)}, expected {_expected(problem)}"
    return f"{path}: {message}" if path else message


def _first_problem(problems: list[ErrorDetails]) -> ErrorDetails:
    """Return the problem to name: a misspelt key before the key that is missing for it."""
    if problems[0]["type"] == "missing":
        unknown = (problem for problem in problems if problem["type"] == "extra_forbidden")
        return next(unknown, problems[0])
    return problems[0]


# Expected values by pydantic's type of error; {} is the bound.
_EXPECTATIONS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge:g} or above",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "{le:g} or below",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "none_required": "null, the only value that this version knows",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list such as [1, 2]",
    "path_type": "the path of one file, as text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_too_short": "text that is not empty",
}


# Expected lengths of lists by pydantic's type of error.
_LENGTHS = {"too_short": "least", "too_long": "most"}


def _expected(problem: ErrorDetails) -> str:
    """Return the value that pydantic expected, in the words of a settings file."""
    kind, bounds = problem["type"], problem.get("ctx", {})
    value = problem["input"]
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if kind == "literal_error":
        choices = str(bounds["expected"]).replace("True", "true").replace("False", "false")
        is_single = " or " not in choices and "," not in choices
        return f"{choices}, the only value that this version knows" if is_single else choices
    if kind in _EXPECTATIONS:
        return _EXPECTATIONS[kind].format(**bounds)
    if kind in _LENGTHS:
        bound = next(bounds[name] for name in ("min_length", "max_length") if name in bounds)
        unit = "value" if bound == 1 else "values"
        what = "mapping" if bounds["field_type"] == "Dictionary" else "list"
        return f"a {what} of at {_LENGTHS[kind]} {bound} {unit}"
    message = problem["msg"]
    return f"something else: {message[0].lower()}{message[1:]}"


def _unknown_key(model: type[BaseModel], path: str) -> str:
    known = list(dotted_names(model))
    near = _nearest_key(path, known)
    section = path.rpartition(".")[0]
    beside = [name for name in known if name.rpartition(".")[0] == section]
    hint = "see 'rxsim config schema' for the known names"
    if near is not None and near != section:
        hint = f"did you mean {near}?"
    elif beside and (section or len(known) <= _FEW_KEYS):
        hint = f"expected one of {', '.join(beside)}; correct it"
    return f"{path} is not a setting; {hint}"


_FEW_KEYS = 12


def _nearest_key(path: str, known: Sequence[str]) -> str | None:
    """Return the known dotted name nearest to an unknown one, of its own section if there is one."""
    section, _, leaf = path.rpartition(".")
    beside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == section]
    start = f"{section}." if section else ""
    hits = difflib.get_close_matches(leaf, beside, 1, 0.6)
    hits += [name for name in beside if len(leaf) > 1 and _shortens(leaf, name)]
    if hits:
        return f"{start}{hits[0]}"
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    if near:
        return near[0]
    leaves = {name.rpartition(".")[2]: name for name in known}
    return next(
        (leaves[hit] for hit in difflib.get_close_matches(leaf, list(leaves), 1, 0.6)), None
    )


def _shortens(short: str, name: str) -> bool:
    """Tell whether a text is a name with letters left out, such as nb for n_bits."""
    letters = iter(name)
    return short[:1] == name[:1] and all(letter in letters for letter in short)


class _ShortRepr(reprlib.Repr):
    """A repr in bounded time: by aliases a few lines of YAML can stand for 10**9 values."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = self.maxlong = 200

    def repr_int(self, x: int, level: int) -> str:
        """Write a whole number; Python refuses to write out very long numbers."""
        return super().repr_int(x, level) if x.bit_length() < 1000 else f"{x:#x}"[:200]

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Write a mapping in its own order."""
        if level <= 0:
            return "{...}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return "{" + ", ".join([*shown, *(["..."] if len(x) > self.maxdict else [])]) + "}"


_SHORT_REPR = _ShortRepr()


def in_yaml(value: Any) -> str:
    """Write a value as a settings file would, cut short, for a message."""
    words = {None: "null", True: "true", False: "false"}
    if isinstance(value, tuple):
        value = list(value)
    known = value is None or isinstance(value, bool)
    text = words[value] if known else _SHORT_REPR.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
