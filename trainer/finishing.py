"""The steps after training: compression and calibration, as far as the recipe asks for them."""

from __future__ import annotations

import copy

from torch import Tensor

from classifier.architecture import Settles
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from trainer.calibrating import fit_calibration
from trainer.compressing import compress
from trainer.recipe import Recipe


def finish(trained: Classifier, recipe: Recipe, validation: Dataset, seen: Tensor) -> Classifier:
    """Compress and calibrate.

    Args:
        trained: What training gave.
        recipe: How it was trained.
        validation: Rows that a calibration is fitted to.
        seen: What the network may look at beside its weights ``(N, *S)``; see :meth:`Settles.settle`.
    """

    def calibrated(classifier: Classifier) -> Classifier:
        kind = recipe.calibration
        return classifier if kind == "none" else classifier.calibrated(fit_calibration(classifier, validation, kind))

    if not recipe.prune and recipe.quantise is None:
        return calibrated(trained)
    assert trained.module is not None
    module = copy.deepcopy(trained.module)
    done = {**compress(module, prune=recipe.prune, bits=recipe.quantise), "uncompressed": calibrated(trained).digest}
    if isinstance(module, Settles):
        module.settle(seen.to(trained.device))
    card = {**trained.card, "training": {**trained.card["training"], "compression": done}}
    return calibrated(Classifier.wrap(module, schema=trained.schema, classes=trained.classes, factory=recipe.network(), card=card))
