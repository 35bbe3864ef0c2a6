"""Images: the players are square patches of a grid, and a valid image lies on the levels of its channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.errors import ConfigurationError, DataError
from classifier.formats.images import read_images
from classifier.formats.pictures import resize
from classifier.modalities._image_cells import CELLS, image_cells, in_channels, levels_of, pixels_of, shape_of
from classifier.modalities._stated import require_features, require_size
from classifier.modalities.tabular import Tabular
from classifier.modality import MODALITIES, Modality
from classifier.schema import Feature, Relation, Schema
from classifier.storage import room_for

Array = NDArray[Any]

MOST_PLAYERS = 49


@MODALITIES.register
@dataclass(frozen=True)
class Image(Modality):
    """Pictures ``(C, H, W)``: one feature a channel, and a grid of at most 49 patches as players.

    A case is an array (height, width) or (height, width, channels), or a `Picture`. An image of another size than the
    schema's is resized, antialiased, and a grey or coloured one takes the schema's channels.
    """

    def __post_init__(self) -> None:
        schema = self.schema
        if len(schema.size) != 2:
            raise ConfigurationError(f"the size of an image is (height, width), got {schema.size}", remedy="give the schema size=(28, 28)")
        if not schema.features:
            raise ConfigurationError("an image needs at least one channel")
        for feature in schema.features:
            if not feature.numeric:
                raise ConfigurationError(f"the channel {feature.name!r} of an image must hold numbers, got kind {feature.kind!r}")

    @staticmethod
    def read(path: Path) -> tuple[pd.DataFrame, str]:
        return read_images(path)

    @staticmethod
    def infer(
        inputs: pd.DataFrame, *, stated: Mapping[str, Mapping[str, Any]], relations: Sequence[Relation], size: tuple[int, ...]
    ) -> Schema:
        if relations:
            raise ConfigurationError("relations are between the features of a table, and these are images")
        require_size(size, "an image", ("height", "width"))
        for column in inputs.columns:
            if stated.get(str(column), {}).get("protected"):
                raise ConfigurationError(
                    f"{column!r} cannot be an input of a classifier of images", remedy="leave it out of protected_inputs"
                )
        images = image_cells(inputs)
        sizes = Counter(shape_of(image)[:2] for image in images)
        if not size and len(sizes) > 1:
            (common, _), (other, _) = sizes.most_common(2)
            raise DataError(
                f"the images have {len(sizes)} sizes, such as {list(common)} and {list(other)}",
                remedy=f"state the one to bring them to, as in size = {list(common)}",
            )
        channels = Counter(shape_of(image)[2] for image in images).most_common(1)[0][0]
        names = {1: ("gray",), 3: ("red", "green", "blue")}.get(channels, tuple(f"channel {i + 1}" for i in range(channels)))
        require_features(inputs.columns, stated, names)
        levels = levels_of(images)
        features = tuple(Feature(name, **{**levels, **stated.get(name, {})}) for name in names)
        return Schema("image", features, size=size or shape_of(images[0])[:2])

    def describe(self, inputs: pd.DataFrame, labels: Tensor) -> Mapping[str, Any]:
        images, channels, (height, width) = image_cells(inputs), len(self.schema.features), self.schema.size
        converted = sum(shape_of(image)[2] != channels for image in images)
        resized = sum(shape_of(image)[:2] != (height, width) for image in images)
        others = [name for name in inputs.columns if name != "file" and not isinstance(inputs[name].iloc[0], CELLS)]
        notes = [f"{name} is no image, and so no input" for name in others]
        if converted:
            notes.append(f"{converted} of {len(images)} images were converted to {'gray' if channels == 1 else 'colour'}")
        if resized:
            notes.append(f"{resized} of {len(images)} images were resized to {height} x {width}")
        return {"notes": tuple(notes)}

    def encode(self, frame: pd.DataFrame) -> Tensor:
        channels, (height, width) = len(self.schema.features), self.schema.size
        encoded = room_for(len(frame), self.shape)
        low, span = (np.array(values) for values in zip(*map(self._reach, self.schema.features), strict=True))
        whole = np.array([feature.kind != "continuous" for feature in self.schema.features])
        for position, (row, cell) in enumerate(zip(frame.index, image_cells(frame), strict=True)):
            image = pixels_of(cell)
            if whole.any():
                self._require_levels(image, row)
            pixels = in_channels(image, channels, row).astype(np.float64)
            self._require_bounds(pixels, row)
            if pixels.shape[:2] != (height, width):
                pixels = resize(pixels, height, width)
            # The grey of a colour and a pixel that was resized may lie between levels.
            pixels = np.where(whole, np.round(pixels), pixels)
            encoded[position] = torch.from_numpy(((pixels - low) / span).transpose(2, 0, 1))
        return encoded

    def decode(self, x: Tensor) -> pd.DataFrame:
        natural = self._natural(x).permute(0, 2, 3, 1).numpy()
        if all(feature.kind != "continuous" for feature in self.schema.features):
            natural = np.round(natural)
            natural = natural.astype(np.uint8 if natural.size == 0 or (natural.min() >= 0 and natural.max() <= 255) else np.int32)
        column = np.empty(len(natural), dtype=object)
        column[:] = list(natural[..., 0] if natural.shape[3] == 1 else natural)
        return pd.DataFrame({"image": column})

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.schema.features), *self.schema.size)

    def lay(self, columns: Tensor) -> Tensor:
        return columns[:, None, None].expand(self.shape)

    @cached_property
    def patch(self) -> int:
        """Side of a patch in pixels: the smallest that leaves at most 49 patches; those at the far edges may be cut."""
        height, width = self.schema.size
        return next(side for side in range(1, max(height, width) + 1) if -(-height // side) * -(-width // side) <= MOST_PLAYERS)

    @property
    def grid(self) -> tuple[int, int]:
        """How many patches lie below and beside each other."""
        height, width = self.schema.size
        return -(-height // self.patch), -(-width // self.patch)

    @property
    def players(self) -> tuple[str, ...]:
        rows, columns = (
            [_stretch(noun, start + 1, min(start + self.patch, extent)) for start in range(0, extent, self.patch)]
            for noun, extent in zip(("row", "column"), self.schema.size, strict=True)
        )
        return tuple(f"{row}, {column}" for row in rows for column in columns)

    @cached_property
    def membership(self) -> Tensor:
        height, width = self.schema.size
        rows, columns = torch.arange(height) // self.patch, torch.arange(width) // self.patch
        return (rows[:, None] * self.grid[1] + columns).expand(self.shape)

    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        """Divide a patch's value evenly over its pixels and channels."""
        membership = self.membership.to(values.device)
        sizes = torch.bincount(membership.flatten(), minlength=len(self.players))
        return (values / sizes)[:, membership]

    def repair(self, x: Tensor, centre: Tensor) -> Tensor:
        repaired = Tabular(self.schema).repair(_pixels(x), _pixels(centre))
        return repaired.reshape(len(x), *self.schema.size, -1).permute(0, 3, 1, 2).contiguous()

    def valid(self, x: Tensor) -> Tensor:
        return Tabular(self.schema).valid(_pixels(x)).reshape(len(x), *self.schema.size).flatten(1).all(1)

    def words(self, x: Tensor) -> list[dict[str, str]]:
        """The mean intensity of each patch in natural units, channel by channel where there are several."""
        natural = self._natural(x)
        sizes = torch.bincount(self.membership[0].flatten(), minlength=len(self.players))
        means = torch.stack([_sums(natural[:, c], self.membership[0], len(sizes)) / sizes for c in range(natural.shape[1])], dim=2)
        return [dict(zip(self.players, map(self._word, row), strict=True)) for row in means.tolist()]

    def picture(self, x: Tensor) -> NDArray[np.float32]:
        """What inputs look like ``(N, H, W, 3)``, or ``(N, H, W, 1)`` unless they have red, green and blue; from 0 to 1.

        Args:
            x: Inputs ``(N, C, H, W)``. What has no bounds is drawn between the lowest and the highest value of `x`.
        """
        low, high = self.schema.bounds
        x = x.detach().cpu().float()
        low, high = torch.where(low.isfinite(), low, x.min()), torch.where(high.isfinite(), high, x.max())
        shown = ((x - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        if shown.shape[1] != 3:
            shown = shown.mean(1, keepdim=True)
        return shown.permute(0, 2, 3, 1).numpy()

    def _require_levels(self, image: Array, row: object) -> None:
        """Refuse an image on the scale from 0 to 1 where its channels have whole levels."""
        if image.dtype.kind not in "fb":
            return
        high = max((feature.high for feature in self.schema.features if feature.high is not None), default=np.inf)
        # Ones alone may be levels, but hardly any image has no brighter pixel: it is black and white from 0 to 1.
        if (image != np.round(image)).any():
            problem = "holds fractions"
        elif 0 < image.max() <= 1 < high:
            problem = f"holds nothing above 1, as {image.dtype}"
        else:
            return
        raise DataError(
            f"the image in row {row} {problem}, required are whole levels up to {high:g}",
            remedy="give it as it is in its file, in whole numbers",
        )

    def _require_bounds(self, pixels: Array, row: object) -> None:
        """Refuse an image (height, width, C) on another scale than the channels'.

        Whole levels end where they end. The bounds of fractions may be no more than what the training data
        showed, so that a value beyond them is counted, as in a table, and only one a whole range beyond is refused.
        """
        for index, feature in enumerate(self.schema.features):
            if feature.low is None or feature.high is None:
                continue
            slack = feature.span if feature.kind == "continuous" else 1e-6 * feature.span
            lowest, highest = float(pixels[..., index].min()), float(pixels[..., index].max())
            if lowest < feature.low - slack or highest > feature.high + slack:
                value = highest if highest > feature.high + slack else lowest
                raise DataError(
                    f"the image in row {row} has the value {value:g} in {feature.name}, required are {feature.low:g} to {feature.high:g}",
                    remedy="bring it to the scale of the other images, or state low and high of the channel",
                )

    def _reach(self, feature: Feature) -> tuple[float, float]:
        """What is subtracted from a channel's values and what divides them."""
        return (feature.low, feature.span) if self.schema.encoding == "unit" and feature.low is not None else (0.0, 1.0)

    def _natural(self, x: Tensor) -> Tensor:
        """Values in natural units ``(N, C, H, W)``, on the processor."""
        reach = torch.tensor([self._reach(feature) for feature in self.schema.features])[:, :, None, None]
        return x.detach().cpu() * reach[:, 1] + reach[:, 0]

    def _word(self, means: list[float]) -> str:
        parts = [f"{mean:.4g}{f' {f.unit}' if f.unit else ''}" for f, mean in zip(self.schema.features, means, strict=True)]
        return parts[0] if len(parts) == 1 else ", ".join(f"{name} {part}" for name, part in zip(self.schema.names, parts, strict=True))


def _pixels(x: Tensor) -> Tensor:
    """Every pixel as a row of a table ``(N * H * W, C)``."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _sums(values: Tensor, membership: Tensor, players: int) -> Tensor:
    """Sum pixels ``(N, H, W)`` to patches ``(N, P)``."""
    flat = values.flatten(1)
    return torch.zeros(len(flat), players).scatter_add_(1, membership.flatten().expand_as(flat), flat)


def _stretch(noun: str, first: int, last: int) -> str:
    return f"{noun} {first}" if first == last else f"{noun}s {first} to {last}"
