"""Why single rows were decided as they were."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, get_args

import numpy as np
from pydantic import Field

from audit.configuration import Configuration
from audit.toml_files import Form, read_toml
from audit.vault import Identity
from classifier.dataset import Dataset, Splits
from classifier.errors import ConfigurationError, StorageError, did_you_mean
from classifier.opening import Opener, opening_with
from classifier.records import write_atomically
from explain import Explanation
from explain.counterfactual.wording import Language
from explain.sheet.deciding import DecidedCase, decide
from explain.sheet.percentages import percentage
from explain.sheet.weighing import require_speaks_of_decisions
from explain.sheet.writing import OwnersWords, write_sheet

# An image has 49 patches; what follows the largest says little.
_LISTED = 25
# Rows to compare with: as many as the reasons of a sheet can use.
_BACKGROUND = 1024


@dataclass(frozen=True)
class SingleDecision:
    """One row, what was decided of it, and why.

    Args:
        row: Its number in the data file.
        case: What was decided, and what moved it: the same for the terminal, the picture and the sheet.
        truth: Its label.
        seen: Whether the classifier learned from it; ``None`` where nobody knows.
        contact: Whom the person can turn to.
    """

    row: int
    case: DecidedCase
    truth: str
    seen: bool | None
    contact: str = ""

    @property
    def decided(self) -> str:
        """The class that it is taken for."""
        return self.case.classes[self.case.decided]

    @property
    def explanation(self) -> Explanation:
        """What moved the decision towards the class decided."""
        return self.case.explanation

    def as_text(self) -> str:
        """The decision and what weighed in it, within 80 columns."""
        explanation = self.explanation
        learned = {True: "learned from", False: "not learned from", None: "perhaps learned from"}[self.seen]
        base, value = float(explanation.base_value[0]), float(explanation.value[0])
        lines = [
            f"Row {self.row} ({learned}): decided {self.decided!r}, it was {self.truth!r}",
            f"  probability of {self.decided!r}: {percentage(float(self.case.probabilities[self.case.decided]))}",
            *_wrapped(f"{explanation.method}, {explanation.output_name}: {value:+.3f} here, {base:+.3f} for what it is compared with"),
        ]
        parts = self._parts()
        lines += [f"  {part['attribution']:+8.3f}  {part['name']} = {part['value']}"[:80] for part in parts[:_LISTED]]
        if rest := parts[_LISTED:]:
            lines.append(f"  {sum(part['attribution'] for part in rest):+8.3f}  {len(rest)} others, summed")
        return "\n".join([*lines, *(line for note in (self._precision(), *explanation.notes) for line in _wrapped(note))])

    def as_record(self, files: Sequence[Path] = ()) -> dict[str, Any]:
        """The same as data for JSON, with the files that were written of it."""
        explanation = self.explanation
        return {
            "row": self.row,
            "learned_from": self.seen,
            "label": self.truth,
            "decided": self.decided,
            "probabilities": dict(zip(self.case.classes, self.case.probabilities.tolist(), strict=True)),
            "threshold": self.case.threshold,
            "method": explanation.method,
            "seed": explanation.seed,
            "quantity": explanation.quantity,
            "output": explanation.output_name,
            "base_value": float(explanation.base_value[0]),
            "value": float(explanation.value[0]),
            "exact": explanation.exact,
            "parts": self._parts(),
            "notes": list(explanation.notes),
            "classifier": explanation.classifier_digest,
            "files": [str(path) for path in files],
        }

    def _precision(self) -> str:
        explanation = self.explanation
        if explanation.quantity != "contribution":
            return f"each is {explanation.quantity}; their sum means nothing"
        if explanation.exact:
            return "exact; they add up to the difference"
        missed = f"their sum is off by at most {float(explanation.completeness_error.max()):.1e}"
        return missed if explanation.standard_error is None else f"estimates, {explanation.precision}; {missed}"

    def _parts(self) -> list[dict[str, Any]]:
        """Each part that the input has, the heaviest first."""
        parts = self.explanation.top(len(self.explanation.modality.players))
        errors = parts["standard_error"].astype(object).where(parts["standard_error"].notna(), None)
        return [
            {"name": name, "value": value, "attribution": attribution, "standard_error": error}
            for name, value, attribution, error in zip(parts["feature"], parts["value"], parts["attribution"], errors, strict=True)
        ]

    def draw(self, folder: Path) -> Path:
        """Save a picture of this decision, a waterfall or a heat map; returns the file."""
        path, buffer = folder / f"row-{self.row}.png", io.BytesIO()
        self.explanation.plot().figure.savefig(buffer, format="png", dpi=150)  # type: ignore[union-attr]  # axes of a figure have one
        write_atomically(path, buffer.getvalue())
        return path

    def write_sheets(self, folder: Path, tags: Sequence[Language], words: Mapping[str, OwnersWords]) -> list[Path]:
        """Write the sheet in several languages; returns the files.

        Args:
            folder: Where to.
            tags: Their tags.
            words: The owner's words in each language.
        """
        sheet, paths = write_sheet(self.case, label=str(self.row)), []
        for language in tags:
            paths.append(folder / f"row-{self.row}.{language}.html")
            sheet.save(paths[-1], language, words=words.get(language), contact=self.contact)
        return paths


def _wrapped(text: str) -> list[str]:
    return wrap(text, 80, initial_indent="  ", subsequent_indent="    ")


class WordsPart(Form):
    """``[<language>]``: the owner's words in a language of the sheets."""

    names: dict[str, str] = {}
    reasons: dict[str, str] = {}


