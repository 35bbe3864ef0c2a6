"""Gradients of single rows by the weights: many at once (`torch.func`), and never more than fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from textwrap import shorten

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError

# Numbers in the gradients of single rows that are held at once; 2**22 floats are 16 MiB, which a processor's cache bears.
_NUMBERS = 2**22
Value = Callable[[Tensor, Tensor], Tensor]


class RowGradients:
    """Gradients of a number that a classifier gives for a row, by all of its weights or those of some layers.

    Args:
        classifier: Whose weights.
        layers: Names of the layers, as in ``module.named_modules()``; all where there are none.

    Raises:
        ConfigurationError: If there is no such layer, or it has no weights.
    """

    def __init__(self, classifier: Classifier, layers: tuple[str, ...] = ()) -> None:
        assert classifier.module is not None  # methods that need the network refuse a black box
        self.classifier, self._module = classifier, classifier.module
        named = {name: value.detach() for name, value in self._module.named_parameters() if value.is_floating_point()}
        for layer in layers:
            if not any(_belongs(name, layer) for name in named):
                known = sorted({name.rpartition(".")[0] for name in named} - {""})
                raise ConfigurationError(f"the network has no layer {layer!r} with weights", remedy=f"there are: {', '.join(known)}")
        self._chosen = {name: value for name, value in named.items() if not layers or any(_belongs(name, layer) for layer in layers)}
        self._others = {name: value for name, value in named.items() if name not in self._chosen} | dict(self._module.named_buffers())
        #: How many weights.
        self.size = sum(value.numel() for value in self._chosen.values())
        #: Why the gradients are taken row by row; empty where they are taken at once.
        self.obstacle = ""

    @property
    def names(self) -> frozenset[str]:
        """Names of the parameters."""
        return frozenset(self._chosen)

    @property
    def chunk(self) -> int:
        """How many rows go at once."""
        return max(1, min(1024, _NUMBERS // self.size))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how they were taken."""
        return (f"gradients were taken one row after the other, since all at once fail: {self.obstacle}",) if self.obstacle else ()

    @property
    def weights(self) -> Tensor:
        """The weights in the order of a gradient ``(P,)``."""
        return torch.cat([value.flatten() for value in self._chosen.values()])

    def logits(self, weights: Tensor, x: Tensor) -> Tensor:
        """Logits ``(n, K)`` of inputs ``(n, *S)`` under other weights ``(P,)``, differentiable by them."""
        parts = torch.split(weights, [value.numel() for value in self._chosen.values()])
        changed = {name: part.reshape(self._chosen[name].shape) for name, part in zip(self._chosen, parts, strict=True)}
        return self.classifier.logits_of(functional_call(self._module, {**self._others, **changed}, (x,)))

    def __call__(self, value: Value, x: Tensor, about: Tensor) -> Tensor:
        """The gradient of ``value(logits (n, K), about (n,))``, of each row by itself ``(n, P)``.

        Args:
            value: From logits and what is asked about each row, such as its label, to one number a row ``(n,)``.
            x: Inputs ``(n, *S)``; at most `chunk` of them.
            about: What is asked about each ``(n, ...)``.
        """
        if not self.obstacle:
            try:
                return self._at_once(value, x, about)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                # A layer whose course depends on what it is given, as one that looks for the longest text of a batch.
                # Whatever else it is, the loop over the rows meets it too.
                self.obstacle = shorten(str(error) or type(error).__name__, 100, placeholder=" ...")
        return torch.cat([self._of_one(value, row[None], this[None]) for row, this in zip(x, about, strict=True)])

    def all(self, value: Value, x: Tensor, about: Tensor) -> Tensor:
        """As a call, for any number of rows; all their gradients must fit."""
        parts = zip(torch.split(x, self.chunk), torch.split(about, self.chunk), strict=True)
        return torch.cat([self(value, some, these) for some, these in parts])

    def _at_once(self, value: Value, x: Tensor, about: Tensor) -> Tensor:
        def of_row(chosen: dict[str, Tensor], row: Tensor, this: Tensor) -> Tensor:
            answer = functional_call(self._module, {**self._others, **chosen}, (row[None],))
            return value(self.classifier.logits_of(answer), this[None])[0]

        with warnings.catch_warnings():
            # Recurrent layers have no rule of their own, and run row by row inside.
            warnings.filterwarnings("ignore", message="There is a performance drop")
            found = vmap(grad(of_row), in_dims=(None, 0, 0), randomness="same")(self._chosen, x, about)
        return torch.cat([found[name].flatten(1) for name in self._chosen], dim=1)

    def _of_one(self, value: Value, x: Tensor, about: Tensor) -> Tensor:
        chosen = {name: each.clone().requires_grad_() for name, each in self._chosen.items()}
        with torch.enable_grad():
            answer = functional_call(self._module, {**self._others, **chosen}, (x,))
            (number,) = value(self.classifier.logits_of(answer), about)
            found = torch.autograd.grad(number, list(chosen.values()), allow_unused=True)
        parts = [torch.zeros_like(each) if one is None else one for each, one in zip(chosen.values(), found, strict=True)]
        return torch.cat([part.flatten() for part in parts])[None]


def blocks(count: int, width: int, *, numbers: int = 2**25) -> Iterator[slice]:
    """Cut `count` rows of `width` numbers into as few pieces as hold at most so many `numbers` each."""
    size = max(1, numbers // max(1, width))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _belongs(parameter: str, layer: str) -> bool:
    return parameter == layer or parameter.startswith(f"{layer}.")
