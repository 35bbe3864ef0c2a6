"""Naming: what classes, features and values are called, in the words of the model's owner and in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from classifier.errors import ConfigurationError, did_you_mean
from classifier.schema import Schema
from explain.counterfactual.player_names import in_chinese
from explain.counterfactual.result import Counterfactuals
from explain.counterfactual.wording import Language


@dataclass(frozen=True)
class OwnersWords:
    """The words of the model's owner, in one language.

    Args:
        names: What replaces the name of a class, a feature, a category or a unit, wherever it stands.
        reasons: The approved text of a reason, by its feature; without one it is told as its name and value.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def name(self, given: str) -> str:
        """A name as the owner says it."""
        return self.names.get(given, given)

    def require_known(self, schema: Schema, classes: Collection[str]) -> None:
        """Refuse words for what there is not: a misspelt key would leave the name as it is, and nobody would notice.

        Raises:
            ConfigurationError: If a text is for no feature, or a name for nothing that stands on a sheet.
        """
        for key in self.reasons:
            if key not in schema.names:
                raise ConfigurationError(f"there is a text for {key!r}, which is no feature", remedy=did_you_mean(key, schema.names))
        # The tokens of a text are the person's own words, and nobody's to replace.
        categories = {category for feature in schema.features if feature.kind != "text" for category in feature.categories}
        known = {*classes, *schema.names, *categories, *(feature.unit for feature in schema.features if feature.unit)}
        for key in self.names:
            if key not in known:
                raise ConfigurationError(
                    f"there is a name for {key!r}, which is no class, feature, category or unit", remedy=did_you_mean(key, known)
                )


@dataclass(frozen=True)
class Names:
    """What things are called on one sheet.

    Args:
        schema: What the inputs mean.
        language: The reader's language.
        own: The owner's words in it.
    """

    schema: Schema
    language: Language
    own: OwnersWords

    def of_class(self, name: str) -> str:
        """A class."""
        return self.own.name(name)

    def of_part(self, name: str) -> str:
        """A feature of a table, or a part of another input such as ``"tilt, steps 31 to 35"``."""
        if self.schema.modality == "tabular":
            return self.own.name(name)
        feature, comma, place = name.partition(", ")
        called = f"{self.own.name(feature)}{comma}{place}" if feature in self.schema.names else name
        return called if self.language == "en" else in_chinese(called)

    def of_value(self, said: str) -> str:
        """What is known of a part, with its unit; a token of a text is as it is."""
        if self.schema.modality == "text":
            return said
        if self.schema.modality == "tabular":
            return self.own.name(said) if said in self.own.names else self._unit(said)
        pieces = ", ".join(" ".join(self.own.name(word) for word in piece.split(" ")) for piece in self._unit(said).split(", "))
        return pieces if self.language == "en" else in_chinese(pieces)

    def in_sentences(self, changes: Counterfactuals) -> Mapping[str, str]:
        """What to call everything that the sentences of counterfactuals name."""
        told = dict(self._said(changes))
        return {**told, **{name: self.of_class(name) for name in changes.classes}, **self.own.names}

    def _said(self, changes: Counterfactuals) -> Iterator[tuple[str, str]]:
        for own in changes.changes():
            for change in own:
                yield change.feature, self.of_part(change.feature)
                for said in (change.before, change.after):
                    if said:
                        yield said, self.of_value(said)

    def _unit(self, said: str) -> str:
        """A number with its unit as the owner says it."""
        for feature in self.schema.features:
            if feature.unit in self.own.names:
                said = re.sub(rf"(?<=\d) {re.escape(feature.unit)}(?!\w)", f" {self.own.name(feature.unit)}", said)
        return said
