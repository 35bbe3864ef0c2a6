"""The errors that Assay raises. Each says what is wrong, and what to do next.

AssayError
├── ConfigurationError   an option or a configuration file asks for something impossible
├── DataError            the data cannot be used as they are
├── ModelError           the classifier cannot be used as it is
├── NotApplicableError   this method or check does not hold here; the message names what would
├── StorageError         a file could not be read or written
├── InternalError        two of our own results contradict each other, so that neither can be given
└── IntegrityError       something is not what it was signed, recorded or encrypted as
    └── UnsealError      a sealed file did not open; deliberately says no more than what to do
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


class AssayError(Exception):
    """Base of every error that Assay raises on purpose.

    Args:
        problem: What is wrong, with the value that was given and what is required.
        remedy: The next step for the reader.
    """

    exit_code = 5

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class ConfigurationError(AssayError):
    """An option or a configuration file asks for something that cannot be."""

    exit_code = 2


class DataError(AssayError):
    """The data cannot be used as they are."""

    exit_code = 2


class ModelError(AssayError):
    """The classifier cannot be used as it is."""

    exit_code = 2


class NotApplicableError(AssayError):
    """A method or a check does not hold for this classifier or these data."""

    exit_code = 2


class StorageError(AssayError):
    """A file or folder could not be read or written."""

    exit_code = 2


class InternalError(AssayError):
    """Two of our own results contradict each other: one engine is wrong, and no number of theirs can be given."""


class IntegrityError(AssayError):
    """Something is not what it was recorded, signed or encrypted as."""

    exit_code = 4


class UnsealError(IntegrityError):
    """A sealed file did not open: wrong identity, or a damaged or forged file."""


def did_you_mean(name: object, candidates: Iterable[str]) -> str:
    """Name the nearest candidate, or list them all where none is near."""
    known = sorted(set(candidates), key=lambda name: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)])
    near = get_close_matches(str(name), known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "there are none"