class WordsFile(Form):
    """The owner's words, a table for each language."""

    en: WordsPart = WordsPart()
    zh_cn: Annotated[WordsPart, Field(alias="zh-CN")] = WordsPart()


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
    """Row numbers from ``"0,7"``, each once."""
    try:
        rows = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigurationError(f"--rows must hold numbers separated by commas, got {text!r}") from error
    return list(dict.fromkeys(rows))


def make_folder(folder: Path) -> None:
    """Make a folder for what is to be written, and try that files can be: before anything is trained.

    Raises:
        StorageError: If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        problem = "a file is in the way" if isinstance(error, (FileExistsError, NotADirectoryError)) else error.strerror
        raise StorageError(f"cannot write into the folder {folder}: {problem}", remedy="name another folder with --output") from error


@dataclass(frozen=True)
class SingleRows:
    """Rows of the data that a configuration describes, before anything is trained.

    Args:
        configuration: What is audited.
        folder: What its paths start from.
        splits: The data in its parts.
        everything: All rows that can be asked for.
        rows: Those that are asked for, by their number in the file.
        opener: What opens sealed files.
    """

    configuration: Configuration
    folder: Path
    splits: Splits
    everything: Dataset
    rows: tuple[int, ...]
    opener: Opener

    @classmethod
    def read(cls, path: Path, rows: Sequence[int], *, identities: Sequence[Identity] = (), passphrase: str | None = None) -> SingleRows:
        """Find rows by their number in the file.

        Args:
            path: ``audit.toml``.
            rows: Their numbers.
            identities: What opens sealed data; by default what ``[seal] identity_file`` names, or the user's own identities.
            passphrase: Tried where data, or ``[seal] identity_file``, are sealed under one.

        Raises:
            ConfigurationError: If there is no such row.
        """
        configuration = Configuration.read(path)
        opener = configuration.seal.opener(path.parent, identities, passphrase)
        with opening_with(opener):
            splits = configuration.read_splits(path.parent)
        # Parts in files of their own number their rows each for itself: then it is those of the test file.
        cut = splits.independence == "held out"
        everything = Dataset.joined([splits.train, splits.validation, splits.test]) if cut else splits.test
        absent = sorted(set(rows) - set(everything.ids.tolist()))
        if absent:
            raise ConfigurationError(f"there is no row {absent[0]}", remedy=f"rows are numbered from 0 to {int(everything.ids.max())}")
        return cls(configuration, path.parent, splits, everything, tuple(rows), opener)

    def read_words(self, path: Path) -> dict[str, OwnersWords]:
        """The owner's words in each language.

        Raises:
            ConfigurationError: If the file holds anything else, or words for what there is not.
        """
        document = read_toml(WordsFile, path)
        words = {"en": OwnersWords(**document.en.model_dump()), "zh-CN": OwnersWords(**document.zh_cn.model_dump())}
        for language, own in words.items():
            try:
                own.require_known(self.everything.schema, self.everything.classes)
            except ConfigurationError as error:
                raise ConfigurationError(f"{path}, [{language}]: {error.problem}", remedy=error.remedy) from error
        return words

    def explain(
        self, *, method: str = "auto", sheets: bool = False, progress: bool = True, tell: Callable[[str], None] = lambda message: None
    ) -> Iterator[SingleDecision]:
        """Explain one row after the other.

        Args:
            method: The attribution method.
            sheets: Whether sheets are to be written, which not every method is for.
            progress: Whether to show how the training goes.
            tell: Is told what is done next.

        Raises:
            NotApplicableError: If the method does not hold, or does not say what a sheet is to say.
        """
        if sheets:
            require_speaks_of_decisions(method)
        configuration, splits = self.configuration, self.splits
        with opening_with(self.opener):
            classifier = configuration.classifier(splits, self.folder, progress=progress)
            subject = configuration.subject(splits, classifier, self.folder)
        rows = subject.training if subject.training is not None else subject.test
        order = np.random.default_rng(configuration.audit.seed).permutation(len(rows))[:_BACKGROUND]
        background = rows[np.sort(order)].inputs
        learned = set(splits.train.ids.tolist()) if splits.independence == "held out" else set()
        classes = self.everything.classes
        for row in self.rows:
            tell(f"row {row}: what moved the decision")
            (index,) = np.flatnonzero(self.everything.ids == row)
            chosen = self.everything[np.array([index])]
            case = decide(
                classifier,
                chosen.inputs,
                background=background,
                # Only where somebody said so: of two classes, nobody knows that the person wants the other one.
                favourable=configuration.decision.favourable,
                threshold=subject.decision.threshold if len(classes) == 2 else None,
                method=method,
                seed=configuration.audit.seed,
            )
            seen = None if splits.independence == "unknown" else row in learned
            yield SingleDecision(row, case, classes[int(chosen.labels[0])], seen, configuration.declarations.get("contact", ""))
