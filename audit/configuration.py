"""``audit.toml``: what is audited, against what, and how."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audit.policy import Policy
from audit.subject import Decision, Subject
from audit.toml_files import Form, read_toml
from classifier.adapters.sklearn import from_sklearn
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.errors import ConfigurationError
from classifier.schema import Relation
from trainer import Epoch, Recipe, train

Profile = Literal["quick", "standard", "thorough"]


class AuditPart(Form):
    """``[audit]``: its name, its seed, how thorough it is, and the languages of its report."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: int = 0
    profile: Profile = "standard"
    languages: tuple[Literal["en"], ...] = ("en",)


class RelationPart(Form):
    """``[[data.relations]]``: a linear relation that every valid row keeps."""

    weights: dict[str, float]
    sense: Literal["<=", "=="]
    value: float


class DataPart(Form):
    """``[data]``: the cases, their target, and what they are."""

    path: str
    modality: Literal["tabular", "image", "text", "sequence", "graph"] = "tabular"
    size: tuple[int, ...] = ()
    test_path: str | None = None
    validation_path: str | None = None
    group: str | None = None
    time: str | None = None
    target: str
    event: str | None = None
    protected: tuple[str, ...] = ()
    protected_inputs: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    cuts: dict[str, tuple[float, ...]] = {}
    features: dict[str, dict[str, Any]] = {}
    relations: tuple[RelationPart, ...] = ()
    test_share: float = 0.25
    validation_share: float = 0.15

    @model_validator(mode="after")
    def _consistent(self) -> DataPart:
        if self.validation_path and not self.test_path:
            raise ValueError("has validation_path, which needs test_path too")
        return self


class CostsPart(Form):
    """``costs``: what the two errors cost; the threshold of least expected cost follows."""

    missed_event: float
    false_alarm: float


class DecisionPart(Form):
    """``[decision]``: what is done with a probability."""

    favourable: str | None = None
    threshold: float | None = None
    costs: CostsPart | None = None

    @model_validator(mode="after")
    def _one(self) -> DecisionPart:
        if self.threshold is not None and self.costs is not None:
            raise ValueError("has a threshold and costs; give one of them")
        return self

    def decision(self) -> Decision:
        """The decision that it describes."""
        if self.costs is not None:
            return Decision.from_costs(self.costs.missed_event, self.costs.false_alarm)
        return Decision() if self.threshold is None else Decision(self.threshold)


class TrainingPart(Form):
    """``[model.training]``: see `trainer.Recipe`."""

    epochs: int = 100
    learning_rate: float = 1e-3
    batch_size: int = 64
    weight_decay: float = 0.0
    patience: int | None = 10
    early_stopping: bool = True
    class_weights: Literal["auto", "balanced", "none"] = "auto"


class ModelPart(Form):
    """``[model]``: an architecture to train, or a classifier that is brought."""

    architecture: str | None = None
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    dropout: float | None = None
    options: dict[str, Any] = {}
    training: TrainingPart = TrainingPart()
    path: str | None = None
    python: str | None = None

    @model_validator(mode="after")
    def _one(self) -> ModelPart:
        if sum(value is not None for value in (self.architecture, self.path, self.python)) != 1:
            raise ValueError("needs one of architecture (to train one), path (a saved classifier) and python (module:factory)")
        return self


class SealPart(Form):
    """``[seal]``: to whom the classifier is encrypted."""

    recipients: tuple[str, ...] = ()
    identity_file: str | None = None


class PolicyPart(Form):
    """``[policy]``: the file with the rules."""

    path: str


