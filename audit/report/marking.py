"""Marking: letters that no reader sees, but that change what is seen, stand as their numbers in every form of a report."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Marked = TypeVar("Marked")

# Controls, what turns the direction of writing or has no width, and the separators of lines that are no line feed.
_KINDS = frozenset({"Cc", "Cf", "Zl", "Zp"})
_LETTERS = (chr(number) for number in range(sys.maxunicode + 1))
_UNSEEN = "".join(re.escape(letter) for letter in _LETTERS if unicodedata.category(letter) in _KINDS and letter not in "\n\t")
_HIDDEN = re.compile(f"[{_UNSEEN}]")


def marked(said: Marked) -> Marked:
    """The same with each hidden letter as its number, ``[U+202E]``: a name cannot pass for another one by letters that nobody sees.

    Args:
        said: A text, or what is made of texts: a document, or any part of it.
    """
    made: Any = said
    if isinstance(said, str):
        made = _HIDDEN.sub(lambda letter: f"[U+{ord(letter[0]):04X}]", said)
    elif isinstance(said, tuple):
        # What is drawn are thousands of numbers.
        made = said if said and isinstance(said[0], float) else tuple(map(marked, said))
    elif isinstance(said, Mapping):
        made = {marked(key): marked(value) for key, value in said.items()}
    elif is_dataclass(said) and not isinstance(said, type):
        made = replace(said, **{field.name: marked(getattr(said, field.name)) for field in fields(said)})
    return made
