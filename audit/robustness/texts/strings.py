"""The strings behind encoded texts: what is attacked is what people write."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import DataError, NotApplicableError
from classifier.formats.texts import TEXT, is_blank
from classifier.schema import Schema


def require_texts(classifier: Classifier) -> None:
    """Refuse a classifier whose inputs are no texts.

    Raises:
        NotApplicableError: If they are none; it says what they are.
    """
    if classifier.schema.modality != "text":
        raise NotApplicableError(f"this changes the words of texts, and the inputs are of the modality {classifier.schema.modality!r}")


def strings_of(schema: Schema, texts: Sequence[str] | Tensor) -> tuple[tuple[str, ...], Tensor]:
    """Texts as strings, and whether each is a text that the classifier reads as it was given ``(N,)``, bool.

    A string is, where it is not blank. An encoded text is written out in tokens; it is where these are read as the same
    tokens again, which an unknown token of some tokenizers or odd blanks prevent.

    Args:
        schema: What encodes the strings.
        texts: Strings, or encoded texts ``(N, T)``.

    Raises:
        DataError: If a text is no string.
    """
    if not isinstance(texts, Tensor):
        odd = next((text for text in texts if not isinstance(text, str)), None)
        if isinstance(texts, str) or odd is not None:
            got = "one string" if isinstance(texts, str) else f"a {type(odd).__name__}"
            raise DataError(f"texts must be a list of strings, or encoded texts, got {got}")
        return tuple(texts), torch.tensor([not is_blank(text) for text in texts], dtype=torch.bool)
    strings = tuple(schema.decode(texts)[TEXT])
    same = torch.tensor([not is_blank(text) for text in strings], dtype=torch.bool)
    if same.any():
        again = encoded(schema, [text for text, kept in zip(strings, same.tolist(), strict=True) if kept])
        same[same.clone()] = (again == texts.cpu()[same]).all(1)
    return strings, same


def encoded(schema: Schema, strings: Sequence[str]) -> Tensor:
    """Strings as the classifier reads them ``(N, T)``; none of them may be blank."""
    return schema.encode(pd.DataFrame({TEXT: pd.Series(list(strings), dtype=object)}))
