"""The last layer: where the network's answer is linear in what it knows of an input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classifier.chunks import in_chunks
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.modality import modality_of


def last_linear(classifier: Classifier) -> str | None:
    """The name of the linear layer whose output is the network's answer; empty for the whole network, ``None`` where there is none."""
    module = classifier.module
    if module is None:
        return None
    found: list[tuple[str, Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, answer, name=name: found.append((name, answer)))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        with torch.no_grad():
            answer = module(_probe(classifier))
    finally:
        for hook in hooks:
            hook.remove()
    if not found or found[-1][1].shape != answer.shape or not torch.equal(found[-1][1], answer):
        return None
    # A layer that is used twice would take part in the representation too.
    return found[-1][0] if sum(name == found[-1][0] for name, _ in found) == 1 else None


def _probe(classifier: Classifier) -> Tensor:
    """A few inputs to look at the network with ``(n, *S)``."""
    modality = modality_of(classifier.schema)
    if modality.continuous:
        return modality.neutral().expand(4, *classifier.schema.shape).to(classifier.device)
    # Texts of real tokens: one that is all masked says nothing of what tokens say by themselves.
    most = int(classifier.schema.features[0].high or 0)
    return torch.randint(0, most + 1, (4, *classifier.schema.shape), generator=torch.Generator().manual_seed(0)).to(classifier.device)


def representations(classifier: Classifier, layer: str, x: Tensor, *, of: str = "output") -> Tensor:
    """What a layer gives, or what goes into it, for each input, laid flat ``(N, D)``.

    Args:
        classifier: Whose layer.
        layer: Its name.
        x: Inputs ``(N, *S)``.
        of: ``"output"`` or ``"input"``.

    Raises:
        ConfigurationError: If there is no such layer, or it gives no tensor with a row for each input.
    """
    module = classifier.module
    assert module is not None  # whoever asks for a layer has looked
    named = dict(module.named_modules())
    if layer not in named:
        raise ConfigurationError(f"the network has no layer {layer!r}", remedy=f"there are: {', '.join(filter(None, named))}")

    def read(part: Tensor) -> Tensor:
        kept: list[object] = []
        handle = named[layer].register_forward_hook(lambda _, given, answer: kept.append(given[0] if of == "input" else answer))
        try:
            module(part)
        finally:
            handle.remove()
        (value,) = kept if len(kept) == 1 else (None,)
        if not isinstance(value, Tensor) or len(value) != len(part):
            raise ConfigurationError(f"the layer {layer!r} gives no tensor with one row for each input", remedy="name another layer")
        return value.flatten(1)

    with torch.no_grad():
        return in_chunks(read, x.to(classifier.device))
