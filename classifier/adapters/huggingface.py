"""A Hugging Face folder as a classifier: configuration, safetensors and tokenizer, all local (extra ``text``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from classifier.architectures._pretrained import read_config, refusals, require_weights
from classifier.architectures.huggingface import HuggingFace
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError
from classifier.formats.texts import TEXT
from classifier.modalities.text import tokenizer_of
from classifier.schema import Feature, Schema
from classifier.seeds import Seed
from classifier.subwords import read_tokenizer

LONGEST = 256
TOLERANCE = 1e-4
_SAMPLE = ("A good book, well printed!", "Not worth 30 euros.", "这本书很好,印刷也清楚。", "房间又小又吵，再也不住了。")


def from_huggingface(folder: str | Path, *, classes: Sequence[str] | None = None, size: int | None = None) -> Classifier:
    """Make a classifier of a folder that ``save_pretrained`` wrote.

    Its logits are compared with those of the folder's own tokenizer and model on a few texts.

    Args:
        folder: Holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``.
        classes: Name of each class, in the order of the model's outputs; by default those of its configuration.
        size: Tokens of an input, the special ones counted; by default as many as the model takes, at most 256.

    Raises:
        ModelError: If the folder lacks a file, holds weights as a pickle, asks for code of its own or gives no class of
            several, or the classifier answers otherwise than the original.
        ConfigurationError: If transformers is absent, or the texts cannot be padded.
    """
    folder = Path(folder)
    document = read_config(folder)
    require_weights(folder)
    problem = document.get("problem_type")
    if problem not in (None, "single_label_classification"):
        raise ModelError(
            f"the model of {folder} is for the problem {problem!r}, required is one class of several (single_label_classification)",
            remedy="each of its outputs answers a question of its own; audit them one by one, by python with a function to probabilities",
        )
    names = tuple(classes) if classes is not None else _classes(document.get("id2label") or {}, folder)
    longest = document.get("max_position_embeddings") or document.get("n_positions") or LONGEST
    feature = Feature(TEXT, "text", tokenizer=read_tokenizer(folder))
    tokenizer = tokenizer_of(feature)
    feature = Feature(TEXT, "text", low=0.0, high=float(tokenizer.size - 1), tokenizer=feature.tokenizer)
    schema = Schema("text", (feature,), size=(size if size is not None else min(LONGEST, int(longest)),))
    start = HuggingFace(folder=str(folder))
    module = start.build(schema, len(names))
    try:
        classifier = Classifier.wrap(module, schema=schema, classes=names, factory=start, card={"origin": folder.name})
    except (ModelError, IndexError) as error:
        # A model that counts positions from another number than 0 takes fewer tokens than its configuration has positions.
        raise ModelError(f"the model does not take texts of {schema.size[0]} tokens: {error}", remedy="give a smaller size") from error
    _require_equal(classifier, folder)
    return classifier


def _classes(labels: dict[str, str], folder: Path) -> tuple[str, ...]:
    names = tuple(str(labels[number]) for number in sorted(labels, key=int))
    if len(names) < 2:
        raise ConfigurationError(
            f"{folder / 'config.json'} names {len(names)} classes, required are 2",
            remedy='name each output, in their order: [model] classes = ["...", "..."], or in Python classes=("...", "...")',
        )
    return names


def _require_equal(classifier: Classifier, folder: Path) -> None:
    """Compare with the tokenizer and the model of the folder, as they are without the classifier."""
    texts = _sample(classifier)
    found = classifier.logits(classifier.schema.encode(pd.DataFrame({TEXT: texts})))
    expected = _original(folder, texts, classifier.schema.size[0])
    if expected.shape[1] == 1:
        expected = torch.cat([-expected / 2, expected / 2], dim=1)
    if found.shape != expected.shape:
        raise ModelError(
            f"the model of {folder} has {expected.shape[1]} outputs, got {len(classifier.classes)} classes", remedy="name a class for each"
        )
    difference = (found - expected).abs().max().item()
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the classifier answers otherwise than the model of {folder}: logits differ by up to {difference:.2g} (allowed {TOLERANCE:g})",
            remedy="its tokenizer.json may be of another model, or pads in a way that its attention mask does not tell",
        )


def _sample(classifier: Classifier) -> list[str]:
    """A few sentences, and texts of random tokens that the tokenizer knows."""
    tokenizer = tokenizer_of(classifier.schema.features[0])
    generator = Seed(0, ("adapters", "huggingface")).torch()
    drawn = [torch.randint(tokenizer.size, (length,), generator=generator).tolist() for length in (3, 10, classifier.schema.size[0])]
    return [*_SAMPLE, *(text for text in map(tokenizer.decode, drawn) if text.strip())]


def _original(folder: Path, texts: list[str], extent: int) -> Tensor:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with refusals():
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        model = AutoModelForSequenceClassification.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        ).eval()
        tokenizer.padding_side = "right"
        batch = tokenizer(texts, padding=True, truncation=True, max_length=extent, return_tensors="pt")
        with torch.no_grad():
            logits: Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits
