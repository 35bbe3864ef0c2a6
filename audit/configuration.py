"""``audit.toml``: what is audited, against what, and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audit.brought import KINDS, BroughtPart, read_schema
from audit.brought_data import require_fills, require_precision, with_left_out, with_stated_constants
from audit.data_part import DataPart
from audit.declarations_part import DeclarationsPart
from audit.policy import Policy
from audit.policy_part import PolicyPart, ReportPart
from audit.responses_part import ResponsePart
from audit.seal_part import SealPart
from audit.subject import Decision, Subject
from audit.toml_files import Form, read_toml
from audit.trust_part import TrustPart
from classifier.adapters.predictions import read_predictions
from classifier.adapters.reordering import reordered
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.errors import AssayError, ConfigurationError, ModelError
from classifier.opening import is_sealed
from classifier.schema import Relation, Schema
from classifier.subwords import read_tokenizer
from trainer import Epoch, Private, Recipe, Robust, train

Profile = Literal["quick", "standard", "thorough"]


class AuditPart(Form):
    """``[audit]``: its name, its seed, how thorough it is, and the languages of its report."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: int = 0
    profile: Profile = "standard"
    languages: Annotated[tuple[Literal["en", "zh-CN"], ...], Field(min_length=1)] = ("en",)


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
    """``[model.training]``: see `trainer.Recipe`, whose fields and defaults these are."""

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
    early_stopping: bool = True
    class_weights: Literal["auto", "balanced", "none"] = "auto"
    robust: Robust | None = None
    private: Private | None = None
    prune: float = 0.0
    quantise: int | None = None
    calibration: Literal["none", "temperature", "bias_corrected", "isotonic"] = "none"


class ModelPart(BroughtPart):
    """``[model]``: an architecture to train, or a classifier that is brought."""

    architecture: str | None = None
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    dropout: float | None = None
    options: dict[str, Any] = {}
    training: TrainingPart = TrainingPart()

    @model_validator(mode="after")
    def _one(self) -> ModelPart:
        if sum(getattr(self, kind) is not None for kind in ("architecture", *KINDS)) != 1:
            raise ValueError(f"needs one of architecture (to train one) and, to bring one, {', '.join(KINDS)}")
        return self

    def files(self, folder: Path) -> tuple[Path, ...]:
        """The files and folders that the classifier is brought in; none where one is trained, or asked over a network."""
        named = (self.path, self.onnx, self.exported, self.skops, self.xgboost, self.lightgbm, self.huggingface, self.weights)
        return tuple(folder / name for name in named if name is not None)


