"""The catalogues of reports: every sentence of them, in one language."""

from __future__ import annotations

from pathlib import Path

from classifier.catalogue import Catalogue, load_catalogue
from classifier.catalogue import languages as languages_of

LOCALES = Path(__file__).parents[1] / "locales"


def languages() -> tuple[str, ...]:
    """The languages that reports can be written in, by their tags."""
    return languages_of(LOCALES)


def read_catalogue(language: str = "en") -> Catalogue:
    """The catalogue of a language.

    Raises:
        ConfigurationError: If there is none for it.
    """
    return load_catalogue(LOCALES, language)
