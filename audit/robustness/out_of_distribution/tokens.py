"""Outside rows of texts: other words in the places of the text's own."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.dataset import Dataset
from classifier.modalities.text import tokenizer_of
from classifier.modality import modality_of

_REPLACED = 0.1


def _uniform(dataset: Dataset, generator: torch.Generator) -> Tensor:
    return torch.where(_there(dataset), _words(dataset, generator, dataset.inputs.shape[1]), dataset.inputs)


def _flat(dataset: Dataset, generator: torch.Generator) -> Tensor:
    return torch.where(_there(dataset), _words(dataset, generator, 1), dataset.inputs)


def _noisy(dataset: Dataset, generator: torch.Generator) -> Tensor:
    there = _there(dataset)
    chance = torch.where(there, torch.rand(there.shape, generator=generator), torch.inf)
    # At least one word of each text, or a short one would stay as it is.
    replaced = (chance < _REPLACED) | (chance == chance.amin(1, keepdim=True)) & there
    return torch.where(replaced, _words(dataset, generator, there.shape[1]), dataset.inputs)


def _shuffled(dataset: Dataset, generator: torch.Generator) -> Tensor:
    there, x = _there(dataset), dataset.inputs
    # What is no word keeps its place: the words that are there are dealt out to the places that are.
    places = torch.where(there, torch.arange(there.shape[1]), there.shape[1]).sort(1).values
    key = torch.where(there, torch.rand(there.shape, generator=generator), torch.inf)
    dealt = x.gather(1, key.argsort(1))
    made = torch.cat([x, x[:, :1]], dim=1).scatter(1, places, dealt)[:, :-1]
    return torch.where(there, made, x)


#: How each set is made of a dataset, with the chances of a generator.
MAKERS = {"uniform": _uniform, "flat": _flat, "noisy": _noisy, "shuffled": _shuffled}


def _there(dataset: Dataset) -> Tensor:
    """Which places hold a word ``(N, T)``, bool."""
    return modality_of(dataset.schema).present(dataset.inputs)


def _words(dataset: Dataset, generator: torch.Generator, places: int) -> Tensor:
    """Words drawn uniformly from the vocabulary ``(N, places)``."""
    tokenizer = tokenizer_of(dataset.schema.features[0])
    words = torch.tensor(sorted(set(range(tokenizer.size)) - {*tokenizer.structure, tokenizer.mask, tokenizer.unknown, tokenizer.padding}))
    return words[torch.randint(len(words), (len(dataset), places), generator=generator)]
