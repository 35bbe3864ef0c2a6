"""Recipe: everything that determines a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from math import inf
from typing import Any, Literal, get_args, get_type_hints

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.errors import ConfigurationError, did_you_mean
from classifier.options import require_types
from trainer.private import Private
from trainer.robust import Robust


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
        optimizer: ``"adam"``, ``"adamw"`` (weight decay apart from the gradient) or ``"sgd"`` with momentum 0.9.
        learning_rate: Largest step size.
        schedule: How it falls: ``"constant"``, ``"linear"`` or ``"cosine"`` over the epochs.
        warmup: Share of all steps over which it rises from 0.
        batch_size: Rows a step, over all processes.
        accumulate: Into how many pieces a batch is cut where it does not fit; the step is the same.
        weight_decay: How strongly weights are drawn to 0.
        clip_norm: Length that a step's gradient is clipped to; ``None`` leaves it.
        label_smoothing: Share of each label that is spread evenly over all classes.
        precision: ``"float32"``, or ``"bfloat16"`` or ``"float16"`` for products where the device has it.
        compile: Whether to compile the network, where that works.
        patience: Epochs without a better validation loss after which training stops; ``None`` never stops early.
        class_weights: ``"balanced"`` weighs classes by the inverse of their frequency, ``"none"`` does not,
            and ``"auto"`` balances where the rarest class has under 80 % of an even share, and never in private training.
        robust: How the network is prepared for changed inputs.
        private: How much the weights may tell of one training row. The last weights are kept then, whatever the patience.
        prune: Share of the weights that are not 0 and become it after training, the smallest.
        quantise: Bits of the grid that weights are rounded to after training, 8 or 4.
        calibration: ``"temperature"``, ``"bias_corrected"`` or ``"isotonic"`` fits the probabilities to the validation
            rows at the end; ``"none"`` leaves them.
        seed: Decides the first weights, the order of the rows and what is dropped out.
    """

    architecture: str
    _: KW_ONLY
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    dropout: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 100
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: float = 0.0
    batch_size: int = 64
    accumulate: int = 1
    weight_decay: float = 0.0
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
    patience: int | None = 10
    class_weights: Literal["auto", "balanced", "none"] = "auto"
    robust: Robust | None = None
    private: Private | None = None
    prune: float = 0.0
    quantise: int | None = None
    calibration: Literal["none", "temperature", "bias_corrected", "isotonic"] = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(type(self), vars(self))
        for name in ("epochs", "batch_size", "accumulate", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {value}")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise ConfigurationError(f"{name} must be above 0 and finite, got {value}")
        if not 0 <= self.weight_decay < inf:
            raise ConfigurationError(f"weight_decay must be at least 0 and finite, got {self.weight_decay}")
        for name in ("warmup", "label_smoothing", "prune"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be a share of at least 0 and under 1, got {getattr(self, name)}")
        hints = get_type_hints(type(self))
        for name in ("optimizer", "schedule", "precision", "class_weights", "calibration"):
            value, choices = getattr(self, name), get_args(hints[name])
            if value not in choices:
                raise ConfigurationError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, got {value!r}")
        if self.quantise not in (None, 4, 8):
            raise ConfigurationError(f"quantise must be 8 or 4 bits, got {self.quantise}")
        if self.private is not None:
            self._require_private()
        self.network()

    def _require_private(self) -> None:
        if self.class_weights == "balanced":
            raise ConfigurationError(
                "private training must not count the classes of the rows, which balanced weights do", remedy='take class_weights = "none"'
            )
        if self.robust is not None:
            raise ConfigurationError("private training is not robust training at once", remedy="give one of robust and private")
        if self.precision != "float32" or self.compile:
            raise ConfigurationError("private training takes the gradient of each row in float32 and uncompiled")

    def network(self) -> Architecture:
        """The architecture with its options.

        Raises:
            ConfigurationError: If there is no such architecture, or it has no such option.
        """
        common = {name: getattr(self, name) for name in ("hidden", "activation", "dropout") if getattr(self, name) is not None}
        architecture = ARCHITECTURES[self.architecture]
        for name in common.keys() & self.options.keys():
            raise ConfigurationError(f"{name} stands twice, and again among the options of the architecture", remedy="leave one out")
        # Every architecture is a dataclass of its options.
        known = [option.name for option in fields(architecture)]
        for name in (*common, *self.options):
            if name not in known:
                raise ConfigurationError(f"the architecture {self.architecture!r} has no option {name!r}", remedy=did_you_mean(name, known))
        require_types(architecture, self.options, whose=f" of {self.architecture!r}")
        return architecture(**common, **self.options)
