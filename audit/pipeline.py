"""From ``audit.toml`` to a finished bundle: read, train, audit, draw, seal, write."""

from __future__ import annotations

import datetime
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
from audit.configuration import Configuration
from audit.report import render_html, write_figures
from audit.runner import choose_checks, run
from audit.sealed_rows import SealedRows
from audit.supply_chain.checks.files import scanned_files
from audit.supply_chain.mlbom import write_bill_of_materials
from audit.vault import ALLOW_UNSIGNED, Identity, decrypt_bytes, encrypt_bytes, seal, unseal
from classifier.classifier import Classifier
from classifier.errors import IntegrityError
from classifier.opening import opening_with
from classifier.records import canonical_json, explain_storage_errors, replace_folder, require_replaceable, write_atomically
from trainer import Epoch

SEALED = "model.safetensors.age"


@dataclass(frozen=True)
class Outcome:
    """What an audit left.

    Args:
        audit: Its record.
        folder: The bundle; of an interrupted audit, the folder from which the next run goes on.
        languages: Those of its reports.
    """

    audit: Audit
    folder: Path
    languages: tuple[str, ...]


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
    progress: bool | Callable[[Epoch], None] = True,
    identities: Sequence[Identity] = (),
    passphrase: str | None = None,
) -> Outcome:
    """Run the audit that ``audit.toml`` describes, and write its bundle.

    The bundle appears whole or not at all, and an older one of the same name stays until then. Finished checks
    are kept beside it, so that a killed audit goes on where it was.

    Args:
        path: ``audit.toml``.
        output: Folder of the bundle; by default ``reports/<name>`` in the current folder.
        only: Checks to run, or rooms.
        skip: Checks to leave out, or rooms.
        progress: Whether to show bars on a terminal, or a function that is told of every epoch.
        identities: What opens sealed data; by default what ``[seal] identity_file`` names, or the user's own identities.
        passphrase: Tried where data, or ``[seal] identity_file``, are sealed under one.

    Raises:
        AssayError: If anything that was given cannot be used; nothing is written then.
    """
    clock, started = _Clock(), datetime.datetime.now(datetime.UTC)
    configuration = Configuration.read(path)
    policy = configuration.read_policy(path.parent)
    if policy is not None:
        policy.check_metrics(metric_names())
        policy.check_profile(configuration.audit.profile)
    choose_checks(only, skip, configuration.checks, configuration.audit.profile)
    folder = output.resolve() if output is not None else Path("reports") / configuration.audit.name
    require_replaceable(folder, RECORD)
    # A missing key is found before any work is done. Whether what is brought has weights to seal shows when it is there.
    made = configuration.model.kind not in (None, "path", "huggingface")
    recipients, own = ((), []) if made else configuration.seal.parties(path.parent, identities, passphrase)
    draft = folder.with_name(f".{folder.name}.partial")
    opener = configuration.seal.opener(path.parent, identities, passphrase)
    alone = configuration.model.predictions is not None
    with opening_with(opener):
        splits = configuration.read_splits(path.parent)
        clock.lap("read")
        classifier = None if alone else configuration.classifier(splits, path.parent, progress=progress)
        subject = configuration.subject(splits, classifier, path.parent)
        trust = configuration.trust.record(path.parent, configuration.sealed_model(path.parent))
    sealed_data = any(part.secret is not None for part in (splits.train, splits.validation, splits.test))
    if made and (sealed_data or (classifier is not None and classifier.module is not None)):
        recipients, own = configuration.seal.parties(path.parent, identities, passphrase)
    clock.lap("train")
    rows = _sealed_rows(recipients, own) if sealed_data else None
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
            return Outcome(audit, draft, ())
        _copy_inputs(configuration, path, draft)
        sealed = _seal(classifier, draft, recipients, own)
        clock.lap("seal")
        facts = {
            "started": started.isoformat(timespec="seconds"),
            "hardware": _hardware(classifier),
            "seal": sealed,
            "seconds": {**clock.seconds, "checks": durations},
        }
        for language in configuration.audit.languages:
            write_figures(audit, draft / "figures", language=language)
            report = render_html(audit, language=language, run=facts, policy=policy)
            write_atomically(draft / f"report.{language}.html", report.encode())
        bill = _bill_of_materials(audit, configuration)
        write_atomically(draft / "exports" / "mlbom.cdx.json", bill)
        clock.lap("report")
        write_atomically(draft / "run.json", canonical_json({**facts, "seconds": {**clock.seconds, "checks": durations}}) + b"\n")
        (draft / "plan.json").unlink()
        write_manifests(draft)
        replace_folder(draft, folder)
    return Outcome(audit, folder, configuration.audit.languages)


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


def _bill_of_materials(audit: Audit, configuration: Configuration) -> bytes:
    """What the classifier is made of, for who keeps a register of such."""
    measured = [metric for evidence in audit.evidence if evidence.check.startswith("performance.") for metric in evidence.metrics]
    licence = configuration.declarations.get("licence")
    return write_bill_of_materials(
        audit.identity,
        version=str(audit.trust["version"]) if "version" in audit.trust else None,
        licences=() if licence is None else (licence,),
        files=[file for evidence in audit.evidence if evidence.check == "supply_chain.files" for file in scanned_files(evidence)],
        metrics=measured,
        software=audit.software,
    )


def _copy_inputs(configuration: Configuration, path: Path, draft: Path) -> None:
    """Keep the very bytes of the configuration and of the policy."""
    write_atomically(draft / "audit.toml", path.read_bytes())
    if configuration.policy is not None:
        write_atomically(draft / "policy.toml", (path.parent / configuration.policy.path).read_bytes())


def _hardware(classifier: Classifier | None) -> dict[str, str | int | None]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "device": str(classifier.device) if classifier is not None else None,
    }
