"""What an audit would do, said before it does anything."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit.check import metric_names
from audit.configuration import Configuration, ModelPart
from audit.runner import choose_checks
from audit.subject import Subject
from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from trainer import train

# Trainings of an audit: the classifier itself, and the five folds of the group metrics.
_TRAININGS = 6


def preview_configuration(path: Path) -> str:
    """Schema, classes, groups and sizes; which checks would run, which not and why; and about how long it takes.

    Raises:
        AssayError: If anything that the configuration names cannot be used.
    """
    configuration = Configuration.read(path)
    policy = configuration.read_policy(path.parent)
    if policy is not None:
        policy.check_metrics(metric_names())
        policy.check_profile(configuration.audit.profile)
    checks = choose_checks((), (), configuration.checks, configuration.audit.profile)
    splits = configuration.read_splits(path.parent)
    test = splits.test
    lines = [f"{path} can be run.", "", *_data(splits), "", *_features(test), ""]
    if test.protected:
        lines += [*_groups(splits), ""]
    classifier, training = _stand_in(configuration, splits, path.parent)
    subject = configuration.subject(splits, classifier, path.parent)
    if configuration.recipe() is None:
        lines += [*_model(configuration.model, subject), ""]
    seconds, a_row = training, _seconds_a_row(subject)
    lines.append("Checks")
    for check in checks:
        lacking = [reason for reason in (subject.lacks(need) for need in sorted(check.needs)) if reason]
        lines.append(f"  {check.id:<26}{'not run: ' + lacking[0] if lacking else 'runs'}")
        if not lacking:
            seconds += check.forward_rows(len(test)) * a_row
    if policy is not None:
        unset = [rule.id for rule in policy.rule if rule.limit == "unset"]
        lines += ["", f"Policy {policy.policy.id}: {len(policy.rule)} rules, {len(policy.waiver)} waivers"]
        lines += [f"  no limit set, ask the model's owner: {', '.join(unset)}"] if unset else []
    mostly = "training" if training > seconds / 2 else "the checks"
    return "\n".join([*lines, "", f"It will take about {_duration(seconds + 10)}, most of it on {mostly}."])


def _stand_in(configuration: Configuration, splits: Splits, folder: Path) -> tuple[Classifier | None, float]:
    """The classifier, or one trained for a moment in its place, and the seconds that all training takes at most."""
    recipe = configuration.recipe()
    if configuration.model.predictions is not None:
        return None, 0.0
    if recipe is None:
        return configuration.classifier(splits, folder, progress=False), 0.0
    clock = [0.0]
    for epochs in (1, 1, 5):  # the first run pays for loading
        classifier = train(splits, replace(recipe, epochs=epochs), progress=False)
        clock.append(time.monotonic())
    fixed, five = clock[2] - clock[1], clock[3] - clock[2]
    return classifier, (fixed + (five - fixed) / 4 * recipe.epochs) * _TRAININGS


def _model(model: ModelPart, subject: Subject) -> list[str]:
    """What was brought, and what follows from it."""
    lines = [f"Model: {model.kind} {getattr(model, str(model.kind))}"]
    classifier, schema = subject.classifier, subject.test.schema
    if classifier is None:
        lines.append(f"  probabilities of {len(subject.test)} rows, matched by {model.id or 'their order'}")
        unknown = "" if schema.features else ", and nothing is known of its inputs"
        return [*lines, f"  the classifier is not at hand{unknown}: what asks it itself cannot be measured"]
    units = "scaled to 0 and 1 by their bounds" if schema.encoding == "unit" else "in natural units"
    lines.append(f"  takes {' x '.join(map(str, schema.shape))} {'numbers' if schema.size else 'columns'} an input, {units}")
    own = ", ".join(model.classes or classifier.classes)
    if model.kind in ("onnx", "exported", "xgboost", "lightgbm", "rest"):
        lines.append(f"  outputs: {own}, unless the file names them; if their order is another one, state [model] classes")
    lines.append("  gradients: " + (f"none, {classifier.why_no_gradients}" if classifier.why_no_gradients else "yes"))
    return lines


def _seconds_a_row(subject: Subject) -> float:
    if subject.classifier is None:
        return 0.0
    if "rows_per_second" in subject.model.card:
        return 1 / float(subject.model.card["rows_per_second"])
    rows = subject.test.inputs.repeat(max(1, 20_000 // len(subject.test)), *[1] * (subject.test.inputs.dim() - 1))
    started = time.monotonic()
    subject.model.logits(rows)
    return (time.monotonic() - started) / len(rows)


def _data(splits: Splits) -> list[str]:
    test = splits.test
    lines = [f"Data: {test.source.get('name', 'a table')}"]
    if test.cleaning is not None:
        c = test.cleaning
        lines.append(f"  {c.rows_read} rows read, {c.rows_without_target} without a label, {c.duplicates} duplicates")
        lines += [f"  {column}: {count} missing, filled with {c.filled[column]}" for column, count in c.missing.items()]
        lines += [f"  constant, left out: {', '.join(c.constant)}"] if c.constant else []
        lines += [f"  {note}" for note in c.notes]
    counts = np.bincount(test.labels.numpy(), minlength=len(test.classes))
    if splits.independence == "unknown":
        lines.append(f"  {len(test)} rows; independence of the test data unknown: no performance rule can pass")
    else:
        lines.append(f"  {len(splits.train)} to train, {len(splits.validation)} to validate, {len(test)} to test")
    lines.append("  classes in the test rows: " + ", ".join(f"{name} {count}" for name, count in zip(test.classes, counts, strict=True)))
    if test.event is not None:
        lines.append(f"  event: {test.event}; favourable: {test.favourable}")
    return lines


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
