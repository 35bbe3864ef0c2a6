"""Reasons: the sentences that code has written into a record, in the language of a report.

A record is the same in every language, so that what code says in it (why a number is missing, what an engine must find, what to do
about a file) stands in it in English. Here such a sentence is found again by its pattern, and said in another language.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from string import Formatter
from typing import Any, Literal, NamedTuple

from audit.report.catalogue import LOCALES, languages, read_catalogue
from classifier.catalogue import CatalogueError
from classifier.errors import ConfigurationError, did_you_mean

REASONS = LOCALES / "reasons"
# What records are written in.
WRITTEN_IN = "en"
# Places of whose words the catalogue of reports has the names.
CHOSEN = ("corruption", "test")
# A sentence has at most so many parts that could be sentences too, and sentences within its places at most so deep.
_MOST_PARTS, _DEEPEST = 5, 5
_ANYTHING, _NUMBER = "(.*?)", r"([-+−]?[\d.,]+(?:e[-+]?\d+)?)"


@dataclass(frozen=True)
class Pattern:
    """A sentence of a record, with places for what was measured.

    Args:
        english: The sentence; a name in braces stands for anything, and ``{n:number}`` for a number.
        said: The same in another language, with the same names.
    """

    english: str
    said: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """What stands between the places, in order."""
        return tuple(piece for piece, *_ in Formatter().parse(self.english) if piece)

    @property
    def own(self) -> int:
        """How many letters stand between the places."""
        return sum(map(len, self.pieces))

    def match(self, text: str) -> dict[str, str] | None:
        """What stands in the places of a text; ``None`` where the text is another sentence."""
        # Most texts are refused by this, which costs less than hundreds of expressions.
        if not all(piece in text for piece in self.pieces):
            return None
        names, expression = [], ""
        for piece, name, kind, _ in Formatter().parse(self.english):
            expression += re.escape(piece)
            if name is not None:
                names.append(name)
                expression += _NUMBER if kind == "number" else _ANYTHING
        found = re.fullmatch(expression, text, re.DOTALL)
        return dict(zip(names, found.groups(), strict=True)) if found else None


class Reading(NamedTuple):
    """One way to say a text. The least is the best: what leaves least unsaid, then what has most words of its own.

    Args:
        left: Letters that stay as they are, as of names and numbers.
        own: Letters of the patterns, negative.
        said: The text in another language.
    """

    left: int
    own: int
    said: str


class Reasons:
    """The sentences of records in one language.

    Args:
        patterns: The sentences.
        joined: What joins two sentences in English, and in this language.
        words: By the name of a place, words that may stand there, in this language.
        original: How a sentence is shown that has no translation, with ``{text}``.
    """

    def __init__(
        self, patterns: Sequence[Pattern], joined: Mapping[str, str], words: Mapping[str, Mapping[str, str]], original: str
    ) -> None:
        self.patterns, self.joined, self.words, self.original = tuple(patterns), joined, words, original
        self._joins = re.compile("|".join(map(re.escape, joined)))
        self._read: dict[tuple[str, int], Reading | None] = {}

    def find(self, text: str) -> str | None:
        """The sentence in this language; ``None`` where no pattern, and no two that are joined, know it."""
        best = self._best(text, _DEEPEST)
        return None if best is None else best.said

    def _best(self, text: str, deep: int) -> Reading | None:
        if (text, deep) not in self._read:
            self._read[text, deep] = self._parted(text, deep)
        return self._read[text, deep]

    def _whole(self, text: str, deep: int) -> Iterator[Reading]:
        for pattern in self.patterns:
            places = pattern.match(text)
            if places is not None:
                words = {name: self._place(name, word, deep) for name, word in places.items()}
                left, own = sum(word.left for word in words.values()), sum(word.own for word in words.values())
                said = pattern.said.format_map({name: word.said for name, word in words.items()})
                yield Reading(left, own - pattern.own, said)

    def _parted(self, text: str, deep: int) -> Reading | None:
        """The best way to say a text as sentences one after the other; each goes on where what came before is known."""
        ends = [(place.start(), place.end(), self.joined[place[0]]) for place in self._joins.finditer(text)]
        starts = [(0, ""), *((end, said) for _, end, said in ends)]
        stops = [*(start for start, *_ in ends), len(text)]
        # The best of what stands before each part; before the first stands nothing, and that is known.
        known: list[Reading | None] = [Reading(0, 0, ""), *(None for _ in stops)]
        for first, (start, join) in enumerate(starts):
            before = known[first]
            if before is None:
                continue
            for last in range(first, min(first + _MOST_PARTS, len(stops))):
                for whole in self._whole(text[start : stops[last]], deep):
                    reading = Reading(before.left + whole.left, before.own + whole.own, f"{before.said}{join}{whole.said}")
                    known[last + 1] = min(reading, known[last + 1] or reading)
        return known[-1]

    def _place(self, name: str, word: str, deep: int) -> Reading:
        """What stands in a place: a word for it, a sentence within the sentence, or a name or number, the same in all languages."""
        known = self.words.get(name, {}).get(word.strip("'"))
        if known is not None:
            return Reading(0, 0, known)
        within = self._best(word, deep - 1) if deep else None
        return within or Reading(len(word), 0, word)


def say_reason(text: str, language: str) -> str:
    """A sentence of a record, in the language of a report.

    One that has no translation is shown as it was written, and marked as such: a record may come from a release that said more,
    and a report that says something in English is of more use to its reader than none. The tests use `translate_reason`, which
    raises.

    Args:
        text: The sentence, in English; several may be joined by semicolons.
        language: Tag of a language of reports.

    Raises:
        ConfigurationError: If reports are not written in the language.
    """
    if language == WRITTEN_IN or not text:
        return text
    reasons = read_reasons(language)
    return reasons.find(text) or reasons.original.format(text=text)


def say_label(text: str, language: str) -> str:
    """What stands at a place of a picture or in a cell: words of the code in the language, names from the data as they are."""
    return text if language == WRITTEN_IN else read_reasons(language, "labels").find(text) or text


def translate_reason(text: str, language: str) -> str:
    """A sentence of a record, in another language.

    Raises:
        CatalogueError: If it has no translation.
        ConfigurationError: If reports are not written in the language.
    """
    said = read_reasons(language).find(text)
    if said is None:
        raise CatalogueError(
            f"the reasons in {language!r} have no sentence for {text!r}",
            remedy=f"add it to reasons/{language}.toml, with names in braces",
        )
    return said


@cache
def read_reasons(language: str, part: Literal["reasons", "labels"] = "reasons") -> Reasons:
    """The sentences of records in a language.

    Args:
        language: Tag of a language of reports.
        part: Sentences, or what stands at places of pictures and in cells.

    Raises:
        ConfigurationError: If there are none in it.
    """
    source = REASONS / f"{language}.toml"
    if language not in languages() or not source.is_file():
        known = [path.stem for path in REASONS.glob("*.toml")]
        raise ConfigurationError(f"there are no reasons in the language {language!r}", remedy=did_you_mean(language, known))
    content: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
    say = read_catalogue(language)
    chosen = {name: {word: say(f"where_value.{name}.{word}") for word in say.under(f"where_value.{name}")} for name in CHOSEN}
    patterns = [Pattern(english, said) for english, said in content[part].items()]
    return Reasons(patterns, content["joined"], {**chosen, **content["words"]}, content["original"])
