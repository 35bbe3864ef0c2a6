"""Classifiers of the library transformers (Wolf et al., 2020, arXiv:1910.03771), rebuilt from their configuration (extra ``text``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._pretrained import fresh_model, parse_config, pretrained_model, read_config
from classifier.errors import ConfigurationError, ModelError
from classifier.modalities.text import tokenizer_of
from classifier.records import canonical_json
from classifier.schema import Schema


@ARCHITECTURES.register
@dataclass(frozen=True, kw_only=True)
class HuggingFace(Architecture):
    """A model of transformers with a head for classes, whose training starts from the weights of a folder.

    A saved classifier needs no folder: it holds the configuration, all weights, and in its schema the tokenizer.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``; as seen from where the command runs.
        config: The content of a ``config.json``, instead of a folder; the weights are then fresh.
    """

    modalities: ClassVar[frozenset[str]] = frozenset({"text"})

    folder: str = ""
    config: str = ""

    def __post_init__(self) -> None:
        if bool(self.folder) == bool(self.config):
            raise ConfigurationError(
                "the architecture 'huggingface' needs either a folder to start from or a config",
                remedy='give [model] options = { folder = "..." }',
            )

    def blueprint(self) -> HuggingFace:
        return HuggingFace(config=canonical_json(read_config(Path(self.folder))).decode()) if self.folder else self

    def build(self, schema: Schema, outputs: int) -> nn.Module:
        folder = Path(self.folder)
        document = read_config(folder) if self.folder else parse_config(self.config, "the config")
        model = pretrained_model(folder, document, outputs) if self.folder else fresh_model(document, outputs)
        tokenizer = tokenizer_of(schema.features[0])
        known = model.get_input_embeddings().weight.shape[0]
        if tokenizer.size > known:
            raise ModelError(
                f"the tokenizer has {tokenizer.size} tokens, and the model knows {known}",
                remedy='read the texts with the tokenizer of the model: [data] tokenizer = "folder"',
            )
        return HuggingFaceNetwork(model, document, tokenizer.padding)


class HuggingFaceNetwork(nn.Module):
    """A model of transformers that takes the numbers of tokens ``(N, T)``, padded at the end.

    Args:
        model: Takes `input_ids` and `attention_mask`, and answers with logits.
        document: Its configuration.
        padding: The number that stands after the end of a text.
    """

    def __init__(self, model: nn.Module, document: dict[str, Any], padding: int) -> None:
        super().__init__()
        self.model, self.document, self.padding = model, document, padding
        self.register_load_state_dict_post_hook(_compute_buffers)  # type: ignore[no-untyped-call]  # torch leaves it so

    def forward(self, x: Tensor) -> Tensor:
        here = x != self.padding
        # What comes after the longest text of a batch changes nothing but the time.
        extent = max(1, int(here.sum(1).max()))
        logits: Tensor = self.model(input_ids=x[:, :extent], attention_mask=here[:, :extent].long()).logits
        return logits

    def embed(self, x: Tensor) -> Tensor:
        """The vectors of the tokens ``(N, T, E)``, before positions are added."""
        vectors: Tensor = self.model.get_input_embeddings()(x)  # type: ignore[operator]  # every model of transformers has them
        return vectors

    def classify(self, embeddings: Tensor, x: Tensor) -> Tensor:
        """Logits ``(N, K)`` of embedded tokens; see `classifier.architecture.Embeds`."""
        here = x != self.padding
        extent = max(1, int(here.sum(1).max()))
        logits: Tensor = self.model(inputs_embeds=embeddings[:, :extent], attention_mask=here[:, :extent].long()).logits
        return logits


def _compute_buffers(module: nn.Module, keys: object) -> None:
    """Compute what is no weight and in no file, such as positions, where the module was built without memory.

    Only once all weights are in place: they prove that the model is no larger than its file.
    """
    assert isinstance(module, HuggingFaceNetwork)  # it is a hook of that alone
    absent = [name for name, buffer in module.model.named_buffers() if buffer.is_meta]
    weights = list(module.model.parameters())
    if not absent or any(weight.is_meta for weight in weights):
        return
    outputs = int(module.model.config.num_labels)  # type: ignore[union-attr, arg-type]  # every model of transformers has one
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        computed = dict(fresh_model(module.document, outputs).named_buffers())
    for name in absent:
        owner, _, leaf = name.rpartition(".")
        module.model.get_submodule(owner)._buffers[leaf] = computed[name].to(weights[0].device)
