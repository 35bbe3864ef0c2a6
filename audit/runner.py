"""The runner: asks each check, keeps what it measured, and goes on where one fails."""

from __future__ import annotations

import datetime
import importlib.metadata
import logging
import math
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from audit import selftest
from audit.bundle import Audit, Identity, load_evidence, save_evidence
from audit.check import Check, check_ids, make_check, metric_names
from audit.evidence import Evidence
from audit.policy import Finding, Policy, judge_independence
from audit.sealed_rows import SealedRows
from audit.subject import Subject
from classifier.errors import AssayError, ConfigurationError, InternalError, did_you_mean
from classifier.known_answer import KnownAnswer
from classifier.metric import Metric
from classifier.progress import progress_bar
from classifier.records import canonical_json, digest, sha256, sha256_file, write_atomically
from classifier.seeds import Seed

# What a number may depend on beside inputs and seed.
SOFTWARE = ("assay", "torch", "numpy", "scipy", "scikit-learn", "captum", "shap")
PLAN = "plan.json"
_LOG = logging.getLogger("assay")


def run(
    subject: Subject,
    policy: Policy | None = None,
    *,
    name: str = "audit",
    profile: str = "standard",
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    progress: bool = True,
    workspace: Path | None = None,
    durations: dict[str, float] | None = None,
    rows: SealedRows | None = None,
) -> Audit:
    """Audit a subject.

    A check that cannot run, or that fails, becomes ``not_run`` with its reason and stops no other. A stop by
    Ctrl-C leaves the rest ``not_run``.

    Args:
        subject: What is audited.
        policy: What is required; without one, everything is measured and nothing judged.
        name: Name of the audit.
        profile: ``"quick"``, ``"standard"`` or ``"thorough"``.
        only: Checks to run, or rooms; all by default.
        skip: Checks to leave out, or rooms.
        options: Options of checks, by their id.
        seed: Where all random numbers come from.
        progress: Whether to show a bar on a terminal.
        workspace: A folder in which finished checks are kept, so that a killed audit goes on where it was.
        durations: Filled with the seconds that each check took.
        rows: To whom what the workspace keeps of single rows is sealed, and what opens it; ``None`` keeps it plain. Where
            nothing at hand opens it, a check that was finished is measured again.

    Raises:
        ConfigurationError: If a check, an option or a rule's metric does not exist.
    """
    if policy is not None:
        policy.check_metrics(metric_names())
        policy.check_profile(profile)
    checks = choose_checks(only, skip, options or {}, profile)
    identity = _identify(subject, name)
    plan = [identity, profile, seed, [(check.id, check.options()) for check in checks], _software()]
    # Who has seen some of the numbers must not choose the limits any more: another policy begins anew.
    required = policy.digest if policy is not None else None
    kept = [*plan, *_untold(subject), list(rows.recipients) if rows is not None else None, required]
    store = _Store(workspace, kept if workspace is not None else [], rows)
    spent: dict[str, float] = {} if durations is None else durations
    evidence: list[Evidence] = []
    interrupted = False
    with progress_bar("auditing", len(checks) + 1, shown=progress) as advance:
        known = _known_answers(seed, selftest.ENGINES)
        advance("self-test")
        for check in checks:
            started = time.monotonic()
            if interrupted:
                evidence.append(_not_run(check, "the audit was interrupted", seed))
                continue
            try:
                evidence.append(store.load(check.id) or store.save(_measure(check, subject, seed)))
            except KeyboardInterrupt:
                interrupted = True
                evidence.append(_not_run(check, "the audit was interrupted", seed))
            spent[check.id] = round(time.monotonic() - started, 3)
            advance(check.id)
    today = datetime.date.today()
    return Audit(
        identity=identity,
        profile=profile,
        seed=seed,
        policy={"id": policy.policy.id, "sha256": policy.digest} if policy else {},
        evidence=tuple(evidence),
        findings=_judge(policy, evidence, subject, today) if policy else (),
        known_answers=known,
        software=_software(),
        interrupted=interrupted,
    )


def _judge(policy: Policy, evidence: Sequence[Evidence], subject: Subject, today: datetime.date) -> tuple[Finding, ...]:
    independent = judge_independence(policy, subject.declarations)
    return (*policy.judge(evidence, today=today), *((independent,) if independent is not None else ()))


@lru_cache(maxsize=4)
def _known_answers(seed: int, engines: tuple[str, ...]) -> tuple[KnownAnswer, ...]:
    """What the engines gave where the truth is known: asked once a process, since the same seed gives the same."""
    return selftest.run_selftest(seed=seed)


