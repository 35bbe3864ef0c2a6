"""Why single rows were decided as they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import torch
from pydantic import Field

from audit.configuration import Configuration
from audit.toml_files import Form, read_toml
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, did_you_mean
from classifier.modality import modality_of
from explain import Explanation, attribute
from explain.counterfactual.wording import Language
from explain.method import METHODS
from explain.sheet.writing import OwnersWords, Sheet, decision_sheet

# An image has 49 patches; what follows the largest says little.
_LISTED = 25


@dataclass(frozen=True)
class SingleDecision:
    """One row, what was decided of it, and why.

    Args:
        row: Its number in the data file.
        decided: The class that it is taken for.
        probability: Probability of the explained class.
        truth: Its label.
        seen: Whether the classifier learned from it; ``None`` where nobody knows.
        explanation: The attributions of this row alone.
        sheet: Makes the sheet for the person concerned, when asked: it takes longer than the attributions.
        contact: Whom the person can turn to.
    """

    row: int
    decided: str
    probability: float
    truth: str
    seen: bool | None
    explanation: Explanation
    sheet: Callable[[], Sheet]
    contact: str = ""

    def as_text(self) -> str:
        """The decision and what weighed in it, within 80 columns."""
        explanation = self.explanation
        target = explanation.classes[int(explanation.target[0])]
        learned = {True: "learned from", False: "not learned from", None: "perhaps learned from"}[self.seen]
        words = modality_of(explanation.schema).words(explanation.inputs)[0]
        values = explanation.by_feature()[0]
        unit = explanation.output.replace("_", " ")
        lines = [
            f"Row {self.row} ({learned}): decided {self.decided!r}, it was {self.truth!r}",
            f"  probability of {target!r}: {self.probability:.1%}",
            f"  {explanation.method}, {unit} of {target!r}: {float(explanation.base_value[0]):+.3f} on average, "
            f"{float(explanation.value[0]):+.3f} here",
        ]
        order = values.abs().argsort(descending=True).tolist()
        for index in order[:_LISTED]:
            name = explanation.modality.players[index]
            lines.append(f"  {float(values[index]):+8.3f}  {name} = {words[name]}"[:80])
        if rest := order[_LISTED:]:
            lines.append(f"  {float(values[rest].sum()):+8.3f}  {len(rest)} others, summed")
        if explanation.quantity != "contribution":
            return "\n".join([*lines, f"  each is {explanation.quantity}; their sum means nothing"])
        exact = "exact" if explanation.exact else f"off by at most {float(explanation.completeness_error.max()):.1e}"
        return "\n".join([*lines, f"  their sum is {exact}"])

    def draw(self, folder: Path) -> Path:
        """Save a picture of this decision, a waterfall or a heat map; returns the file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"row-{self.row}.png"
        self.explanation.plot().figure.savefig(path, dpi=150)  # type: ignore[union-attr]  # axes of a figure have one
        return path

    def write_sheets(self, folder: Path, tags: Sequence[Language], words: Mapping[str, OwnersWords]) -> list[Path]:
        """Write the sheet in several languages; returns the files.

        Args:
            folder: Where to.
            tags: Their tags.
            words: The owner's words in each language.
        """
        folder.mkdir(parents=True, exist_ok=True)
        sheet, paths = self.sheet(), []
        for language in tags:
            paths.append(folder / f"row-{self.row}.{language}.html")
            sheet.save(paths[-1], language, words=words.get(language), contact=self.contact)
        return paths


class WordsPart(Form):
    """``[<language>]``: the owner's words in a language of the sheets."""

    names: dict[str, str] = {}
    reasons: dict[str, str] = {}


class WordsFile(Form):
    """The owner's words, a table for each language."""

    en: WordsPart = WordsPart()
    zh_cn: Annotated[WordsPart, Field(alias="zh-CN")] = WordsPart()


def read_words(path: Path) -> dict[str, OwnersWords]:
    """The owner's words in each language.

    Raises:
        ConfigurationError: If the file holds anything else.
    """
    document = read_toml(WordsFile, path)
    return {"en": OwnersWords(**document.en.model_dump()), "zh-CN": OwnersWords(**document.zh_cn.model_dump())}


def parse_languages(text: str) -> tuple[Language, ...]:
    """Tags of languages from ``"en,zh-CN"``.

    Raises:
        ConfigurationError: If no sheet is written in one.
    """
    known = get_args(Language)
    tags = [part.strip() for part in text.split(",")]
    for tag in tags:
        if tag not in known:
            raise ConfigurationError(f"there are no sheets in the language {tag!r}", remedy=did_you_mean(tag, known))
    return tuple(language for language in known if language in tags)


def parse_rows(text: str) -> list[int]:
    """Row numbers from ``"0,7"``."""
    try:
        rows = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigurationError(f"--rows must hold numbers separated by commas, got {text!r}") from error
    return rows


def explain_single(path: Path, rows: list[int], *, method: str = "auto", progress: bool = True) -> list[SingleDecision]:
    """Explain rows of the data that a configuration describes, by their number in the file.

    Raises:
        ConfigurationError: If there is no such row.
    """
    configuration = Configuration.read(path)
    splits = configuration.read_splits(path.parent)
    # Parts in files of their own number their rows each for itself: then it is those of the test file.
    cut = splits.independence == "held out"
    everything = Dataset.joined([splits.train, splits.validation, splits.test]) if cut else splits.test
    absent = sorted(set(rows) - set(everything.ids.tolist()))
    if absent:
        raise ConfigurationError(f"there is no row {absent[0]}", remedy=f"rows are numbered from 0 to {int(everything.ids.max())}")
    classifier = configuration.classifier(splits, path.parent, progress=progress)
    subject = configuration.subject(splits, classifier, path.parent)
    chosen = everything[np.array([int(np.flatnonzero(everything.ids == row)[0]) for row in rows])]
    # A single row affords a background where the method compares with one.
    background = subject.background(100, configuration.audit.seed)
    compares = method == "auto" or METHODS[method].takes_background
    baseline = background if compares else modality_of(classifier.schema).typical(background)
    explanation = attribute(classifier, chosen.inputs, method, baseline=baseline, seed=configuration.audit.seed)
    presumed = subject.presumed(explanation.predictions.double().numpy())
    learned = set(splits.train.ids.tolist()) if cut else set()
    names, two = chosen.classes, len(chosen.classes) == 2

    def sheet(index: int) -> Sheet:
        return decision_sheet(
            classifier,
            chosen.inputs[index : index + 1],
            background=background,
            favourable=chosen.favourable,
            threshold=subject.decision.threshold if two else None,
            method=method,
            label=str(rows[index]),
            seed=configuration.audit.seed,
        )

    return [
        SingleDecision(
            row=row,
            decided=names[int(presumed[index])],
            probability=float(explanation.predictions[index, int(explanation.target[index])]),
            truth=names[int(chosen.labels[index])],
            seen=None if splits.independence == "unknown" else row in learned,
            explanation=explanation[torch.tensor([index])],
            sheet=partial(sheet, index),
            contact=configuration.declarations.get("contact", ""),
        )
        for index, row in enumerate(rows)
    ]
