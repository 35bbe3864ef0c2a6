"""Texts: the players are the positions of tokens, and one that is left out is masked, so that the text keeps its length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.errors import ConfigurationError, DataError
from classifier.formats.texts import TEXT, is_blank, read_texts, text_column, texts_of
from classifier.modalities._stated import require_features, require_size
from classifier.modality import MODALITIES, Modality
from classifier.schema import Feature, Relation, Schema
from classifier.storage import room_for
from classifier.subwords import SubwordTokenizer
from classifier.tokenizer import SPECIAL, Tokenizer, VocabularyTokenizer, build_vocabulary, split_tokens

#: The size, where none is stated, leaves so many texts whole, but is at most so long.
WHOLE, MOST_TOKENS = 95, 256


@MODALITIES.register
class Text(Modality):
    """Texts ``(T,)``: the number of each token in the vocabulary, int64, padded at the end.

    A case is a string. A text longer than the size is cut at the end.
    """

    continuous: ClassVar[bool] = False
    #: The third word of a text has nothing in common with the third word of another.
    aligned: ClassVar[bool] = False
    dtype: ClassVar[torch.dtype] = torch.int64

    def __post_init__(self) -> None:
        schema = self.schema
        if len(schema.size) != 1:
            raise ConfigurationError(f"the size of a text is (tokens,), got {schema.size}", remedy="give the schema size=(128,)")
        if [(feature.name, feature.kind) for feature in schema.features] != [(TEXT, "text")]:
            raise ConfigurationError(
                f"a text has one feature, {TEXT!r}, of kind 'text'", remedy=f"give Feature({TEXT!r}, 'text', categories=vocabulary)"
            )

    @staticmethod
    def read(path: Path) -> tuple[pd.DataFrame, str]:
        return read_texts(path)

    @staticmethod
    def infer(
        inputs: pd.DataFrame, *, stated: Mapping[str, Mapping[str, Any]], relations: Sequence[Relation], size: tuple[int, ...]
    ) -> Schema:
        if relations:
            raise ConfigurationError("relations are between the features of a table, and these are texts")
        require_size(size, "a text", ("tokens",))
        if stated.get(text_column(inputs), {}).get("protected"):
            raise ConfigurationError(
                f"{text_column(inputs)!r} cannot be an input of a classifier of texts", remedy="leave it out of protected_inputs"
            )
        require_features(inputs.columns, stated, (TEXT,))
        fields = {"kind": "text", **stated.get(TEXT, {})}
        texts = texts_of(inputs, Feature(TEXT, "text", fill=fields.get("fill")))
        if not fields.get("tokenizer") and not fields.get("categories"):
            fields["categories"] = build_vocabulary(map(split_tokens, texts))
        feature = Feature(TEXT, **{**fields, "categories": tuple(fields.get("categories", ()))})
        tokenizer = tokenizer_of(feature)
        feature = replace(feature, low=0.0, high=float(tokenizer.size - 1))
        lengths = [len(numbers) for numbers in tokenizer.encode(texts)]
        extent = size[0] if size else max(1, min(MOST_TOKENS, ceil(np.percentile(lengths, WHOLE))))
        return Schema("text", (feature,), size=(extent,))

    def describe(self, inputs: pd.DataFrame, labels: Tensor) -> Mapping[str, Any]:
        (feature,), extent = self.schema.features, self.schema.size[0]
        missing = sum(map(is_blank, inputs.iloc[:, 0]))
        numbers = self.tokenizer.encode(texts_of(inputs, feature))
        cut = sum(len(text) > extent for text in numbers)
        every = sum(map(len, numbers))
        unknown = sum(text.count(self.tokenizer.unknown) for text in numbers)
        notes = [
            f"the vocabulary has {self.tokenizer.size} tokens; {unknown / max(1, every):.2%} of the tokens in the texts are none of them"
        ]
        if cut:
            notes.append(f"{cut} of {len(numbers)} texts have more than {extent} tokens and were cut there")
        filled = {"missing": {feature.name: missing}, "filled": {feature.name: str(feature.fill)}} if missing else {}
        return {"notes": tuple(notes), **filled}

    @property
    def tokenizer(self) -> Tokenizer:
        """What turns a text into tokens."""
        return tokenizer_of(self.schema.features[0])

    def encode(self, frame: pd.DataFrame) -> Tensor:
        (feature,), extent = self.schema.features, self.schema.size[0]
        x = room_for(len(frame), self.shape, self.dtype).fill_(self.tokenizer.padding)
        for row, numbers in enumerate(self.tokenizer.encode(texts_of(frame, feature), extent)):
            if not numbers:
                raise DataError(f"the text in row {frame.index[row]} has no token", remedy="leave the row out")
            x[row, : len(numbers)] = torch.tensor(numbers)
        return x

    def decode(self, x: Tensor) -> pd.DataFrame:
        """The tokens joined to a text: normalised, in lower case, and cut at the size; U+FFFD stands for an unknown token."""
        # Which tokenizer it is, is found by its vocabulary, which takes longer than a token does.
        tokenizer = self.tokenizer
        texts = [tokenizer.decode([n for n in numbers if n != tokenizer.padding]) for numbers in x.tolist()]
        return pd.DataFrame({TEXT: pd.Series(texts, dtype=object)})

    @property
    def shape(self) -> tuple[int, ...]:
        return self.schema.size

    @cached_property
    def players(self) -> tuple[str, ...]:
        return tuple(f"token {position + 1}" for position in range(self.schema.size[0]))

    @cached_property
    def membership(self) -> Tensor:
        return torch.arange(self.schema.size[0])

    def present(self, x: Tensor) -> Tensor:
        return ~torch.isin(x, torch.tensor(self.tokenizer.structure, device=x.device))

    def neutral(self) -> Tensor:
        """A mask at every position: a text whose tokens are all left out."""
        return torch.full(self.shape, self.tokenizer.mask, dtype=self.dtype)

    def typical(self, x: Tensor) -> Tensor:
        return self.neutral().to(x.device)

    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        return values

    def mask(self, x: Tensor, present: Tensor, replacement: Tensor) -> Tensor:
        """As for any modality, but as long as `x` is: padding, begin and end stay, and none of them takes a token's place."""
        structure = torch.tensor(self.tokenizer.structure, device=x.device)
        replacement = torch.where(torch.isin(replacement, structure), self.tokenizer.mask, replacement)
        return torch.where(present | torch.isin(x, structure), x, replacement)

    def repair(self, x: Tensor, centre: Tensor) -> Tensor:
        return centre.clone()

    def valid(self, x: Tensor) -> Tensor:
        """Whether the numbers are of tokens, with at least one, and padding only after the last."""
        there = x != self.tokenizer.padding
        return ((x >= 0) & (x < self.tokenizer.size)).all(1) & there[:, 0] & (there[:, 1:] <= there[:, :-1]).all(1)

    def words(self, x: Tensor) -> list[dict[str, str]]:
        tokenizer = self.tokenizer
        return [dict(zip(self.players, map(tokenizer.token, numbers), strict=True)) for numbers in x.tolist()]


@lru_cache(maxsize=64)
def tokenizer_of(feature: Feature) -> Tokenizer:
    """What turns the texts of a feature into tokens: its own tokenizer, or its vocabulary.

    Raises:
        ConfigurationError: If it has neither.
    """
    if feature.tokenizer:
        return SubwordTokenizer(feature.tokenizer)
    if feature.categories[: len(SPECIAL)] != SPECIAL:
        raise ConfigurationError(
            f"the vocabulary of {feature.name!r} must begin with {', '.join(SPECIAL)}, got {', '.join(feature.categories[:3])}",
            remedy="put them before its other tokens",
        )
    return VocabularyTokenizer(feature.categories)
