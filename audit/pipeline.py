"""From ``audit.toml`` to a finished bundle: read, train, audit, draw, seal, write."""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from audit.bundle import RECORD, Audit, write_manifests
from audit.check import metric_names
from audit.comparison.circumstances import require_alike
from audit.configuration import Configuration
from audit.exports import choose_formats, formats_for, write_exports
from audit.policy.places import require_measurable
from audit.public_record import write_public
from audit.redactions import PUBLIC
from audit.rendering import Source, write_reports
from audit.responses_part import gather_responses, read_earlier
from audit.runner import choose_checks, run
from audit.sealed_rows import SealedRows
from audit.vault import ALLOW_UNSIGNED, Identity, decrypt_bytes, encrypt_bytes, seal, unseal
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, IntegrityError
from classifier.opening import opening_with
from classifier.records import (
    canonical_json,
    explain_storage_errors,
    read_record,
    replace_folder,
    require_replaceable,
    sha256_file,
    write_atomically,
)
from trainer import Epoch

SEALED = "model.safetensors.age"


@dataclass(frozen=True)
class Outcome:
    """What an audit left.

    Args:
        audit: Its record.
        folder: The bundle; of an interrupted audit, the folder from which the next run goes on.
        reports: Its reports.
        lacking: Why reports of some format could not be written, and what to do.
    """

    audit: Audit
    folder: Path
    reports: tuple[Path, ...] = ()
    lacking: tuple[ConfigurationError, ...] = ()


@dataclass
class _Clock:
    """Seconds that each part took."""

    seconds: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    def lap(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part] = round(now - self._started, 3)
        self._started = now


def audit_configuration(
    path: Path,
    *,
    output: Path | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    exports: Sequence[str] = (),
    progress: bool | Callable[[Epoch], None] = True,
    identities: Sequence[Identity] = (),
    passphrase: str | None = None,
    baseline: Audit | None = None,
) -> Outcome:
    """Run the audit that ``audit.toml`` describes, and write its bundle.

    The bundle appears whole or not at all, and an older one of the same name stays until then. Finished checks
    are kept beside it, so that a killed audit goes on where it was.

    Args:
        path: ``audit.toml``.
        output: Folder of the bundle; by default ``reports/<name>`` in the current folder.
        only: Checks to run, or rooms.
        skip: Checks to leave out, or rooms.
        exports: Formats for other programs; by default all that the record has what they need for.
        progress: Whether to show bars on a terminal, or a function that is told of every epoch.
        identities: What opens sealed data; by default what ``[seal] identity_file`` names, or the user's own identities.
        passphrase: Tried where data, or ``[seal] identity_file``, are sealed under one.
        baseline: An audit that this one is to be compared with, so that what cannot be compared is refused before it runs.

    Raises:
        AssayError: If anything that was given cannot be used; nothing is written then.
    """
    clock, started = _Clock(), datetime.datetime.now(datetime.UTC)
    configuration = Configuration.read(path)
    policy = configuration.read_policy(path.parent)
    if policy is not None:
        policy.check_metrics(metric_names())
        policy.check_profile(configuration.audit.profile)
    decided = datetime.datetime.now(datetime.UTC)
    checks = choose_checks(only, skip, configuration.checks, configuration.audit.profile)
    exports = choose_formats(exports)
    folder = output.resolve() if output is not None else Path("reports") / configuration.audit.name
    require_replaceable(folder, RECORD)
    earlier = read_earlier(folder)
    responses = gather_responses(configuration.responses, [rule.id for rule in policy.rule] if policy else [], earlier.responses)
    # A missing key is found before any work is done. Whether what is brought has weights to seal shows when it is there.
    made = configuration.model.kind not in (None, "path", "huggingface")
    recipients, own = ((), []) if made else configuration.seal.parties(path.parent, identities, passphrase)
    draft = folder.with_name(f".{folder.name}.partial")
    opener = configuration.seal.opener(path.parent, identities, passphrase)
    alone = configuration.model.predictions is not None
    with opening_with(opener):
        splits = configuration.read_splits(path.parent)
        clock.lap("read")
        if baseline is not None:
            test = splits.test
            require_alike(baseline, configuration.audit.profile, test.classes, test.event, test.favourable)
        if policy is not None:
            require_measurable(policy, checks, (splits.train, splits.validation, splits.test))
        classifier = None if alone else configuration.classifier(splits, path.parent, progress=progress)
        subject = configuration.subject(splits, classifier, path.parent)
        trust = configuration.trust.record(path.parent, configuration.sealed_model(path.parent))
    sealed_data = any(part.secret is not None for part in (splits.train, splits.validation, splits.test))
    sealed_rows = sealed_data or configuration.report.rows == "sealed"
    if made and (sealed_rows or (classifier is not None and classifier.module is not None)):
        recipients, own = configuration.seal.parties(path.parent, identities, passphrase)
    clock.lap("train")
    rows = _sealed_rows(recipients, own) if sealed_rows else None
    with explain_storage_errors(folder):
        durations: dict[str, float] = {}
        audit = run(
            subject,
            policy,
            name=configuration.audit.name,
            profile=configuration.audit.profile,
            only=only,
            skip=skip,
            options=configuration.checks,
            seed=configuration.audit.seed,
            progress=bool(progress),
            workspace=draft,
            durations=durations,
            rows=rows,
        )
        audit = replace(audit, trust=trust)
        clock.lap("audit")
        audit.save(draft, rows=rows)
        if rows is not None:
            audit = audit.without_single()
        if audit.interrupted:
            return Outcome(audit, draft)
        write_atomically(draft / PUBLIC, write_public(json.loads((draft / RECORD).read_bytes())))
        _copy_inputs(configuration, path, draft)
        sealed = _seal(classifier, draft, recipients, own)
        clock.lap("seal")
        facts: dict[str, Any] = {
            "started": started.isoformat(timespec="seconds"),
            "hardware": _hardware(classifier),
            "seal": sealed,
            "responses": responses,
            "revision": earlier.revision + (sha256_file(draft / RECORD) != earlier.record),
            # What is required was fixed before anything was measured.
            "policy": policy and {"id": policy.policy.id, "sha256": policy.digest, "read": decided.isoformat(timespec="seconds")},
            "seconds": {**clock.seconds, "checks": durations},
        }
        # The record as anyone will read it: in the order of its file.
        kept = read_record(Audit, draft / RECORD)
        source = Source(kept, (draft / RECORD).read_bytes(), facts, policy, configuration.report.shown(policy))
        rendered = write_reports(
            source, draft, languages=configuration.audit.languages, formats=configuration.report.formats, figures=draft / "figures"
        )
        _export(audit, configuration, exports, path, draft, facts["started"])
        # The reports were made of these facts, and can be made of them again.
        write_atomically(draft / "run.json", canonical_json(facts) + b"\n")
        (draft / "plan.json").unlink()
        write_manifests(draft)
        replace_folder(draft, folder)
    return Outcome(audit, folder, tuple(folder / report.name for report in rendered.files), tuple(rendered.missing.values()))


