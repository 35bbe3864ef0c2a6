"""The record of a verified bundle as plain JSON, with the results row by row that lie beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from audit.manifests import VerifiedBundle
from audit.recomputation.arrays import Arrays
from audit.strict_json import parse_strictly
from classifier.errors import IntegrityError

LONGEST = 256 << 20
VERSION = 1
_SOURCE = "take the bundle from its source, or run the audit again"

#: Why a number is not recomputed, in the order in which that is told.
Why = str
SEALED: Why = "rest on rows that are sealed"
WITHHELD: Why = "rest on rows that were withheld when it was published"
NO_ROWS: Why = "rest on results that are not stored row by row"
RESAMPLED: Why = "are ends of intervals by resampling, whose draws are not stored"
REASONS = (RESAMPLED, NO_ROWS, SEALED, WITHHELD)

Json = Mapping[str, Any]


class LackingError(Exception):
    """A number cannot be recomputed; `why` is one of `REASONS`."""

    def __init__(self, why: Why = NO_ROWS) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Found:
    """A metric as the rows have it.

    Args:
        value: The number.
        n: How many samples it rests on.
        low: Lower end of its interval, where that follows from the rows alone.
        high: Upper end.
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None


class Record:
    """What a bundle says of itself.

    Args:
        bundle: The bundle, verified.

    Raises:
        IntegrityError: If its record is none, is of a newer release, or its parts contradict each other.
    """

    def __init__(self, bundle: VerifiedBundle) -> None:
        self.bundle = bundle
        self.name = bundle.record
        self.content: Json = read_json(bundle, self.name)
        require_readable(self.content, str(bundle.folder / self.name))
        self._arrays: dict[str, Arrays] = {}
        with self.understanding():
            self.identity: Json = self.content["identity"]
            self.evidence: dict[str, Json] = {evidence["check"]: evidence for evidence in self.content["evidence"]}
            self.findings: Sequence[Json] = self.content["findings"]
            told = len(self.content["evidence"])
        if len(self.evidence) != told:
            raise IntegrityError(f"{bundle.folder / self.name} tells of one check twice", remedy=_SOURCE)

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """What a stranger's record can make of a reader, as one error."""
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise IntegrityError(f"{self.bundle.folder / self.name} holds no record of an audit", remedy=_SOURCE) from error

    def metrics(self) -> list[tuple[str, Json]]:
        """Every metric that has a value, with its check."""
        return [(check, m) for check, e in self.evidence.items() for m in e["metrics"] if m["value"] is not None]

    def arrays(self, check: str) -> Arrays:
        """The results of a check row by row.

        Raises:
            LackingError: If they are sealed, withheld, or were never stored.
        """
        name = f"evidence/{check}.safetensors"
        if name in self.bundle.files:
            if check not in self._arrays:
                self._arrays[check] = Arrays(self.bundle.read(name), str(self.bundle.folder / name))
            return self._arrays[check]
        if {name, f"{name}.age"} & self.bundle.withheld.keys():
            raise LackingError(WITHHELD)
        raise LackingError(SEALED if f"{name}.age" in self.bundle.files else NO_ROWS)

    def column(self, check: str, name: str) -> Sequence[float]:
        """One array of a check.

        Raises:
            LackingError: If it is not there.
        """
        arrays = self.arrays(check)
        if name not in arrays:
            raise LackingError
        return arrays.column(name)

    def parameter(self, check: str, name: str) -> Any:
        """An option that a check ran with.

        Raises:
            LackingError: If the record does not say.
        """
        try:
            return self.evidence[check]["parameters"][name]
        except KeyError:
            raise LackingError from None


#: Recomputes one metric of a check from the rows.
Recompute = Callable[[Record, str, Json], Found]


def read_json(bundle: VerifiedBundle, name: str) -> Any:
    """One of a bundle's JSON files."""
    return parse_strictly(bundle.read(name), str(bundle.folder / name), longest=LONGEST)


def require_readable(content: Any, source: str) -> None:
    """Refuse the record of a newer release by its number, before anything else of it is read.

    Raises:
        IntegrityError: If it is newer, or no record.
    """
    version = content.get("version") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise IntegrityError(f"{source} holds no record of an audit", remedy=_SOURCE)
    if version > VERSION:
        raise IntegrityError(
            f"{source} is of version {version}, and this release reads versions up to {VERSION}", remedy="use a newer release of Assay"
        )
