"""Tokenizers of Hugging Face folders: the whole of a ``tokenizer.json``, which travels in the schema (extra ``text``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifier.errors import ConfigurationError, ModelError

_FILE = "tokenizer.json"
_MASKS = ("[MASK]", "<mask>")
_UNKNOWNS = ("[UNK]", "<unk>")
_PADDINGS = ("[PAD]", "<pad>")


class SubwordTokenizer:
    """A tokenizer of the library ``tokenizers``.

    Args:
        document: The content of a ``tokenizer.json`` that :func:`read_tokenizer` made complete.

    Raises:
        ConfigurationError: If the library is absent, or `document` is no such tokenizer.
    """

    def __init__(self, document: str) -> None:
        self._tokenizer = _parse(document)
        padding = self._tokenizer.padding
        if padding is None:
            raise ConfigurationError(
                "the tokenizer does not say what texts are padded with", remedy="take what read_tokenizer(folder) returns"
            )
        self.padding = int(padding["pad_id"])
        known = self._tokenizer.get_vocab(with_added_tokens=True)
        # A tokenizer of bytes knows every text, and one of a model that was never masked has no mask.
        self.unknown = next((known[name] for name in _UNKNOWNS if name in known), self.padding)
        self.mask = next((known[name] for name in _MASKS if name in known), self.unknown)
        self.size = max(known.values()) + 1
        self._special = frozenset(number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special)
        self.structure = tuple(sorted((self._special | {self.padding}) - {self.mask, self.unknown}))

    def encode(self, texts: Sequence[str], extent: int | None = None) -> list[list[int]]:
        self._tokenizer.no_padding()
        if extent is None:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(extent)
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def token(self, number: int) -> str:
        # A token of bytes or with a mark of its place in the word is written as the text that it is.
        written: str = self._written([number]) if number not in self._special else ""
        return written.strip() or str(self._tokenizer.id_to_token(number) or f"({number})")

    def decode(self, numbers: Sequence[int]) -> str:
        return self._written(list(numbers))

    def _written(self, numbers: list[int]) -> str:
        text: str = self._tokenizer.decode(numbers, skip_special_tokens=True)
        return text


def read_tokenizer(folder: str | Path) -> str:
    """The tokenizer of a Hugging Face folder, complete in one JSON text.

    Args:
        folder: Holds ``tokenizer.json`` and, mostly, ``tokenizer_config.json``, which names the padding.

    Raises:
        ConfigurationError: If the folder has no such file, or nothing says what texts are padded with.
    """
    folder = Path(folder)
    if not (folder / _FILE).is_file():
        raise ConfigurationError(
            f"{folder} has no {_FILE}", remedy="save it there with AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
        )
    tokenizer = _parse((folder / _FILE).read_text(encoding="utf-8"))
    stated = _stated_padding(folder)
    known = tokenizer.get_vocab(with_added_tokens=True)
    names = [name for name in (stated, *_PADDINGS) if name is not None and name in known]
    if not names:
        raise ConfigurationError(
            f"the tokenizer of {folder} has no token to pad texts with", remedy="name one as pad_token in tokenizer_config.json"
        )
    tokenizer.no_truncation()
    tokenizer.enable_padding(pad_id=known[names[0]], pad_token=names[0])
    document: str = tokenizer.to_str()
    return document


def _stated_padding(folder: Path) -> str | None:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            try:
                token = json.loads((folder / name).read_text(encoding="utf-8")).get("pad_token")
            except ValueError as error:
                raise ModelError(f"{folder / name} is no JSON: {error}", remedy="take the folder from its origin again") from error
            if token is not None:
                return str(token["content"] if isinstance(token, dict) else token)
    return None


def _parse(document: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigurationError("a tokenizer of a Hugging Face folder needs tokenizers", remedy="pip install 'assay[text]'") from error
    try:
        return Tokenizer.from_str(document)
    except Exception as error:  # the library raises nothing narrower
        raise ConfigurationError(f"the tokenizer cannot be read: {error}", remedy="it must be the whole of a tokenizer.json") from error
