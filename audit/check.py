"""Check: asks one question of a subject and returns evidence. It measures; it never judges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from audit.evidence import Evidence
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, did_you_mean
from classifier.registry import Registry
from classifier.seeds import Seed

# The rooms in the order in which a report goes through them.
ROOMS = ("data", "performance", "explanation", "robustness", "privacy", "fairness", "supply_chain")


@dataclass(frozen=True)
class Check(ABC):
    """One question. Each is one file in its room's ``checks`` folder, a frozen dataclass of its options.

    Its id is the room and the file: ``"robustness.attack"``. What its question and its metrics mean in
    words stands in the catalogue, under its id.
    """

    #: Names of the metrics that it gives.
    metrics: ClassVar[tuple[str, ...]]
    #: What the subject must have for it to run.
    needs: ClassVar[frozenset[Need]] = frozenset()
    #: How often it trains the classifier anew where the recipe is known, to tell how long it takes.
    trainings: ClassVar[int] = 0
    #: Options that a profile sets, where they differ from the defaults, which are those of ``"standard"``.
    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @abstractmethod
    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        """Measure.

        Args:
            subject: What is audited.
            seed: Where all its random numbers come from.
        """

    @property
    def id(self) -> str:
        """Room and file."""
        room, _, stem = type(self).__module__.removeprefix("audit.").partition(".checks.")
        return f"{room}.{stem}"

    def forward_rows(self, rows: int) -> int:
        """About how many rows it sends through the classifier for `rows` test rows, to tell how long it takes."""
        return rows

    def options(self) -> dict[str, Any]:
        """The options it runs with."""
        return asdict(self)


_CHECKS: dict[str, Registry[type[Check]]] = {room: Registry(f"audit.{room}.checks", "check") for room in ROOMS}
Checked = TypeVar("Checked", bound=type[Check])


def register(kind: Checked) -> Checked:
    """Register a check under its room and its file; a class decorator."""
    room = kind.__module__.split(".")[1]
    _CHECKS[room].register(kind)
    return kind


def check_ids() -> tuple[str, ...]:
    """Every check's id, room by room."""
    return tuple(f"{room}.{stem}" for room in ROOMS for stem in _CHECKS[room].ids())


def check_type(identifier: str) -> type[Check]:
    """The check of that id.

    Raises:
        ConfigurationError: If there is none; the message names the nearest.
    """
    if identifier not in check_ids():
        raise ConfigurationError(f"there is no check {identifier!r}", remedy=did_you_mean(identifier, check_ids()))
    room, _, stem = identifier.partition(".")
    return _CHECKS[room][stem]


def make_check(identifier: str, options: Mapping[str, Any], *, profile: str = "standard") -> Check:
    """A check with the options of a profile and those that the user gave.

    Raises:
        ConfigurationError: If the check has no such option, or the value does not fit.
    """
    kind = check_type(identifier)
    known = [field.name for field in fields(kind)]
    for name in options:
        if name not in known:
            raise ConfigurationError(f"the check {identifier!r} has no option {name!r}", remedy=did_you_mean(name, known))
    hints = get_type_hints(kind)
    given = {name: _fitting(value, hints[name], f"{identifier}.{name}") for name, value in options.items()}
    return kind(**{**kind.profiles.get(profile, {}), **given})


def _fitting(value: Any, hint: Any, name: str) -> Any:
    """An option as a configuration file gives it, as the type that the check takes."""
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise ConfigurationError(f"{name}: {message[0].lower()}{message[1:]}, got {value!r}") from error


def metric_names() -> dict[str, str]:
    """Every metric that a check can give, and the check that gives it."""
    return {name: identifier for identifier in check_ids() for name in check_type(identifier).metrics}
