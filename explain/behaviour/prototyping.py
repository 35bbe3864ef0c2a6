"""Prototyping: rows that are typical of each decision, and rows that they are not typical of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Schema
from classifier.seeds import Seed
from explain.behaviour.cases import draw_places, require_finite
from explain.behaviour.mmd_critic import Kernel, choose, discrepancy, discrepancy_by_chance
from explain.concepts.layer_values import flat_activations
from explain.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Example:
    """A row that was chosen.

    Args:
        place: Its place in the dataset.
        decision: The class that the classifier decides for, by its index.
        role: ``"prototype"`` or ``"criticism"``.
        probability: What the classifier gives the decision.
        share: Of a prototype, the share of the rows with this decision that it is the nearest one of; of a criticism 0.
    """

    place: int
    decision: int
    role: str
    probability: float
    share: float


@dataclass(frozen=True, eq=False)
class Prototypes(Saved):
    """Rows that stand for all that get the same decision, and rows that these stand for badly. It holds those rows.

    Args:
        examples: The rows, by decision, prototypes first, in the order of their choice.
        inputs: The same as inputs ``(M, *S)``.
        discrepancy: For each decision by its name, the squared discrepancy of its prototypes to its rows, and the mean of
            as many rows drawn at random: prototypes that are no nearer say little.
        width: For each decision, the width of the kernel.
        layer: The layer in which rows were compared; empty for the inputs themselves.
        schema: What the inputs mean.
        classes: Names of the classes.
        rows: How many rows were looked at.
        seed: What was sampled with.
        notes: What a reader must know.
        classifier_digest: Digest of the classifier.
    """

    examples: tuple[Example, ...]
    inputs: Tensor
    discrepancy: dict[str, tuple[float, float]]
    width: dict[str, float]
    layer: str
    schema: Schema
    classes: tuple[str, ...]
    rows: int
    seed: int
    notes: tuple[str, ...]
    classifier_digest: str

    def to_frame(self) -> pd.DataFrame:
        """One line a row: row, (decision), (role), (probability), (share), and of a table the features in natural units, else words."""
        lines = [(e.place, self.classes[e.decision], e.role, e.probability, e.share) for e in self.examples]
        frame = pd.DataFrame(lines, columns=["(row)", "(decision)", "(role)", "(probability)", "(share)"])
        if self.schema.modality == "tabular":
            return pd.concat([frame, self.schema.decode(self.inputs)], axis=1)
        if self.schema.modality == "text":
            return frame.assign(text=self.texts())
        return frame

    def texts(self) -> list[str]:
        """Of texts, the words of each."""
        modality = modality_of(self.schema)
        there = modality.present(self.inputs).tolist()
        return [
            " ".join(word for word, shown in zip(words.values(), present, strict=True) if shown)
            for words, present in zip(modality.words(self.inputs), there, strict=True)
        ]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw images, texts, or a table of the features."""
        from explain.figures.behaviour.prototypes import draw_prototypes

        return draw_prototypes(self, ax=ax)

    def __repr__(self) -> str:
        counts = ", ".join(f"{sum(e.role == role for e in self.examples)} {role}s" for role in ("prototype", "criticism"))
        return f"Prototypes({counts}, of {self.rows} rows)"

    def _repr_html_(self) -> str:
        from explain.figures.behaviour._tables import table_html

        where = f"the layer {self.layer}" if self.layer else "the inputs"
        return table_html(f"Rows that are typical of each decision, and criticisms, compared by {where}", self.to_frame(), self.notes)


def prototypes(
    classifier: Classifier, dataset: Dataset, *, count: int = 3, criticisms: int = 2, layer: str = "", rows: int = 2000, seed: int = 0
) -> Prototypes:
    """Choose rows that are typical of what gets each decision, and rows that they are not typical of.

    Rows are compared by their distance in shares of the features' ranges, where another category counts as a whole range; or by
    what a layer of the network gives for them.

    Args:
        classifier: What is looked at.
        dataset: The rows; their labels are not used.
        count: Prototypes of each decision.
        criticisms: Criticisms of each decision.
        layer: A layer's name; see `explain.internals.layers.list_layers`. By default the inputs themselves are compared.
        rows: How many rows are used at most, drawn by the seed.
        seed: Decides what is sampled.

    Raises:
        ConfigurationError: If an option is out of range, there is no such layer, or the data are not the classifier's.
        DataError: If the rows are not finite.
        NotApplicableError: If inputs that have no distance are to be compared without a layer.
    """
    if count < 1 or criticisms < 0:
        raise ConfigurationError(f"count must be at least 1 and criticisms at least 0, got {count} and {criticisms}")
    stream = Seed(seed, ("prototypes",))
    origin = draw_places(classifier, dataset, rows, stream)
    cases = dataset[origin]
    require_finite(cases)
    points = flat_activations(classifier, cases.inputs, layer) if layer else _points(classifier, cases.inputs.to(classifier.device))
    points = points.double()
    given = classifier.probabilities(cases.inputs).cpu()
    decisions = given.argmax(1)
    examples, kept, found, width, notes = [], [], {}, {}, []
    for decision, name in enumerate(classifier.classes):
        members = torch.nonzero(decisions == decision)[:, 0]
        if not len(members):
            notes.append(f"no row is decided {name}")
            continue
        own = points[members.to(points.device)]
        shape = Kernel.for_points(own)
        kernel = shape(own)
        number = min(count, len(members))
        chosen = choose(kernel, number, min(criticisms, len(members) - number))
        nearest = kernel[chosen.prototypes].argmax(0).bincount(minlength=number) / len(members)
        found[name] = (
            float(discrepancy(kernel, torch.tensor([chosen.prototypes], device=kernel.device))[0]),
            discrepancy_by_chance(kernel, number, stream.child(name)),
        )
        width[name] = shape.width
        shares = [*nearest.tolist(), *(0.0 for _ in chosen.criticisms)]
        roles = [*("prototype" for _ in chosen.prototypes), *("criticism" for _ in chosen.criticisms)]
        for place, role, share in zip([*chosen.prototypes, *chosen.criticisms], roles, shares, strict=True):
            row = int(members[place])
            kept.append(row)
            examples.append(Example(int(origin[row]), decision, role, float(given[row, decision]), share))
    return Prototypes(
        examples=tuple(examples), inputs=cases.inputs[torch.tensor(kept)].cpu(), discrepancy=found, width=width, layer=layer,
        schema=classifier.schema, classes=classifier.classes, rows=len(cases), seed=seed, notes=tuple(notes),
        classifier_digest=classifier.digest,
    )  # fmt: skip


def _points(classifier: Classifier, x: Tensor) -> Tensor:
    """Inputs as points whose distance means something ``(N, D)``."""
    schema = classifier.schema
    if schema.modality not in ("tabular", "image", "sequence"):
        raise NotApplicableError(
            f"two inputs of modality {schema.modality} have no distance of their own",
            remedy="compare them by a layer of the network, as in layer=",
        )
    points = x / schema.scale.to(x)
    if schema.modality == "tabular":
        points = points.clone()
        for feature in schema.features:
            if feature.kind == "categorical":
                # Another category moves two columns.
                points[:, schema.groups[feature.name]] /= 2**0.5
    return points.flatten(1)
