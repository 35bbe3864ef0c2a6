"""TOML files with a fixed form: what does not fit is named with its file, its line and the nearest key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from classifier.errors import ConfigurationError, did_you_mean


class Form(BaseModel):
    """A part of a TOML file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


FormType = TypeVar("FormType", bound=Form)


def read_toml(form: type[FormType], path: Path) -> FormType:
    """Read a TOML file of a fixed form.

    Raises:
        ConfigurationError: If the file is missing, is no TOML, or does not fit the form.
    """
    if path.is_dir():
        inside = sorted(entry.name for entry in path.glob("*.toml"))
        remedy = f"did you mean {str(path / inside[0])!r}?" if inside else "it holds no TOML file"
        raise ConfigurationError(f"{path} is a folder, required is a file", remedy=remedy)
    if not path.is_file():
        beside = [entry.name for entry in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ConfigurationError(f"there is no file {path}", remedy=did_you_mean(path.name, beside))
    try:
        text = path.read_text(encoding="utf-8")
        return parse_toml(form, text, str(path))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start})") from error


def parse_toml(form: type[FormType], text: str, source: str) -> FormType:
    """The same for text that came from `source`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from error
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _located(form, first, text, source) from error


def _located(form: type[Form], error: Any, text: str, source: str) -> ConfigurationError:
    place = tuple(error["loc"])
    name = ".".join(str(part) for part in place)
    where = f"{source}, line {line_of(text, place)}"
    if error["type"] == "extra_forbidden":
        return ConfigurationError(f"{where}: unknown key {name!r}", remedy=did_you_mean(str(place[-1]), _keys(form, place[:-1])))
    if error["type"] == "missing":
        return ConfigurationError(f"{where}: {name!r} is missing", remedy="add it; `assay init` writes a file with every key")
    reason = str(error.get("ctx", {}).get("error", "")) or error["msg"]
    return ConfigurationError(f"{where}: {name!r} {reason[0].lower()}{reason[1:]}, got {error['input']!r}")


def _keys(form: type[Form], place: tuple[Any, ...]) -> list[str]:
    """The keys that the form has at a place in it, as they are written in a file."""
    current: Any = form
    for part in place:
        fields = _written(current)
        if part in fields:
            current = next((kind for kind in _forms(fields[part].annotation)), None)
    return list(_written(current))


def _written(form: Any) -> dict[str, FieldInfo]:
    """The fields of a form, by their keys in a file."""
    if not (isinstance(form, type) and issubclass(form, Form)):
        return {}
    return {field.alias or name: field for name, field in form.model_fields.items()}


def _forms(annotation: Any) -> list[type[Form]]:
    if isinstance(annotation, type) and issubclass(annotation, Form):
        return [annotation]
    return [form for argument in getattr(annotation, "__args__", ()) for form in _forms(argument)]


def line_of(text: str, place: tuple[Any, ...]) -> int:
    """The line, from 1, on which a TOML file gives what stands at `place`; the nearest line above where it does not."""
    section: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    best, line_found = -1, 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.fullmatch(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?", line)
        key = re.match(r"\s*([\w-]+|\"[^\"]*\")\s*=", line)
        if header:
            section = tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[\w-]+', header[2]))
            if header[1] == "[[":
                counts[section] = counts.get(section, -1) + 1
                section = (*section, str(counts[section]))
            here = section
        elif key:
            here = (*section, key[1].strip('"'))
        else:
            continue
        wanted = tuple(str(part) for part in place)
        shared = next((i for i, (a, b) in enumerate(zip(here, wanted, strict=False)) if a != b), min(len(here), len(wanted)))
        if shared == len(here) and shared > best:
            best, line_found = shared, number
    return line_found
