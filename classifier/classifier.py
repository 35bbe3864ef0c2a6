"""Classifier: a function from a batch of inputs to logits, with what its inputs and outputs mean."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.black_box import LogProbabilities
from classifier.calibration import Calibration
from classifier.chunks import in_chunks
from classifier.description import METADATA, Description, described_digest
from classifier.errors import IntegrityError, ModelError
from classifier.modality import MODALITIES
from classifier.probing import require_function
from classifier.records import as_record, canonical_json, folder_atomically, parse_record, read_record, write_atomically
from classifier.schema import Schema
from classifier.tensor_records import fingerprints
from classifier.trees import Trees

Factory = Callable[[Schema, int], nn.Module]
WEIGHTS, DOCUMENT = "weights.safetensors", "classifier.json"


class Classifier:
    """A function from inputs ``(N, *S)`` to logits ``(N, K)``, with its schema, its classes and its digest.

    Make one with :meth:`wrap`, `trainer.train`, or :meth:`load`.
    """

    def __init__(
        self, forward: Callable[[Tensor], Tensor], description: Description, *, origin: str = "", trees: Trees | None = None
    ) -> None:
        self._forward = forward
        self.description = description
        #: The ensemble of trees that a black box calls, for a method that reads it; ``None`` where none was given.
        self.trees = trees
        self._origin = origin
        self._digest: str | None = None

    @classmethod
    def wrap(
        cls,
        model: nn.Module | Callable[[Tensor], Any],
        *,
        schema: Schema,
        classes: tuple[str, ...] | list[str],
        factory: Factory | Architecture | None = None,
        card: Mapping[str, Any] | None = None,
        trees: Trees | None = None,
    ) -> Classifier:
        """Make a classifier of a module that returns logits, or of a function that returns probabilities.

        Args:
            model: A module from ``(N, *S)`` to ``(N, K)`` logits, or to one logit a row where there are
                two classes; or any function from a tensor ``(N, *S)`` to probabilities ``(N, K)``. A module
                is copied, so that later changes to it do not reach the classifier.
            schema: What the inputs mean.
            classes: Name of each class; of two, the second is the event.
            factory: The registered architecture that builds the module, if one does.
            card: What is to be told of it.
            trees: The ensemble of trees that the function calls, if it does.

        Raises:
            ModelError: If the model does not answer a batch with one finite logit (or probability) a class, or its answer to
                an input is not that input's alone; see `require_function`.
        """
        if not schema.features:
            raise ModelError(
                "a classifier needs at least one feature", remedy="bring predictions alone as predictions, without a classifier"
            )
        if len(classes) < 2:
            raise ModelError(f"a classifier needs at least 2 classes, got {len(classes)}")
        if len(set(map(str, classes))) < len(classes):
            raise ModelError(f"the classes must have different names, got {', '.join(map(str, classes))}")
        name, options = _registered(factory)
        description = Description(schema, tuple(map(str, classes)), name, options, dict(card or {}))
        if isinstance(model, nn.Module):
            module = copy.deepcopy(model).eval().requires_grad_(False)
            classifier = cls(module, description)
        else:
            origin = f"{getattr(model, '__module__', '')}.{getattr(model, '__qualname__', type(model).__qualname__)}"
            classifier = cls(LogProbabilities(model), description, origin=origin, trees=trees)
        require_function(classifier)
        return classifier

    @property
    def schema(self) -> Schema:
        """What the inputs mean."""
        return self.description.schema

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each class; of two, the second is the event."""
        return self.description.classes

    @property
    def card(self) -> Mapping[str, Any]:
        """What is told of it: training record, intended use."""
        return self.description.card

    @property
    def module(self) -> nn.Module | None:
        """The network, or ``None`` for a black box."""
        return self._forward if isinstance(self._forward, nn.Module) else None

    @property
    def differentiable(self) -> bool:
        """Whether gradients with respect to the inputs are to be had."""
        return not self.why_no_gradients

    @property
    def why_no_gradients(self) -> str:
        """Why there are no gradients with respect to the inputs; empty where there are."""
        if self.module is None:
            return str(self.card.get("why_no_gradients", "the classifier is a black box"))
        if not MODALITIES[self.schema.modality].continuous:
            return f"the inputs of a {self.schema.modality} classifier are discrete"
        return ""

    @property
    def takes_whole_values(self) -> bool:
        """Whether what it calls takes the values of a table, so that it knows no half of a category and rounds one."""
        return bool(self.card.get("takes_whole_values", False))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        tensors = chain(self.module.parameters(), self.module.buffers()) if self.module is not None else ()
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    def to(self, device: str | torch.device) -> Classifier:
        """The same classifier, on another device."""
        if self.module is None:
            return self
        return Classifier(copy.deepcopy(self.module).to(device), self.description)

    def logits(self, x: Tensor) -> Tensor:
        """Logits of inputs ``(N, *S)``, as ``(N, K)``.

        Differentiable where `x` requires a gradient; otherwise computed without one, in chunks that fit
        in memory.
        """
        x = x.to(self.device)
        if x.requires_grad and torch.is_grad_enabled():
            return self.logits_of(self._forward(x))
        with torch.no_grad():
            return in_chunks(lambda part: self.logits_of(self._forward(part)), x)

    def probabilities(self, x: Tensor) -> Tensor:
        """Probability of each class ``(N, K)``."""
        return self.logits(x).softmax(1)

    def predict(self, x: Tensor) -> Tensor:
        """The most probable class ``(N,)``."""
        return self.logits(x).argmax(1)

    def calibrated(self, calibration: Calibration) -> Classifier:
        """The same classifier with its network's logits calibrated, instead of any calibration it had."""
        return Classifier(self._forward, replace(self.description, calibration=calibration), origin=self._origin, trees=self.trees)

    @property
    def digest(self) -> str:
        """SHA-256 over schema, classes, architecture with options, calibration, and every tensor; a black box
        has no tensors, and its digest covers what it is called, not what it does."""
        if self._digest is None:
            self._digest = described_digest(as_record(self.description), fingerprints(self._tensors()), origin=self._origin)
        return self._digest

    def save(self, folder: str | Path) -> None:
        """Write ``weights.safetensors`` and ``classifier.json`` into `folder`, whole or not at all.

        Raises:
            ModelError: If it is a black box, which has no weights to save.
        """
        with folder_atomically(Path(folder)) as draft:
            # Weights that two layers share are written twice: safetensors refuses overlapping memory.
            tensors = {name: tensor.clone() for name, tensor in self.tensors().items()}
            write_atomically(draft / WEIGHTS, safetensors.save(tensors, {METADATA: self.described()}))
            write_atomically(draft / DOCUMENT, canonical_json(as_record(self.description)) + b"\n")

    @classmethod
    def load(cls, folder: str | Path, *, factory: Factory | None = None) -> Classifier:
        """Read a classifier back.

        Args:
            folder: What :meth:`save` wrote.
            factory: Builds the module where it is of no registered architecture. It is named by the
                caller and never by the file, since a file must not choose what code runs.

        Raises:
            IntegrityError: If a file is missing, or does not hold what it should.
            ModelError: If the weights do not fit the architecture.
        """
        folder = Path(folder)
        description = read_record(Description, folder / DOCUMENT)
        if not (folder / WEIGHTS).is_file():
            raise IntegrityError(f"{folder / WEIGHTS} is missing", remedy="take the whole folder that was saved")
        return cls._restore(description, _read_tensors((folder / WEIGHTS).read_bytes(), str(folder / WEIGHTS)), factory)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by its name, contiguous and on the processor; it may share memory with the network's own.

        Raises:
            ModelError: If it is a black box, which has none.
        """
        if self.module is None:
            raise ModelError("a black box has no weights to save", remedy="save the model that it calls")
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors().items()}

    def described(self) -> str:
        """Its description as JSON, which a file of its tensors keeps under `METADATA`."""
        return canonical_json(as_record(self.description)).decode()

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], metadata: Mapping[str, str], *, factory: Factory | None = None) -> Classifier:
        """Make a classifier of what a file held. The tensors become its own.

        Args:
            tensors: What :meth:`tensors` gave.
            metadata: The file's, with the description under `METADATA`.
            factory: Builds the module where it is of no registered architecture.

        Raises:
            ModelError: If there is no description, or the weights do not fit it.
            IntegrityError: If the description is none.
        """
        if METADATA not in metadata:
            raise ModelError("the file holds tensors but no description of a classifier", remedy="seal it with audit.vault.seal")
        return cls._restore(parse_record(Description, metadata[METADATA].encode(), "the file"), tensors, factory)

    @classmethod
    def _restore(cls, description: Description, tensors: dict[str, Tensor], factory: Factory | None) -> Classifier:
        if description.architecture is not None:
            try:
                architecture = ARCHITECTURES[description.architecture](**_tupled(description.options))
            except TypeError as error:
                raise ModelError(f"the options do not fit the architecture {description.architecture!r}: {error}") from error
            # Without memory of its own: a forged file may name layers far larger than the weights that it holds.
            with torch.device("meta"):
                module = architecture.build(description.schema, len(description.classes))
        elif factory is not None:
            module = factory(description.schema, len(description.classes))
        else:
            raise ModelError("the classifier is of no registered architecture", remedy="give the factory that builds its module")
        try:
            # Assigned, not copied into what the factory made: weights in double precision stay so, and the digest with them.
            module.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise ModelError(f"the weights do not fit the architecture: {error}") from error
        return cls(module.eval().requires_grad_(False), description)

    def _tensors(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict()) if self.module is not None else {}

    def logits_of(self, answer: Tensor) -> Tensor:
        """Logits ``(N, K)`` of what the network answers: of two classes a single one becomes two, and all are calibrated."""
        logits = self._two_sided(answer)
        return logits if self.description.calibration is None else self.description.calibration(logits)

    def _two_sided(self, output: Tensor) -> Tensor:
        """A single logit z becomes (-z/2, z/2)."""
        if not isinstance(output, Tensor):
            raise ModelError(
                f"the model answers with a {type(output).__name__}, required are logits (N, K)",
                remedy="wrap it in a module that returns only those",
            )
        if len(self.classes) == 2 and (output.dim() == 1 or output.shape[1] == 1):
            z = output.reshape(-1, 1)
            return torch.cat([-z / 2, z / 2], dim=1)
        return output

    def __repr__(self) -> str:
        kind = self.description.architecture or (type(self.module).__name__ if self.module else "black box")
        return f"Classifier({kind}, {len(self.schema.features)} features, classes {', '.join(self.classes)}, {self.digest[:12]})"


def _registered(factory: Factory | Architecture | None) -> tuple[str | None, dict[str, Any]]:
    package, _, identifier = type(factory).__module__.rpartition(".")
    if not isinstance(factory, Architecture) or package != ARCHITECTURES.package:
        return None, {}
    return identifier, asdict(factory.blueprint())


def _tupled(options: Mapping[str, Any]) -> dict[str, Any]:
    """JSON gives lists back where the options were tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def _read_tensors(content: bytes, source: str) -> dict[str, Tensor]:
    try:
        return safetensors.load(content)
    except SafetensorError as error:
        raise IntegrityError(
            f"{source} is no safetensors file: {error}", remedy="it was cut short or changed; take it from its origin again"
        ) from error
