"""Corruption: what happens to an input that nobody attacks, in five severities (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from audit.robustness.corruptions.row_draws import RowDraws
from classifier.errors import ConfigurationError, did_you_mean
from classifier.registry import Registry
from classifier.schema import Schema
from classifier.seeds import Seed

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption(ABC):
    """One kind of damage. Each is one file in the folder of its modality.

    It is no attack: it aims at nothing, and it may change what a person cannot change, since it stands for how an input
    was taken, typed or sent.

    Args:
        schema: What the inputs mean.
        reference: Inputs that tell what is typical ``(M, *S)``.
    """

    schema: Schema
    reference: Tensor

    def why_not(self) -> str:
        """Why it cannot be done to such inputs; empty where it can."""
        return ""

    @abstractmethod
    def __call__(self, x: Tensor, severity: int, draws: RowDraws) -> Tensor:
        """Corrupt inputs; each row on its own.

        Args:
            x: Inputs ``(N, *S)``.
            severity: From 1, barely to be noticed, to 5.
            draws: Random numbers of these rows.

        Returns:
            Corrupted inputs ``(N, *S)``.
        """


def _registry(folder: str) -> Registry[type[Corruption]]:
    return Registry(f"audit.robustness.corruptions.{folder}", "corruption")


CORRUPTIONS: dict[str, Registry[type[Corruption]]] = {
    "image": _registry("images"),
    "tabular": _registry("tables"),
    "text": _registry("texts"),
    "sequence": _registry("series"),
    "graph": _registry("graphs"),
}


def corruption_of(schema: Schema, kind: str, reference: Tensor) -> Corruption:
    """A corruption, ready for the inputs of a schema.

    Args:
        schema: What the inputs mean.
        kind: Its id, the stem of its file.
        reference: Inputs that tell what is typical ``(M, *S)``.

    Raises:
        ConfigurationError: If there is no such corruption of such inputs; the message names the nearest.
    """
    registry = CORRUPTIONS[schema.modality]
    if kind not in registry:
        raise ConfigurationError(
            f"there is no corruption {kind!r} of inputs of modality {schema.modality}", remedy=did_you_mean(kind, registry.ids())
        )
    return registry[kind](schema, reference)


def corruption_seed(seed: int, kind: str) -> Seed:
    """Where the random numbers of a kind of corruption come from."""
    return Seed(seed, ("corruption", kind))


def refusals(schema: Schema, reference: Tensor) -> dict[str, str]:
    """Every corruption of the schema's modality, and why it cannot be done to such inputs; empty where it can."""
    return {kind: corruption_of(schema, kind, reference).why_not() for kind in CORRUPTIONS[schema.modality]}