def _seal(classifier: Classifier | None, draft: Path, recipients: tuple[str, ...], identities: list[Identity]) -> dict[str, Any] | None:
    """Encrypt the classifier, and open it again where that can be done."""
    if classifier is None or classifier.module is None:
        return None
    seal(classifier, draft / SEALED, recipients=recipients)
    opened = bool(identities) and classifier.description.architecture is not None
    if opened:
        again = unseal(draft / SEALED, identities=identities, trusted=ALLOW_UNSIGNED)
        if again.digest != classifier.digest:
            raise IntegrityError(f"the sealed classifier opens to {again.digest}, sealed was {classifier.digest}")
    # How many they are shows in the file; who they are is nobody's business.
    return {"file": SEALED, "recipients": len(recipients), "opened_again": opened, "digest": classifier.digest}


def _sealed_rows(recipients: tuple[str, ...], own: list[Identity]) -> SealedRows:
    """To whom the evidence about single rows is sealed, and what opens it when a stopped audit goes on."""
    decrypt = partial(decrypt_bytes, identities=own) if own else None
    return SealedRows(recipients, partial(encrypt_bytes, recipients=recipients), decrypt)


def _export(audit: Audit, configuration: Configuration, formats: Sequence[str], path: Path, draft: Path, started: str) -> None:
    """What other programs read."""
    part = configuration.policy
    # A policy that comes with Assay has no line of its own in the project: its name stands in the configuration.
    named = path if part is None or part.name is not None else part.file(path.parent)
    inside = named.resolve().is_relative_to(Path.cwd())
    write_exports(
        audit,
        draft / "exports",
        formats or formats_for(audit),
        policy_text=named.read_bytes().decode() if part is not None else None,
        policy_path=named.resolve().relative_to(Path.cwd()).as_posix() if inside else named.name,
        started=started,
    )


def _copy_inputs(configuration: Configuration, path: Path, draft: Path) -> None:
    """Keep the very bytes of the configuration and of the policy."""
    write_atomically(draft / "audit.toml", path.read_bytes())
    if configuration.policy is not None:
        write_atomically(draft / "policy.toml", configuration.policy.text(path.parent))


def _hardware(classifier: Classifier | None) -> dict[str, str | int | None]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "device": str(classifier.device) if classifier is not None else None,
    }
