"""What an audit would do, said before it does anything."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from audit.brought_data import precision_notes
from audit.check import metric_names
from audit.configuration import Configuration, ModelPart
from audit.policy.places import require_measurable
from audit.preview_policy import policy_lines
from audit.refusal import refusal_of
from audit.runner import choose_checks
from audit.subject import Subject
from audit.vault import Identity
from classifier.adapters._labels import sorted_labels
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.opening import opening_with
from classifier.schema import Schema
from classifier.splitting import same_rows
from trainer import train

# Rows that a stand-in is trained on to tell how long the rest takes.
_SOME_ROWS = 500
# Rows of which a classifier that was brought is asked, and seconds that an endpoint may take for it.
_ASKED, _SECONDS = 200, 10
# Rows that a check asks at a time, about; and how many rows are asked at most, and for how many seconds, to tell how long one takes.
_AT_A_TIME, _MOST_ASKED, _ASKING = 250, 20_000, 1.0
_EVENT_LAST = "as the data have them, of two the event last; if their order is another, state [model] classes"


def preview_configuration(path: Path, *, identities: Sequence[Identity] = (), passphrase: str | None = None) -> str:
    """Schema, classes, groups and sizes; which checks would run, which not and why; and about how long it takes.

    Args:
        path: ``audit.toml``.
        identities: What opens sealed data; by default what ``[seal] identity_file`` names, or the user's own identities.
        passphrase: Tried where data, or ``[seal] identity_file``, are sealed under one.

    Raises:
        AssayError: If anything that the configuration names cannot be used.
    """
    configuration = Configuration.read(path)
    policy = configuration.read_policy(path.parent)
    if policy is not None:
        policy.check_metrics(metric_names())
        policy.check_profile(configuration.audit.profile)
    checks = choose_checks((), (), configuration.checks, configuration.audit.profile)
    refused: dict[str, str] = {}
    # A pipeline makes no identity, so whom to seal to must be known; elsewhere one is made when it is needed.
    if os.environ.get("CI") and configuration.model.kind in (None, "path", "huggingface"):
        configuration.seal.parties(path.parent, identities, passphrase, create=False)
    with opening_with(configuration.seal.opener(path.parent, identities, passphrase)):
        splits = configuration.read_splits(path.parent)
        classifier, each = _stand_in(configuration, splits, path.parent)
        subject = configuration.subject(splits, classifier, path.parent)
    test = splits.test
    if policy is not None:
        require_measurable(policy, checks, (splits.train, splits.validation, test))
    brought = configuration.model.kind
    lines = [f"{path} can be run.", "", *_data(splits, configuration), "", *_features(test), ""]
    if test.protected:
        lines += [*_groups(splits), ""]
    if brought is not None:
        lines += [*_model(configuration.model, subject), ""]
    training, seconds, a_row = each, 0.0, _seconds_a_row(subject)
    lines.append("Checks")
    width = 2 + max(len(check.id) for check in checks)
    for check in checks:
        refusal = refusal_of(check, subject)
        lines.append(f"  {check.id:<{width}}{f'not run: {refusal}' if refusal else 'runs'}")
        if refusal:
            refused[check.id] = refusal
        else:
            seconds += check.forward_rows(len(test)) * a_row
            training += check.trainings * each
    if policy is not None:
        lines += ["", *policy_lines(policy, subject, checks, refused, today=datetime.date.today())]
    mostly = "training" if training > seconds else "the checks"
    return "\n".join([*lines, "", f"It will take about {_duration(training + seconds + 10)}, most of it on {mostly}."])


def _stand_in(configuration: Configuration, splits: Splits, folder: Path) -> tuple[Classifier | None, float]:
    """The classifier, or one trained for a moment in its place, and the seconds that training it takes at most."""
    recipe = configuration.recipe()
    if configuration.model.predictions is not None:
        return None, 0.0
    if recipe is None:
        return configuration.classifier(splits, folder, progress=False), 0.0
    few = splits.train
    count = len(few) // max(_SOME_ROWS, 2 * recipe.batch_size)
    if count > 1 and len(set((some := few[few.folds(count) == 0]).labels.tolist())) == len(few.classes):
        few = some
    clock = [0.0]
    for epochs in (1, 1, 3):  # the first run pays for loading
        classifier = train(replace(splits, train=few), replace(recipe, epochs=epochs), progress=False)
        clock.append(time.monotonic())
    return classifier, _seconds_of_training(clock[2] - clock[1], clock[3] - clock[2], recipe.epochs * len(splits.train) / len(few))


def _seconds_of_training(one: float, three: float, epochs: float) -> float:
    """How long so many epochs take, where one took `one` seconds and three took `three`."""
    # On a busy machine one may take as long as three: then what begins each training cannot be told from its epochs.
    epoch = (three - one) / 2 if three > one else three / 3
    return one + epoch * epochs


def _model(model: ModelPart, subject: Subject) -> list[str]:
    """What was brought, and what follows from it."""
    lines = [f"Model: {model.kind} {getattr(model, str(model.kind))}"]
    classifier, schema = subject.classifier, subject.test.schema
    if classifier is None:
        lines.append(f"  probabilities of {len(subject.test)} rows, matched by {model.id or 'their order'}")
        unknown = "" if schema.features else ", and nothing is known of its inputs"
        return [*lines, f"  the classifier is not at hand{unknown}: what asks it itself cannot be measured"]
    lines.append(f"  takes {_taken(schema)}")
    lines.append(f"  {_outputs(model, classifier)}")
    if model.categories == "codes" and model.kind in ("onnx", "exported"):
        codes = (f"{f.name} ({', '.join(f'{c} {i}' for i, c in enumerate(f.categories))})" for f in schema.features if f.categories)
        lines.append(f"  codes of categories are their positions: {'; '.join(codes)}; no file tells others")
    lines += [f"  {said}" for said in (*classifier.card.get("assumptions", ()), *precision_notes(schema, str(model.kind)))]
    lines += [f"  {said}" for said in _answers(subject)]
    lines.append("  gradients: " + (f"none, {classifier.why_no_gradients}" if classifier.why_no_gradients else "yes"))
    return lines


def _taken(schema: Schema) -> str:
    """What one input is, in words."""
    units = "scaled to 0 and 1 by their bounds" if schema.encoding == "unit" else "in natural units"
    columns = f"{len(schema.columns)} column{'s' if len(schema.columns) != 1 else ''}"
    match schema.modality:
        case "text":
            return f"texts of {schema.size[0]} tokens, cut off or filled up"
        case "image":
            levels = "levels from 0 to 1" if schema.encoding == "unit" else "levels as they are in the files"
            return f"images of {' x '.join(map(str, schema.size))} pixels and {columns.replace('column', 'channel')}, {levels}"
        case "sequence":
            return f"series of {schema.size[0]} steps with {columns} each, {units}"
        case "graph":
            return f"graphs of up to {schema.size[0]} nodes with {columns} each, {units}"
        case _:
            return f"{columns} an input, {units}"


def _outputs(model: ModelPart, classifier: Classifier) -> str:
    """The class of each output, in the order of what was brought, and how that is known."""
    own = tuple(classifier.card.get("output_order", ()))
    if model.classes:
        return f"outputs: {', '.join(model.classes)}, as [model] classes states"
    match model.kind:
        case "path" | "huggingface" | "skops":
            return f"outputs: {', '.join(own or classifier.classes)}, as the file names them"
        case "python":
            named = "as it names them" if not own or "names_classes" in classifier.card else _EVENT_LAST
            return f"outputs: {', '.join(own or classifier.classes)}, {named}"
        case "rest":
            names = ", ".join(sorted_labels(classifier.classes))
            return f"outputs: {names}, or of two the event {classifier.classes[-1]} alone; if their order is another, state [model] classes"
        case "onnx" if "names_classes" in classifier.card:
            return f"outputs: {', '.join(own)}, as the file names them"
        case _:
            return (
                f"outputs: {', '.join(own or classifier.classes)}, as labels are sorted; if their order is another, state [model] classes"
            )


def _answers(subject: Subject) -> list[str]:
    """What the answers to some of the rows look like, where they look wrong."""
    test, asked = subject.test, _ASKED
    if "rows_per_second" in subject.model.card:
        asked = max(1, min(asked, int(_SECONDS * float(subject.model.card["rows_per_second"]))))
    rows = np.unique(np.linspace(0, len(test) - 1, asked).astype(np.int64))
    some = test[rows]
    found = subject.model.probabilities(some.inputs).double()
    said = []
    if bool((found.amax(1) > 1 - 1e-9).all()):
        said.append(f"each of {len(rows)} answers is exactly 0 or 1: are they decisions, and not probabilities?")
    if len(test.classes) == 2:
        area, error = _area(found[:, 1], some.labels == 1)
        if area + 2 * error < 0.5:
            said.append(f"it ranks {len(rows)} rows worse than chance (AUC {area:.2f}): are the classes the wrong way round?")
    return said


def _area(scores: torch.Tensor, events: torch.Tensor) -> tuple[float, float]:
    """The area under the ROC curve and its standard error (Hanley and McNeil, 1982); 0.5 where one class is absent."""
    own, others = scores[events], scores[~events]
    if not len(own) or not len(others):
        return 0.5, 0.0
    area = ((own[:, None] > others).double() + 0.5 * (own[:, None] == others).double()).mean().item()
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (len(own) - 1) * (first - area**2) + (len(others) - 1) * (second - area**2)
    return area, float(np.sqrt(max(spread, 0.0) / (len(own) * len(others))))


def _seconds_a_row(subject: Subject) -> float:
    if subject.classifier is None:
        return 0.0
    if "rows_per_second" in subject.model.card:
        return 1 / float(subject.model.card["rows_per_second"])
    # Of as many rows as checks ask at a time: of few rows each takes longer than of many.
    rows, asked, started = subject.test.inputs[:_AT_A_TIME], 0, time.monotonic()
    while asked == 0 or (asked < _MOST_ASKED and time.monotonic() - started < _ASKING):
        subject.model.logits(rows)
        asked += len(rows)
    return (time.monotonic() - started) / asked


def _data(splits: Splits, configuration: Configuration) -> list[str]:
    test = splits.test
    filled = "filled with" if configuration.model.kind is None else "the classifier is asked with"
    lines = [f"Data: {test.source.get('name', 'a table')}"]
    if test.cleaning is not None:
        c = test.cleaning
        lines.append(f"  {c.rows_read} rows read, {c.rows_without_target} without a label, {c.duplicates} duplicates")
        lines += [f"  {column}: {count} missing, {filled} {c.filled[column]}" for column, count in c.missing.items()]
        lines += [f"  constant, left out: {', '.join(c.constant)}"] if c.constant else []
        lines += [f"  {note}" for note in c.notes]
    counts = np.bincount(test.labels.numpy(), minlength=len(test.classes))
    if splits.independence == "unknown":
        lines.append(f"  {len(test)} rows; independence of the test data unknown: no performance rule can pass")
    else:
        lines.append(f"  {len(splits.train)} to train, {len(splits.validation)} to validate, {len(test)} to test")
    lines += [f"  {said}" for said in _overlap(splits, configuration.data.group)]
    lines.append("  classes in the test rows: " + ", ".join(f"{name} {count}" for name, count in zip(test.classes, counts, strict=True)))
    if test.event is not None:
        lines.append(f"  event: {test.event}; favourable: {test.favourable}")
    return lines


def _overlap(splits: Splits, group: str | None) -> list[str]:
    """What test rows in a file of their own share with the training rows, of which they are said to be independent."""
    if splits.independence != "given":
        return []
    test, known = splits.test, Dataset.joined([splits.train, splits.validation])
    said = []
    if test.inputs[0].numel():
        numbers = same_rows(torch.cat([known.inputs, test.inputs]))
        count = int(np.isin(numbers[len(known) :], numbers[: len(known)]).sum())
        if count:
            said.append(f"{count} of {len(test)} test rows are training rows too, equal in every input: they are not independent")
    if group is not None:
        shared = set(test.column(group).dropna()) & set(known.column(group).dropna())
        if shared:
            count = int(test.column(group).isin(shared).sum())
            said.append(
                f"{count} of {len(test)} test rows have a {group} of training rows ({len(shared)} values): they are not independent"
            )
    return said


def _features(test: Dataset) -> list[str]:
    size = f", {' x '.join(map(str, test.schema.size))} times each" if test.schema.size else ""
    lines = [f"Inputs: {len(test.schema.features)} features, {len(test.schema.columns)} columns{size}"]
    for feature in test.schema.features:
        domain = "unbounded" if feature.low is None else f"{feature.low:g} to {feature.high:g} {feature.unit}".rstrip()
        if feature.categories:
            domain = f"{len(feature.categories)} categories"
        lines.append(f"  {feature.name:<26}{feature.kind}, {domain}{'' if feature.mutable else ', cannot be changed'}")
    return lines


def _groups(splits: Splits) -> list[str]:
    test = splits.test
    rows = test if splits.independence == "unknown" else Dataset.joined([splits.train, splits.validation, test])
    lines = ["Protected groups (rows in all parts)"]
    for attribute in rows.protected:
        names, counts = np.unique(rows.groups(attribute), return_counts=True)
        lines.append(f"  {attribute}")
        lines += [f"    {count:>6}  {name}" for name, count in zip(names, counts, strict=True)]
    return lines


def _duration(seconds: float) -> str:
    return f"{round(seconds, -1):.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
