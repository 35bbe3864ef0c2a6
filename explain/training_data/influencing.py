"""Influencing: the one call that says which training rows made a classifier decide so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.options import configured
from classifier.seeds import Seed
from explain.behaviour.cases import require_finite
from explain.inputs import checked_batch
from explain.output import Target, resolve_target
from explain.training_data.curvature import factor_numbers
from explain.training_data.influence import Influence
from explain.training_data.loss import TrainingLoss
from explain.training_data.method import INFLUENCE_METHODS, InfluenceMethod, InfluenceTask

# Rows x weights x classes up to which influence functions take seconds.
_AFFORDABLE = 2**26


def training_influence(
    classifier: Classifier,
    training: Dataset,
    inputs: Tensor,
    *,
    method: str = "auto",
    target: Target = None,
    checkpoints: Sequence[Classifier] = (),
    seed: int = 0,
    progress: bool = True,
    **options: Any,
) -> Influence:
    """Score every training row for what a classifier says of each input.

    Args:
        classifier: What decided.
        training: The rows that it was trained on, M of them.
        inputs: Encoded inputs ``(N, *S)``.
        method: A method's id, or ``"auto"``: TracIn where there are checkpoints; else influence functions where rows x weights
            x classes (1 for two) is at most 2^26, and TRAK, which goes over the rows once, beyond; nearest neighbours for a black box.
        target: The class that is asked about, as index or name, or an index for each input. By default, of two classes the
            event for every input, of more the predicted class of each; ``target=classifier.predict(inputs)`` asks about the decisions.
        checkpoints: For TracIn, the classifier at several times of its training; for TRAK, or several trainings of one recipe.
        seed: Decides what is sampled.
        progress: Whether to show a bar on a terminal.
        **options: Options of the method, by name.

    Raises:
        ConfigurationError: If a method, an option or a class does not exist, or a shape does not fit.
        NotApplicableError: If the method does not hold for this classifier; the message names those that do.
        DataError: If inputs or training rows are not finite.
        ModelError: If the scores are not finite, or a search for them does not settle.
    """
    x = checked_batch(classifier, inputs)
    require_training(classifier, training)
    stages = require_checkpoints(classifier, checkpoints)
    name = _choose(classifier, len(training), given=bool(checkpoints)) if method == "auto" else method
    engine = _configured(name, options, chosen=method == "auto")
    if checkpoints and not engine.takes_checkpoints:
        takers = [other for other in INFLUENCE_METHODS if INFLUENCE_METHODS[other].takes_checkpoints]
        raise ConfigurationError(
            f"{name} looks at one classifier, got {len(checkpoints)} checkpoints", remedy=f"these take them: {', '.join(takers)}"
        )
    _require_applicable(name, engine, classifier)

    task = InfluenceTask(classifier, training, x, resolve_target(classifier, x, target), stages, progress)
    started = time.perf_counter()
    found = engine(task, Seed(seed, ("influence", name)))
    wrong = ~found.scores.isfinite()
    if wrong.any():
        raise ModelError(
            f"{name} gives {int(wrong.sum())} scores that are not finite; the network's gradients are not",
            remedy="nearest_neighbours needs none",
        )
    digest = training.digest
    return Influence(
        scores=found.scores.float().cpu(),
        target=task.target.cpu(),
        inputs=x.cpu(),
        predictions=classifier.probabilities(x).cpu(),
        training=training.inputs,
        labels=training.labels,
        ids=torch.from_numpy(training.ids.copy()),
        method=name,
        # As JSON has them, so that what is read back is the same.
        options={key: list(value) if isinstance(value, tuple) else value for key, value in asdict(engine).items()},
        seed=seed,
        schema=classifier.schema,
        classes=classifier.classes,
        classifier_digest=classifier.digest,
        training_digest=digest,
        checkpoint_digests=tuple(stage.digest for stage in stages),
        seconds=time.perf_counter() - started,
        notes=(*_strangers(classifier, digest), *found.notes),
    )


def require_training(classifier: Classifier, training: Dataset) -> None:
    """Refuse training rows that are not for this classifier.

    Raises:
        ConfigurationError: With what does not fit.
        DataError: If they are not finite.
    """
    if tuple(training.classes) != classifier.classes:
        raise ConfigurationError(
            f"the training rows have the classes {', '.join(training.classes)}, and the classifier {', '.join(classifier.classes)}",
            remedy="give the rows that it was trained on, with the classes in its order",
        )
    if tuple(training.inputs.shape[1:]) != classifier.schema.shape or len(training) == 0:
        raise ConfigurationError(
            f"training must be rows of the shape {classifier.schema.shape}, got {tuple(training.inputs.shape)}",
            remedy="encode them with the classifier's schema: Dataset.read(..., schema=classifier.schema)",
        )
    require_finite(training)


def require_checkpoints(classifier: Classifier, checkpoints: Sequence[Classifier]) -> tuple[Classifier, ...]:
    """The checkpoints on the classifier's device, or the classifier alone where there are none.

    Raises:
        ConfigurationError: If one is no classifier of the same inputs and classes, or a black box.
    """
    for number, stage in enumerate(checkpoints, start=1):
        if not isinstance(stage, Classifier) or stage.module is None:
            raise ConfigurationError(
                f"checkpoints must be classifiers with their networks, the {number}. is a {type(stage).__name__}",
                remedy="wrap the network with those weights: Classifier.wrap(module, schema=..., classes=...)",
            )
        if stage.classes != classifier.classes or stage.schema.shape != classifier.schema.shape:
            raise ConfigurationError(f"the {number}. checkpoint takes other inputs or tells other classes than the classifier")
    return tuple(stage.to(classifier.device) for stage in checkpoints) or (classifier,)


def _choose(classifier: Classifier, rows: int, *, given: bool) -> str:
    if classifier.module is None:
        return "nearest_neighbours"
    if given:
        return "tracin"
    size = sum(parameter.numel() for parameter in classifier.module.parameters())
    return "influence_functions" if factor_numbers(classifier, rows, size) <= _AFFORDABLE else "trak"


def _configured(name: str, options: dict[str, Any], *, chosen: bool) -> InfluenceMethod:
    if chosen and options:
        raise ConfigurationError(f"options need a named method, got {', '.join(options)} with 'auto'", remedy=f"here, auto is {name!r}")
    return configured(INFLUENCE_METHODS[name], options, name=name)


def _require_applicable(name: str, engine: InfluenceMethod, classifier: Classifier) -> None:
    if obstacle := engine.obstacle(classifier):
        others = [other for other in INFLUENCE_METHODS if not INFLUENCE_METHODS[other]().obstacle(classifier)]
        raise NotApplicableError(f"{name} does not apply: {obstacle}", remedy=f"these do: {', '.join(others) or 'none'}")


def _strangers(classifier: Classifier, digest: str) -> tuple[str, ...]:
    """A note where the training record names other rows."""
    if TrainingLoss.of(classifier).rows in ("", digest):
        return ()
    return ("the training record names other rows than these, so that a score may be of a row that was never learned from",)
