"""Attack: one way to look for a wrong row within reach. Each is one file in ``audit/robustness/attacks``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from audit.robustness.attempt import Attempt
from classifier.perturbation import Norm
from classifier.registry import Registry
from classifier.seeds import Seed


@dataclass(frozen=True)
class Attack(ABC):
    """A frozen dataclass of options; its id is its file's stem.

    It tries each standing row of an `Attempt`, hands what it has to `Attempt.submit`, and leaves a row alone once it is
    broken. It stops on counts, never by the clock. Its random numbers are the rows' own (`Attempt.uniform`), so that how
    the rows are cut into chunks does not change what it finds.
    """

    #: Whether it asks for gradients.
    gradient: ClassVar[bool] = True
    #: The norms it knows.
    norms: ClassVar[tuple[Norm, ...]] = ("Linf", "L2", "L1")

    @property
    def id(self) -> str:
        """The stem of its file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def __call__(self, attempt: Attempt, seed: Seed) -> None:
        """Try to break the rows that stand.

        Args:
            attempt: The rows, and what is found of them.
            seed: Where its random numbers come from.
        """


ATTACKS: Registry[type[Attack]] = Registry("audit.robustness.attacks", "attack")
Attacking = TypeVar("Attacking", bound=type[Attack])


def register(kind: Attacking) -> Attacking:
    """Register an attack under its file; a class decorator."""
    ATTACKS.register(kind)
    return kind
