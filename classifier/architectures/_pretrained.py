"""Models of the library transformers, from a configuration or from a folder; nothing is fetched, and no code comes with a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from classifier.errors import ConfigurationError, ModelError

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def read_config(folder: Path) -> dict[str, Any]:
    """The content of a folder's ``config.json``.

    Raises:
        ModelError: If there is none, or the model needs code of its own.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(f"{folder} has no config.json", remedy="give the folder that model.save_pretrained(folder) wrote")
    return parse_config(path.read_text(encoding="utf-8"), str(path))


def parse_config(text: str, source: str) -> dict[str, Any]:
    """The configuration of a model that the library knows.

    Raises:
        ModelError: If it is no such configuration, or names code that would have to run.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{source} is no JSON: {error}", remedy="take the folder from its origin again") from error
    if not isinstance(document, dict) or not isinstance(document.get("model_type"), str):
        raise ModelError(f"{source} names no model_type", remedy="it must be the config.json of a model of transformers")
    if "auto_map" in document:
        raise ModelError(
            f"{source} asks for code of its own (auto_map), and no file names what runs",
            remedy='build the model yourself, and name the factory: [model] python = "module:factory"',
        )
    return document


def fresh_model(document: dict[str, Any], outputs: int) -> Any:
    """A classifier of texts with fresh weights.

    Args:
        document: Its configuration.
        outputs: How many logits it gives.
    """
    with _refusals():
        return _library().AutoModelForSequenceClassification.from_config(_configuration(document, outputs), dtype=torch.float32)


def pretrained_model(folder: Path, document: dict[str, Any], outputs: int) -> Any:
    """A classifier of texts with a folder's weights; a head that is absent or of another size is fresh.

    Raises:
        ModelError: If the folder holds no weights as safetensors, or they do not fit the configuration.
    """
    if not any((folder / name).is_file() for name in _WEIGHTS):
        pickled = "; its pytorch_model.bin is a pickle, which can run code" if (folder / "pytorch_model.bin").is_file() else ""
        raise ModelError(
            f"{folder} has no model.safetensors{pickled}", remedy="where the model comes from, write it with model.save_pretrained(folder)"
        )
    with _refusals():
        return _library().AutoModelForSequenceClassification.from_pretrained(
            str(folder), config=_configuration(document, outputs), dtype=torch.float32, local_files_only=True, trust_remote_code=False,
            use_safetensors=True, ignore_mismatched_sizes=True,
        )  # fmt: skip


def _configuration(document: dict[str, Any], outputs: int) -> Any:
    own = {key: value for key, value in document.items() if key not in ("model_type", "id2label", "label2id", "num_labels")}
    return _library().AutoConfig.for_model(document["model_type"], **own, num_labels=outputs)


def _library() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ConfigurationError("a Hugging Face model needs transformers", remedy="pip install 'assay[text]'") from error
    return transformers


@contextmanager
def _refusals() -> Iterator[None]:
    """What the library raises, as an error with a remedy."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"the model cannot be built: {str(error).splitlines()[0]}",
            remedy="config.json and model.safetensors must belong together, and be of a model that classifies sequences",
        ) from error