class Configuration(Form):
    """The whole of ``audit.toml``."""

    audit: AuditPart
    data: DataPart
    decision: DecisionPart = DecisionPart()
    model: ModelPart
    checks: dict[str, dict[str, Any]] = {}
    declarations: dict[str, str] = {}
    seal: SealPart = SealPart()
    policy: PolicyPart | None = None

    @classmethod
    def read(cls, path: str | Path) -> Configuration:
        """Read ``audit.toml``.

        Raises:
            ConfigurationError: With file, line and the nearest key.
        """
        return read_toml(cls, Path(path))

    def read_policy(self, folder: Path) -> Policy | None:
        """The rules, if a file of them is named."""
        return Policy.read(folder / self.policy.path) if self.policy else None

    def read_splits(self, folder: Path) -> Splits:
        """The data, cut into parts or read from the files of the parts.

        Args:
            folder: Where the configuration lies; its paths start there.
        """
        data, brought = self.data, self._brought(folder)
        whole = self._read(folder / data.path, brought.schema if brought else None, brought.classes if brought else None)
        if data.test_path is None:
            splits = whole.split(
                test=data.test_share, validation=data.validation_share, seed=self.audit.seed, group=data.group, time=data.time
            )
            # A classifier that is brought may have learned from any of these rows.
            return splits if self.model.architecture else Splits(whole, whole, whole, independence="unknown")
        test = self._read(folder / data.test_path, whole.schema, whole.classes)
        if data.validation_path is not None:
            validation = self._read(folder / data.validation_path, whole.schema, whole.classes)
            return Splits(whole, validation, test, independence="given")
        parts = whole.split(
            test=data.validation_share, validation=data.validation_share, seed=self.audit.seed, group=data.group, time=data.time
        )
        return Splits(Dataset.joined([parts.train, parts.validation]), parts.test, test, independence="given")

    def recipe(self) -> Recipe | None:
        """How the classifier is trained, if it is trained here."""
        model, training = self.model, self.model.training
        if model.architecture is None:
            return None
        return Recipe(
            model.architecture,
            hidden=model.hidden,
            activation=model.activation,
            dropout=model.dropout,
            options=model.options,
            epochs=training.epochs,
            learning_rate=training.learning_rate,
            batch_size=training.batch_size,
            weight_decay=training.weight_decay,
            patience=training.patience if training.early_stopping else None,
            class_weights=training.class_weights,
            seed=self.audit.seed,
        )

    def classifier(self, splits: Splits, folder: Path, *, progress: bool | Callable[[Epoch], None] = True) -> Classifier:
        """The classifier, trained or brought."""
        recipe = self.recipe()
        if recipe is not None:
            return train(splits, recipe, progress=progress)
        made = self._brought(folder) or self._made()
        if isinstance(made, Classifier):
            return made
        if hasattr(made, "predict_proba"):
            return from_sklearn(lambda: made, schema=splits.test.schema, classes=splits.test.classes)
        return Classifier.wrap(made, schema=splits.test.schema, classes=splits.test.classes)

    def subject(self, splits: Splits, classifier: Classifier) -> Subject:
        """What is audited."""
        known = splits.independence != "unknown"
        return Subject(
            splits.test,
            classifier=classifier,
            training=splits.train if known else None,
            validation=splits.validation if known else None,
            recipe=self.recipe(),
            decision=self.decision.decision(),
            independence=splits.independence,
            split_group=self.data.group,
            declarations=self.declarations,
        )

    def _read(self, path: Path, schema: Any, classes: tuple[str, ...] | None) -> Dataset:
        data = self.data
        features = {name: dict(fields) for name, fields in data.features.items()}
        for name in data.immutable:
            features.setdefault(name, {}).setdefault("mutable", False)
        return Dataset.read(
            path,
            target=data.target,
            event=data.event,
            favourable=self.decision.favourable,
            protected=data.protected,
            protected_inputs=tuple(data.protected_inputs),
            drop=(*data.drop, *(column for column in (data.group, data.time) if column and column not in data.drop)),
            cuts=data.cuts,
            features=features,
            relations=[Relation(part.weights, part.sense, part.value) for part in data.relations],
            schema=schema,
            classes=classes,
            modality=data.modality,
            size=data.size,
        )

    def _brought(self, folder: Path) -> Classifier | None:
        """The classifier, where it comes with a schema of its own."""
        if self.model.path is not None:
            return Classifier.load(folder / self.model.path)
        made = self._made() if self.model.python is not None else None
        return made if isinstance(made, Classifier) else None

    def _made(self) -> Any:
        """What the factory that the user named returns: a classifier, a module, an estimator, or a function."""
        return _make(str(self.model.python))


@cache
def _make(python: str) -> Any:
    module_name, _, name = python.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"[model] python = {python!r} cannot be imported: {error}",
            remedy='give "module:factory", and run where that module can be imported',
        ) from error
    return factory()
