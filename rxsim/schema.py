"""Checked values from mappings: pydantic's verdict, told in one sentence with the dotted path."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rxsim.errors import SettingError

ModelT = TypeVar("ModelT", bound=BaseModel)


def _no_bool(value: Any) -> Any:
    """Refuse true/false where a number is due (Python counts True as 1)."""
    if isinstance(value, bool):
        raise ValueError(f"found {str(value).lower()}, expected a number")
    return value


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Integer = Annotated[int, BeforeValidator(_no_bool)]


class Section(BaseModel):
    """Base of every settings section: immutable, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def validated(model: type[ModelT], values: Mapping[Any, Any], where: str) -> ModelT:
    """Check a mapping against a model.

    Args:
        model: the pydantic model.
        values: the mapping as YAML or the command line gave it.
        where: what to call the source in an error message.

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
    extra = model.model_config.get("json_schema_extra")
    if isinstance(extra, dict):
        aliases = extra.get("properties", {})
        if isinstance(aliases, dict):
            yield from (f"{prefix}{name}" for name in aliases)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Find the section behind an annotation such as `Device` or `Device | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            section = _section_of(part)
            if section is not None:
                return section
    return None


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """Tell the first problem of a validation error in one sentence."""
    problem = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in problem["loc"])
    found = problem.get("input")
    kind = problem["type"]
    if kind == "extra_forbidden":
        return _unknown_key(model, path)
    if kind == "invalid_key":
        return (
            f"the key {path or found} is not text (YAML reads on, off, yes and no as true or "
            "false); put it in quotes"
        )
    if kind == "missing":
        return f"{path} is missing; add it"
    if kind in ("model_type", "dict_type"):
        return f"{path}: found {_short(found)}, expected a mapping of settings"
    message = problem["msg"].removeprefix("Value error, ")
    if message.startswith("found "):
        return f"{path}: {message}" if path else message
    message = message[0].lower() + message[1:]
    return f"{path}: found {_short(found)}; {message}" if path else message


def _unknown_key(model: type[BaseModel], path: str) -> str:
    known = list(dotted_names(model))
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    if not near:
        leaf = path.rsplit(".", 1)[-1]
        leaves = {name.rsplit(".", 1)[-1]: name for name in known}
        near = [leaves[hit] for hit in difflib.get_close_matches(leaf, list(leaves), 1, 0.6)]
    hint = f"did you mean {near[0]}?" if near else "see 'rxsim config schema' for the known names"
    return f"{path} is not a setting; {hint}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