def choose_checks(only: Sequence[str], skip: Sequence[str], options: Mapping[str, Mapping[str, Any]], profile: str) -> list[Check]:
    """The checks of an audit, with their options.

    Raises:
        ConfigurationError: If a check or an option does not exist; the message names the nearest.
    """
    ids = check_ids()
    rooms = {identifier.partition(".")[0] for identifier in ids}
    for given in (*only, *skip, *options):
        if given not in ids and (given in options or given not in rooms):
            raise ConfigurationError(f"there is no check {given!r}", remedy=did_you_mean(given, (*ids, *rooms)))

    def named(identifier: str, names: Sequence[str]) -> bool:
        return identifier in names or identifier.partition(".")[0] in names

    chosen = [identifier for identifier in ids if (not only or named(identifier, only)) and not named(identifier, skip)]
    return [make_check(identifier, options.get(identifier, {}), profile=profile) for identifier in chosen]


def _measure(check: Check, subject: Subject, seed: int) -> Evidence:
    """One check's evidence, whatever happens."""
    lacking = [reason for reason in (subject.lacks(need) for need in sorted(check.needs)) if reason]
    if lacking:
        return _not_run(check, lacking[0], seed)
    try:
        return check.measure(subject, Seed(seed, (check.id,)))
    except InternalError:
        # Whatever else was measured, these engines are not to be believed.
        raise
    except AssayError as error:
        return _not_run(check, str(error), seed)
    except Exception as error:  # whatever a check does, the others go on, and the report says what happened
        # What a classifier or a library says of a row may quote it, and a record is shown to others.
        _LOG.warning("%s: %s: %s", check.id, type(error).__name__, error)
        return _not_run(check, f"it ended with {type(error).__name__}, whose message may quote rows and is not kept", seed)


def _not_run(check: Check, reason: str, seed: int) -> Evidence:
    missing = tuple(Metric.missing(name, reason) for name in check.metrics)
    return Evidence(check=check.id, metrics=missing, parameters=check.options(), seed=seed, not_run=reason)


class _Store:
    """Finished checks of an audit that may be killed, kept for one that is begun alike.

    Args:
        folder: Where they are kept; ``None`` keeps nothing.
        plan: All that determines the evidence; evidence of another plan is thrown away.
        rows: To whom arrays are sealed.
    """

    def __init__(self, folder: Path | None, plan: Any, rows: SealedRows | None) -> None:
        self.folder, self.rows = folder, rows
        if folder is None:
            return
        key = digest([_plain(part) for part in plan])
        written = folder / PLAN
        if not written.exists() or written.read_bytes() != canonical_json(key):
            shutil.rmtree(folder, ignore_errors=True)
            write_atomically(written, canonical_json(key))

    def load(self, check: str) -> Evidence | None:
        if self.folder is None or not (self.folder / "evidence" / f"{check}.json").exists():
            return None
        evidence = load_evidence(self.folder / "evidence", check, self.rows)
        # A stopped audit's record says of the rest that it was not run: that is not finished.
        return evidence if evidence is not None and evidence.not_run is None else None

    def save(self, evidence: Evidence) -> Evidence:
        if self.folder is not None and evidence.not_run is None:
            save_evidence(evidence, self.folder / "evidence", self.rows)
        return evidence


def _untold(subject: Subject) -> list[Any]:
    """What the evidence depends on and the identity does not tell: recipe, groups, what a black box answers, and the files."""
    parts = [part for part in (subject.training, subject.validation, subject.test) if part is not None]
    groups = [part.groups(attribute).tolist() for part in parts for attribute in part.protected]
    opaque = subject.classifier is None or subject.classifier.module is None
    answers = sha256(subject.probabilities().tobytes()) if opaque else None
    files = [sorted(path.rglob("*")) if path.is_dir() else [path] for path in subject.files]
    digests = [sha256_file(file) for found in files for file in found if file.is_file()]
    return [subject.recipe, subject.split_group, groups, answers, digests]


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _identify(subject: Subject, name: str) -> Identity:
    classifier, test = subject.classifier, subject.test
    parts = {"training": subject.training, "validation": subject.validation, "test": test}
    known = {part: rows for part, rows in parts.items() if rows is not None}
    return Identity(
        name=name,
        classifier=classifier.digest if classifier else None,
        architecture=(classifier.description.architecture or "brought") if classifier else "predictions",
        classes=test.classes,
        event=test.event,
        favourable=test.favourable,
        threshold=subject.decision.threshold,
        features=len(test.schema.features) * math.prod(test.schema.size),
        data={part: rows.digest for part, rows in known.items()},
        rows={part: len(rows) for part, rows in known.items()},
        independence=subject.independence,
        source=dict(test.source),
        protected=test.protected,
        protected_inputs=tuple(feature.name for feature in test.schema.features if feature.protected),
        declarations=dict(subject.declarations),
    )


def _software() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in SOFTWARE}
    return {"python": platform.python_version(), **versions}
