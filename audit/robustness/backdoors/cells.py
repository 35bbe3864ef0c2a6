"""The places that a trigger can take, and the values that it can put there: pixels, features, or a variable at a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.errors import NotApplicableError
from classifier.modalities._observed import observed_column
from classifier.modality import modality_of
from classifier.schema import Schema


@dataclass(frozen=True)
class Cells:
    """What a trigger is made of.

    Args:
        schema: What the inputs mean.
        index: The cell that each element of an input belongs to ``(*S)``.
        free: Whether a trigger may take each cell ``(C,)``, bool: whatever can change both ways.
        low: Lowest value of each element ``(*S)``: its bound, or what the rows show where there is none.
        high: Highest value of each element ``(*S)``.
    """

    schema: Schema
    index: Tensor
    free: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, schema: Schema, x: Tensor) -> Cells:
        """The cells of the inputs of a schema.

        Args:
            schema: What the inputs mean.
            x: Rows that show the reach of what has no bounds ``(N, *S)``.

        Raises:
            NotApplicableError: If the parts of the inputs have no fixed place, or nothing may change.
        """
        modality = modality_of(schema)
        if not (modality.aligned and modality.continuous):
            raise NotApplicableError(f"a trigger has a place, and the parts of a {schema.modality} have none that all inputs share")
        if schema.modality == "image":
            index = torch.arange(schema.size[0] * schema.size[1]).reshape(schema.size).expand(schema.shape)
        else:
            feature = torch.tensor([place for place, f in enumerate(schema.features) for _ in range(f.width)])
            steps = schema.size[0] if schema.size else 1
            index = (torch.arange(steps)[:, None] * len(schema.features) + feature).reshape(schema.shape)
        fall, rise = modality.movable
        movable = fall & rise
        flag = observed_column(schema)
        if flag is not None:
            movable = movable.clone()
            movable[..., flag] = False
        free = torch.ones(int(index.max()) + 1, dtype=torch.bool)
        free[index[~movable]] = False
        if not free.any():
            raise NotApplicableError("a trigger needs something in the inputs that can change, and by the schema nothing can")
        low, high = schema.bounds
        low, high = torch.where(low.isfinite(), low, x.amin(0).cpu()), torch.where(high.isfinite(), high, x.amax(0).cpu())
        return cls(schema, index, free, low, high)

    def to(self, device: torch.device) -> Cells:
        """The same, on another device."""
        return Cells(self.schema, *(tensor.to(device) for tensor in (self.index, self.free, self.low, self.high)))

    def values(self, free: Tensor) -> Tensor:
        """Values in reach ``(G, *S)`` of any numbers ``(G, *S)``, differentiably; of a category the shares of each."""
        values = self.low + (self.high - self.low) * free.sigmoid()
        for columns in self._categories():
            values = torch.cat([values[..., : columns.start], free[..., columns].softmax(-1), values[..., columns.stop :]], dim=-1)
        return values

    def snapped(self, values: Tensor) -> Tensor:
        """The valid values next to `values` ``(G, *S)``: whole numbers whole, and of each group one category."""
        snapped = values.clone()
        for place, feature in enumerate(self.schema.features):
            if feature.kind in ("integer", "binary"):
                at = (slice(None), place) if self.schema.modality == "image" else (..., self.schema.groups[feature.name])
                one = at[1:] if self.schema.modality == "image" else at
                low, reach = self.low[one], (self.high - self.low)[one]
                scaled = self.schema.encoding == "unit" and feature.low is not None
                count = 1.0 if feature.kind == "binary" else feature.span if scaled else reach.clamp_min(1.0)
                snapped[at] = low + ((values[at] - low) / reach.clamp_min(1e-12) * count).round() / count * reach
        for columns in self._categories():
            chosen = values[..., columns].argmax(-1)
            snapped[..., columns] = torch.nn.functional.one_hot(chosen, columns.stop - columns.start).to(values)
        return snapped

    def _categories(self) -> list[slice]:
        return [self.schema.groups[feature.name] for feature in self.schema.features if feature.kind == "categorical"]
