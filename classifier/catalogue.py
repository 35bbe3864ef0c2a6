"""Catalogue: the sentences of a document in one language, one TOML file a language in a folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from classifier.errors import AssayError, ConfigurationError, did_you_mean

NOTHING: Mapping[str, Any] = {}


class CatalogueError(AssayError):
    """A sentence is missing from the catalogue, or is not told a word that it needs."""


def languages(folder: Path) -> tuple[str, ...]:
    """The languages that a folder has catalogues of, by their tags."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


@cache
def load_catalogue(folder: Path, language: str) -> Catalogue:
    """The catalogue of a language.

    Args:
        folder: Holds ``<tag>.toml`` for each language.
        language: Its tag.

    Raises:
        ConfigurationError: If there is none for it.
    """
    if language not in languages(folder):
        raise ConfigurationError(f"there is no catalogue for the language {language!r}", remedy=did_you_mean(language, languages(folder)))
    content = tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
    return Catalogue(language, dict(_flatten(content)))


@dataclass(frozen=True)
class Catalogue:
    """Sentences by key, such as ``"metric.performance.accuracy.title"``.

    Args:
        language: Tag of the language, ``"en"``.
        sentences: Each sentence by its key; words in braces are filled in.
    """

    language: str
    sentences: Mapping[str, str]

    def __call__(self, key: str, words: Mapping[str, Any] = NOTHING) -> str:
        """A sentence with its words filled in.

        Args:
            key: Its key.
            words: What stands for the names in braces; the sentence need not use all of them.

        Raises:
            CatalogueError: If there is no such sentence, or it needs a word that is not given.
        """
        if key not in self.sentences:
            raise CatalogueError(f"the catalogue {self.language!r} has no sentence {key!r}", remedy=did_you_mean(key, self.sentences))
        try:
            return self.sentences[key].format_map(words)
        except KeyError as missing:
            raise CatalogueError(f"the sentence {key!r} of the catalogue {self.language!r} needs the word {missing}") from missing

    def __contains__(self, key: str) -> bool:
        return key in self.sentences

    def under(self, prefix: str) -> tuple[str, ...]:
        """What the keys under a prefix continue with, each once, in the order of the file."""
        start = f"{prefix}."
        return tuple(dict.fromkeys(key.removeprefix(start).partition(".")[0] for key in self.sentences if key.startswith(start)))

    def checks(self) -> tuple[str, ...]:
        """Ids of the checks that it knows, room by room."""
        return tuple(f"{room}.{check}" for room in self.under("check") for check in self.under(f"check.{room}"))


def _flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