class Configuration(Form):
    """The whole of ``audit.toml``."""

    audit: AuditPart
    data: DataPart
    decision: DecisionPart = DecisionPart()
    model: ModelPart
    checks: dict[str, dict[str, Any]] = {}
    declared: DeclarationsPart = Field(DeclarationsPart(), alias="declarations")
    seal: SealPart = SealPart()
    trust: TrustPart = TrustPart()
    policy: PolicyPart | None = None
    report: ReportPart = ReportPart()
    responses: dict[str, ResponsePart] = {}

    @classmethod
    def read(cls, path: str | Path) -> Configuration:
        """Read ``audit.toml``.

        Raises:
            ConfigurationError: With file, line and the nearest key.
        """
        return read_toml(cls, Path(path))

    @property
    def declarations(self) -> dict[str, str]:
        """What the model's owner declares, in words."""
        return self.declared.stated()

    def read_policy(self, folder: Path) -> Policy | None:
        """The rules, if any are named, held against what is known before the data are read.

        Raises:
            ConfigurationError: If the policy does not fit, serves a clause that no catalogue has, or is about an attribute that is
                not protected.
        """
        if self.policy is None:
            return None
        policy = self.policy.read(folder)
        policy.check_groups(dict.fromkeys(self.data.protected, ()))
        return policy

    def read_splits(self, folder: Path) -> Splits:
        """The data, cut into parts or read from the files of the parts.

        Args:
            folder: Where the configuration lies; its paths start there.
        """
        data, brought = self.data, self._with_own_schema(folder)
        schema = brought.schema if brought else read_schema(folder / data.schema_path) if data.schema_path else None
        whole = self._read(folder, data.path, schema, brought.classes if brought else None)
        if schema is None and self.model.kind not in (None, "predictions"):
            require_fills(whole, data.features, str(self.model.kind))
            extended = with_stated_constants(whole, data.features, folder / data.path)
            whole = whole if extended == whole.schema else self._read(folder, data.path, extended, None)
        if data.test_path is None and self.model.kind is not None:
            # A classifier that is brought may have learned from any of these rows.
            return Splits(whole, whole, whole, independence="unknown")
        if data.test_path is None:
            return whole.split(
                test=data.test_share, validation=data.validation_share, seed=self.audit.seed, group=data.group, time=data.time
            )
        test = self._read(folder, data.test_path, whole.schema, whole.classes)
        if data.validation_path is not None:
            validation = self._read(folder, data.validation_path, whole.schema, whole.classes)
            return Splits(whole, validation, test, independence="given")
        parts = whole.split(
            test=data.validation_share, validation=data.validation_share, seed=self.audit.seed, group=data.group, time=data.time
        )
        return Splits(Dataset.joined([parts.train, parts.validation]), parts.test, test, independence="given")

    def sealed_model(self, folder: Path) -> Path | None:
        """The sealed classifier, if one is brought."""
        path = self.model.path
        return folder / path if path is not None and is_sealed(Path(path)) else None

    def recipe(self) -> Recipe | None:
        """How the classifier is trained, if it is trained here."""
        model, training = self.model, self.model.training
        if model.architecture is None:
            return None
        stated = {name: getattr(training, name) for name in type(training).model_fields if name != "early_stopping"}
        return Recipe(
            model.architecture,
            hidden=model.hidden,
            activation=model.activation,
            dropout=model.dropout,
            options=model.options,
            seed=self.audit.seed,
            **{**stated, "patience": training.patience if training.early_stopping else None},
        )

    def classifier(self, splits: Splits, folder: Path, *, progress: bool | Callable[[Epoch], None] = True) -> Classifier:
        """The classifier, trained or brought."""
        recipe = self.recipe()
        if recipe is not None:
            return train(splits, recipe, progress=progress)
        if self.model.predictions is not None:
            raise ConfigurationError("there are predictions alone, and this asks the classifier itself", remedy="bring the classifier")
        found = self._with_own_schema(folder)
        if found is not None:
            return reordered(found, splits.test.classes)
        require_precision(splits.test.schema, str(self.model.kind))
        try:
            return self.model.of_schema(folder, splits.test.schema, splits.test.classes)
        except ModelError as error:
            raise with_left_out(error, splits.test) from error

    def subject(self, splits: Splits, classifier: Classifier | None, folder: Path) -> Subject:
        """What is audited: the classifier, or the predictions that were brought in its place."""
        known = splits.independence != "unknown"
        model, predictions = self.model, None
        if model.predictions is not None:
            predictions = read_predictions(
                folder / model.predictions, splits.test, columns=model.columns, case=model.id, target=self.data.target
            )
        return Subject(
            splits.test,
            classifier=classifier,
            predictions=predictions,
            training=splits.train if known else None,
            validation=splits.validation if known else None,
            recipe=self.recipe(),
            decision=self.decision.decision(),
            independence=splits.independence,
            split_group=self.data.group,
            declarations=self.declarations,
            files=self.model.files(folder),
        )

    def _read(self, folder: Path, file: str, schema: Schema | None, classes: tuple[str, ...] | None) -> Dataset:
        data, path = self.data, folder / file
        features = {name: dict(fields) for name, fields in data.features.items()}
        if data.tokenizer is not None:
            features.setdefault("text", {})["tokenizer"] = read_tokenizer(folder / data.tokenizer)
        for name in data.immutable:
            features.setdefault(name, {}).setdefault("mutable", False)
        drop = (*data.drop, *(column for column in (data.group, data.time) if column and column not in data.drop))
        if self.model.predictions is not None and data.modality == "tabular":
            protected = tuple(column for column in data.protected if column not in data.protected_inputs)
            drop, inputs = self.model.beside_predictions(path, data.target, drop, protected)
            schema = schema if inputs or schema is not None else Schema("tabular", ())
        try:
            return Dataset.read(
                path,
                target=data.target,
                event=data.event,
                favourable=self.decision.favourable,
                protected=data.protected,
                protected_inputs=tuple(data.protected_inputs),
                drop=drop,
                cuts=data.cuts,
                features=features,
                relations=[Relation(part.weights, part.sense, part.value) for part in data.relations],
                schema=schema,
                classes=classes,
                modality=data.modality,
                size=data.size,
                encoding=data.encoding or self.model.encoding(data.modality),
                series=(data.series.id, data.series.time) if data.series else None,
            )
        except AssayError as error:
            # Of several files, which one it is; a text that names it needs no more.
            if data.test_path is None or Path(file).name in error.problem:
                raise
            raise type(error)(f"{file}: {error.problem}", remedy=error.remedy) from error

    def _with_own_schema(self, folder: Path) -> Classifier | None:
        """The classifier, where it comes with a schema of its own."""
        sealed = self.sealed_model(folder)
        found = self.model.with_own_schema(folder, self.data.size) if sealed is None else self.trust.open(folder, sealed)
        stated = [name for name in ("encoding", "schema_path", "tokenizer") if getattr(self.data, name)]
        if found is not None and stated:
            raise ConfigurationError(
                f"the classifier has a schema of its own, and [data] states {stated[0].removesuffix('_path')}", remedy="leave that out"
            )
        return found
