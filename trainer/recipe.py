"""Recipe: everything that determines a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from math import inf
from typing import Any, Literal

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.errors import ConfigurationError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training run: the same recipe and data give the same weights.

    Args:
        architecture: Id of a registered architecture, ``"mlp"``.
        hidden: Width of each hidden layer; ``None`` leaves it to the architecture, as do the next two.
        activation: What stands between layers.
        dropout: Share of hidden units left out at each step.
        options: Other options of the architecture, by name.
        epochs: Passes over the training rows, at most.
        learning_rate: Step size of Adam.
        batch_size: Rows a step.
        weight_decay: Decoupled weight decay (AdamW); 0 is plain Adam.
        patience: Epochs without a better validation loss after which training stops; ``None`` never stops early.
        class_weights: ``"balanced"`` weighs classes by the inverse of their frequency, ``"none"`` does not,
            and ``"auto"`` balances where the rarest class has under 80 % of an even share.
        seed: Decides the first weights, the order of the rows and what is dropped out.
    """

    architecture: str
    _: KW_ONLY
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    dropout: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 100
    learning_rate: float = 1e-3
    batch_size: int = 64
    weight_decay: float = 0.0
    patience: int | None = 10
    class_weights: Literal["auto", "balanced", "none"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("patience", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {value}")
        if not 0 < self.learning_rate < inf:
            raise ConfigurationError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")
        if not 0 <= self.weight_decay < inf:
            raise ConfigurationError(f"weight_decay must be at least 0 and finite, got {self.weight_decay}")
        if self.class_weights not in ("auto", "balanced", "none"):
            raise ConfigurationError(f"class_weights must be auto, balanced or none, got {self.class_weights!r}")
        self.network()

    def network(self) -> Architecture:
        """The architecture with its options.

        Raises:
            ConfigurationError: If there is no such architecture, or it has no such option.
        """
        common = {name: getattr(self, name) for name in ("hidden", "activation", "dropout") if getattr(self, name) is not None}
        architecture = ARCHITECTURES[self.architecture]
        # Every architecture is a dataclass of its options.
        known = [option.name for option in fields(architecture)]
        for name in (*common, *self.options):
            if name not in known:
                raise ConfigurationError(f"the architecture {self.architecture!r} has no option {name!r}", remedy=did_you_mean(name, known))
        return architecture(**common, **self.options)
