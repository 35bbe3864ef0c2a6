"""Every sentence that code can write into a record has its translation, and none has one for nothing.

The sentences are found in the source: each text of more than one word in the files that measure. What is said of an input file, of
an option or of a configuration before anything is measured stops an audit and stands in no record; what reading a file of rows from
elsewhere refuses is about that file's cells, and stays in English.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import count
from pathlib import Path
from string import Formatter

import pytest

from audit.report import languages
from audit.report.reasons import REASONS, WRITTEN_IN, read_reasons, say_label, translate_reason
from classifier.catalogue import CatalogueError

ROOT = Path(__file__).parents[3]
OTHERS = [language for language in languages() if language != WRITTEN_IN]
# The files whose sentences can reach a record; of a folder, all that are in it.
MEASURING = (
    "audit/subject.py", "audit/runner.py", "audit/data/checks", "audit/data/label_errors.py", "audit/data/label_noise.py",
    "audit/data/known_answers.py", "audit/performance", "audit/explanation", "audit/fairness", "audit/privacy", "audit/robustness",
    "audit/supply_chain", "audit/vault/known_answers.py", "audit/deidentification/known_answers.py", "explain/attributing.py",
    "explain/availability.py", "explain/inputs.py", "explain/output.py", "explain/method.py", "explain/known_answers.py",
    "explain/gradients/continuum.py", "explain/attribution/additive_terms.py", "explain/attribution/exact_shapley.py",
    "explain/attribution/integrated_gradients.py", "explain/attribution/kernel_shap.py", "explain/attribution/permutation_shap.py",
    "trainer/cross_validation.py", "trainer/imitation.py", "trainer/run.py", "trainer/private.py", "classifier/errors.py",
    "classifier/statistics.py", "classifier/classifier.py", "classifier/black_box.py", "classifier/bounds.py", "classifier/grouping.py",
    "classifier/plain.py", "classifier/storage.py", "classifier/adapters/_answers.py", "classifier/adapters/_onnx_session.py",
    "classifier/adapters/rest.py", "classifier/adapters/onnx.py", "classifier/adapters/boosting.py",
)  # fmt: skip
# Exports and the summary for a terminal, which are read beside a record.
BESIDE = {"mlbom.py", "sarif.py", "text.py"}
# Options are refused before anything is measured, and what an object says of itself stands in no record.
BEFORE = {"__post_init__", "__str__", "__repr__"}
# Errors of this code itself, not of what is audited; and rules, of which the record has the remedy alone.
OWN_ERRORS = {"ValueError", "TypeError", "KeyError", "RuntimeError"}
# Texts that are no sentences of a record: names of methods and tests, samples, progress, notes of a training record, warnings caught.
ELSEWHERE = {
    "profile likelihood", "attribution method", "corrected t", "what do ya want for nothing?", "the room was dreadful number {}",
    "breakfast was served number {}", "dreadful room dreadful breakfast {}", "the room was in {} number {}", "epoch {} was done before",
    "loss {}, validation {}", "There is a performance drop",
    "batch normalisation took the statistics of each process's part of a batch, and of each piece, by themselves",
    "Rényi accountant of dp-accounting, Poisson-sampled Gaussian, one row more or less", "losses, row counts and digests in this record",
    "bounds, categories, vocabularies and fill values of features, where they were read from the data and not stated",
    "the validation rows", "any choice of a recipe by trying several on these rows",
    "the rounding of noise in floating point (Mironov, 2012)",
}  # fmt: skip
# Parts of sentences, and the whole sentences that are made with them.
PARTS = {
    "with padding {}": "not certifiable: Conv2d with padding reflect at block.1",
    "without running statistics": "not certifiable: BatchNorm1d without running statistics at the top",
    "with divisor_override": "not certifiable: AvgPool2d with divisor_override at the top",
    "with ceil_mode or return_indices": "not certifiable: MaxPool2d with ceil_mode or return_indices at the top",
    "with a slope of {}, beyond [0, 1],": "not certifiable: LeakyReLU with a slope of 2.0, beyond [0, 1], at the top",
    "in its approximation by tanh": "not certifiable: GELU in its approximation by tanh at the top",
    "makes a": "it makes a torch.Tensor with arguments that cannot be told from the pickle",
    "{} does with its default options;": "saliency does with its default options; these do as well: kernel_shap",
    "{}these do{}: {}": "these do: kernel_shap, permutation_shap",
    "as well": "these do as well: kernel_shap",
    "its name ends in {}, and": "its name ends in .json, and nothing of it is known",
    "{} lies outside its bounds {} to {} in {} row{}; kept": "age lies outside its bounds 18 to 75 in 1 row; kept",
    "no corruption can be done to such inputs:": "no corruption can be done to such inputs: noise: no feature is a number",
}
# Sentences that are put together otherwise than they are written, or that have fewer than two words of their own.
SHORT = {
    "it calls {} {}": "it calls torch.load with something that is no number",
    "{}, and this needs gradients": "the classifier is a black box, and this needs gradients",
    "{} lies outside its bounds {} to {} in {} row; kept": "age lies outside its bounds 18 to 75 in 1 row; kept",
    "{} lies outside its bounds {} to {} in {} rows; kept": "age lies outside its bounds 18 to 75 in 12 rows; kept",
    "values {} of edges": "values 'weight' of edges are not used",
    "not exactly certifiable: {}": "not exactly certifiable: Softmax",
    "not exactly certifiable: {} at {}": "not exactly certifiable: Softmax at block.1",
    "interval bounds cannot see through {}": "interval bounds cannot see through a hook on all modules",
    "interval bounds cannot see through {} at {}": "interval bounds cannot see through Linear whose forward was replaced at block.1",
    "{} fails ({})": "not certifiable: the function view fails (shape '[2]' is invalid) at the top",
}

# Names that code gives: of groups that it has cut, and in pictures and tables.
LABELS = {
    "{} (n = {})": "under 26 (n = 40)",
    "under {}": "under 26",
    "{} to under {}": "26 to under 35",
    "{} or more": "35 or more",
    "unbounded": "unbounded",
    "units of change": "units of change",
    "test rows": "test rows",
    "cross-fitted over all rows": "cross-fitted over all rows",
    "difference, at most {}": "difference, at most 0.031",
    "{} different tokens, at most {} in a text": "1,024 different tokens, at most 64 in a text",
}
# Words that the catalogue of reports has.
CATALOGUED = {"protected input", "another value"}


class Sentences(ast.NodeVisitor):
    """The texts of a file that have more than one word, with ``{}`` for what is filled in."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def _find(self, text: str) -> None:
        text = text.strip()
        if " " in text and len(re.findall("(?<!%)[A-Za-z]+", text)) >= 2 and "(?" not in text:
            self.found.append(text)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._find(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._find("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in BEFORE:
            for part in node.body:
                self.visit(part)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        if called == "Rule":
            for part in node.args[2:]:
                self.visit(part)
        elif called not in OWN_ERRORS:
            self.generic_visit(node)


class Notes(ast.NodeVisitor):
    """The notes on data that a file writes, which it appends to `notes` or returns from a function of notes."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        parts = [said for part in ast.walk(node) if (said := _notes_written(part, node.name)) is not None]
        named = {name.id for part in parts for name in ast.walk(part) if isinstance(name, ast.Name)}
        for part in ast.walk(node):
            # A note may be made of texts that have a name of their own.
            if isinstance(part, ast.Assign) and {ast.unparse(target) for target in part.targets} & named and _is_text(part.value):
                parts.append(part.value)
        visitor = Sentences()
        for written in parts:
            visitor.visit(written)
        self.found += visitor.found


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _notes_written(node: ast.AST, function: str) -> ast.expr | None:
    """What a statement or a call puts into the notes; ``None`` where it puts nothing there."""
    match node:
        case ast.Assign(targets=[ast.Name(id="notes")], value=value) | ast.AugAssign(target=ast.Name(id="notes"), value=value):
            return value
        case ast.Call(func=ast.Attribute(value=ast.Name(id="notes"), attr="append" | "extend"), args=[said]):
            return said
        case ast.Return(value=ast.expr() as value) if function.endswith("_notes"):
            return value
    return None


@cache
def _notes() -> dict[str, str]:
    """Each sentence that a note on data can have, and the file that it is from."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "classifier").rglob("*.py")):
        visitor = Notes()
        visitor.visit(ast.parse(file.read_text(encoding="utf-8")))
        found |= dict.fromkeys(visitor.found, str(file.relative_to(ROOT)))
    return found


@cache
def _sentences() -> dict[str, str]:
    """Each sentence that can reach a record, and the file that it is from."""
    found: dict[str, str] = {}
    for name in MEASURING:
        given = ROOT / name
        for file in sorted(given.rglob("*.py")) if given.is_dir() else [given]:
            if file.name not in BESIDE:
                visitor = Sentences()
                visitor.visit(ast.parse(file.read_text(encoding="utf-8")))
                found |= dict.fromkeys(visitor.found, str(file.relative_to(ROOT)))
    return _notes() | found


def _example(sentence: str) -> tuple[str, list[str]]:
    """The sentence with a number in each place, and the numbers."""
    numbers = iter(map(str, count(11, 11)))
    filled: list[str] = []

    def fill(_: re.Match[str]) -> str:
        filled.append(next(numbers))
        return filled[-1]

    return re.sub(r"\{\}", fill, sentence), filled


def _shape(english: str) -> str:
    return "".join(piece + ("{}" if name is not None else "") for piece, name, *_ in Formatter().parse(english))


def test_sentences_are_found_where_they_are_written() -> None:
    found = _sentences()
    assert found["this needs gradients"] == "audit/subject.py"
    assert found["{} of {} rows"] == "audit/robustness/flags.py"
    # Notes on data: appended, in a list, added, returned, and a part that has a name.
    assert found["{} are not used"] == "classifier/modalities/graph.py"
    assert found["the vocabulary has {} tokens; {} of the tokens in the texts are none of them"] == "classifier/modalities/text.py"
    assert found["{} is no series, and so no input"] == "classifier/modalities/sequence.py"
    assert found["{} lies outside its bounds {} to {} in {} row{}; kept"] == "classifier/suspicions.py"
    assert found['[data.features.{}] kind = "categorical" keeps them as codes'] == "classifier/suspicions.py"
    assert found["take it from its origin again and compare the SHA-256"] == "audit/supply_chain/rules.py"


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_that_can_reach_a_record_is_said_in_every_language(language: str) -> None:
    lacking = []
    for sentence, file in _sentences().items():
        if sentence in ELSEWHERE | CATALOGUED or sentence in PARTS or sentence in LABELS:
            continue
        text, filled = _example(sentence)
        try:
            said = translate_reason(text, language)
        except CatalogueError:
            lacking.append(f"{file}: {sentence}")
            continue
        # Nothing that was measured is lost.
        assert all(number in said for number in filled), f"{file}: {sentence} -> {said}"
    assert lacking == []


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("text", [*PARTS.values(), *SHORT.values()])
def test_sentences_made_of_parts_are_said_too(text: str, language: str) -> None:
    assert translate_reason(text, language) != text


@pytest.mark.parametrize("language", OTHERS)
def test_each_label_of_the_code_is_said_in_every_language(language: str) -> None:
    assert {_shape(pattern.english) for pattern in read_reasons(language, "labels").patterns} == set(LABELS)
    for text in LABELS.values():
        assert say_label(text, language) != text


def test_what_is_set_aside_stands_in_the_source() -> None:
    assert set(_sentences()) >= ELSEWHERE | CATALOGUED | set(PARTS)


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_for_nothing_and_each_has_the_words_of_its_sentence(language: str) -> None:
    known = {*_sentences(), *SHORT}
    made = [piece for text in PARTS.values() for piece in (*text.split("; "), text.removeprefix("not certifiable: ").rpartition(" at ")[0])]
    for pattern in read_reasons(language).patterns:
        used = _shape(pattern.english) in known or any(pattern.match(piece) is not None for piece in made)
        assert used, pattern.english
        assert _names(pattern.english) == _names(pattern.said), pattern.english


def _names(text: str) -> list[str]:
    return sorted(name for _, name, *_ in Formatter().parse(text) if name)


def test_every_language_of_reports_has_its_reasons() -> None:
    assert sorted(path.stem for path in REASONS.glob("*.toml")) == OTHERS


@pytest.mark.parametrize("language", OTHERS)
def test_no_reason_claims_what_a_measurement_cannot(language: str) -> None:
    for pattern in read_reasons(language).patterns:
        for word in ("合规", "认证", "安全", "保证"):
            assert word not in pattern.said, pattern.english
