"""Models of the library transformers, from a configuration or from a folder; nothing is fetched, and no code comes with a model."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from classifier.errors import ConfigurationError, ModelError

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
# What a configuration may ask of the library that no file is to ask for: code to run, and other files to open.
_ASKING = {"auto_map": "code of its own", "transformers_weights": "weights from a file that it names"}


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
        ModelError: If it is no such configuration, names code that would have to run, or names its own weights.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{source} is no JSON: {error}", remedy="take the folder from its origin again") from error
    if not isinstance(document, dict) or not isinstance(document.get("model_type"), str):
        raise ModelError(f"{source} names no model_type", remedy="it must be the config.json of a model of transformers")
    for key, asked in _ASKING.items():
        if key in document:
            raise ModelError(
                f"{source} asks for {asked} ({key}), and no file names what runs or is opened",
                remedy='build the model yourself, and name the factory: [model] python = "module:factory"',
            )
    return document


def require_weights(folder: Path) -> None:
    """Refuse a folder whose weights are not all safetensors within it.

    The library opens whatever an index names, anywhere and as a pickle if it ends so, although it is told to take
    safetensors alone; and a folder of an adapter sends it to another folder.

    Raises:
        ModelError: If a file is absent, or the index names anything but safetensors beside it.
    """
    if (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"{folder} holds an adapter of another model", remedy="merge it where it comes from, and write it with model.save_pretrained"
        )
    index = folder / _INDEX
    if not (folder / _WEIGHTS).is_file() and not index.is_file():
        pickled = "; its pytorch_model.bin is a pickle, which can run code" if (folder / "pytorch_model.bin").is_file() else ""
        raise ModelError(
            f"{folder} has no model.safetensors{pickled}", remedy="where the model comes from, write it with model.save_pretrained(folder)"
        )
    if not index.is_file():
        return
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} is no index of weights: {error!r}", remedy="take the folder from its origin again") from error
    for name in named:
        plain = isinstance(name, str) and name.endswith(".safetensors") and not set(name) & {"/", "\\", "\0"}
        if not plain or not (folder / name).is_file():
            raise ModelError(
                f"{index} names {name!r}, required is a file beside it that ends in .safetensors",
                remedy="where the model comes from, write it with model.save_pretrained(folder)",
            )


def fresh_model(document: dict[str, Any], outputs: int) -> Any:
    """A classifier of texts with fresh weights.

    Args:
        document: Its configuration.
        outputs: How many logits it gives.
    """
    with refusals():
        return _library().AutoModelForSequenceClassification.from_config(_configuration(document, outputs), dtype=torch.float32)


def pretrained_model(folder: Path, document: dict[str, Any], outputs: int) -> Any:
    """A classifier of texts with a folder's weights; a head that is absent or of another size is fresh.

    Raises:
        ModelError: If the folder holds no weights as safetensors, or they do not fit the configuration.
    """
    require_weights(folder)
    with refusals():
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
def refusals() -> Iterator[None]:
    """What the library raises, as an error with a remedy."""
    try:
        yield
    except (
        OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, IndexError, ImportError,
        SafetensorError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        said = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"the model cannot be built: {said}",
            remedy="config.json and model.safetensors must belong together, and be of a model that classifies sequences",
        ) from error
