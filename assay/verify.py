"""``assay verify``: hold a bundle against its manifests, its numbers against its rows, its signature against whose word is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.options import AsJson
from assay.signing import Signers, TrustFile, collect_trust
from classifier.errors import ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from audit.attestation import Attested
    from audit.recomputation import Recomputation, Record, Rejudged
    from audit.timestamps import TimeStamp

# What a disagreement names; the JSON has no place for it, since nothing is printed then.
_NAMED = 5


@dataclass(frozen=True)
class _Verified:
    """What a bundle was found to be, and what its record says once more."""

    attested: Attested
    record: Record
    numbers: Recomputation
    findings: Rejudged
    stamp: TimeStamp | None
    missed: tuple[str, ...]


def verify_folder(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    trust: TrustFile = None,
    signer: Signers = None,
    model: Annotated[str | None, typer.Option(help="The model that it must be an audit of.", metavar="ID")] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="CA.PEM", help="Certificates of the authorities whose time stamps count; requires one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that a bundle is as the audit left it, that its numbers follow from its rows, and who signed it.

    No file may have been changed, added or taken away. What is stored row by row is counted again, intervals too, and
    every verdict is judged again from the policy. Who signed it is judged by a trust store or by public keys; without
    either, whoever can change the files can also write new manifests.

    Exit codes: 4 if a file, a number, a verdict, a signature or a time stamp is not what it should be; else, where a
    signature was judged, what the auditor signed: 0 all rules hold, 1 a rule is violated, 3 some could not be decided.

    Example: assay verify reports/german-credit --trust trust.toml
    """
    from audit.attestation import verify_attestation

    if not bundle.is_dir():
        problem = f"{bundle} is a file" if bundle.exists() else f"there is no folder {bundle}"
        raise ConfigurationError(f"{problem}, required is the folder of a bundle", remedy="give the folder that holds manifest.json")
    store = collect_trust(trust, signer)
    if model is not None and store is None:
        raise ConfigurationError(
            "--model says what a signature must be about, and no signature is judged", remedy="give --trust or --signer"
        )
    found = _look(verify_attestation(bundle, store, model_id=model), certificate)
    typer.echo(json.dumps(_describe(found), ensure_ascii=False, indent=2) if as_json else "\n".join(_tell(found)))
    audited = found.attested.audited
    if audited is not None:
        raise typer.Exit({"PASSED": 0, "FAILED": 1, "WARNED": 3}[audited.result])


def _look(attested: Attested, certificate: Path | None) -> _Verified:
    from audit.recomputation import Record, judge_again, missed_answers, recompute_numbers, require_one_record

    record = Record(attested.bundle)
    require_one_record(record)
    numbers, findings = recompute_numbers(record), judge_again(record)
    _require_agreement("numbers", tuple(map(str, numbers.differing)))
    _require_agreement("statements", numbers.faults)
    _require_agreement("findings", findings.differing)
    missed = missed_answers(record)
    _require_signed(attested, record, missed)
    return _Verified(attested, record, numbers, findings, _stamp(attested, certificate), missed)


def _require_agreement(what: str, differing: tuple[str, ...]) -> None:
    if differing:
        more = f"; and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        raise IntegrityError(
            f"{len(differing)} {what} of the record do not follow from what lies beside it: {'; '.join(differing[:_NAMED])}{more}",
            remedy="do not rely on it; run the audit again, or ask its auditor",
        )


def _require_signed(attested: Attested, record: Record, missed: tuple[str, ...]) -> None:
    """A record that was made when the bundle was published is vouched for by what the auditor signed of its verdicts, and no more."""
    from audit.recomputation import outcome

    audited = attested.audited
    if audited is None:
        return
    passed, warned, failed = outcome(record)
    # An engine that missed a known answer is signed beside the rules.
    failed = (*failed, *(f"known answer {name}" for name in missed))
    if (passed, warned, failed) != (audited.passed, audited.warned, audited.failed):
        raise IntegrityError(f"{record.name} has other verdicts than those that were signed", remedy="take the bundle from its source")


def _stamp(attested: Attested, certificate: Path | None) -> TimeStamp | None:
    from audit.manifests import TIMESTAMP, read_timestamp

    folder = attested.bundle.folder
    if certificate is None and read_timestamp(folder) is None:
        return None
    from audit.timestamps import read_certificates, verify_timestamp

    stamp = verify_timestamp(attested.bundle, () if certificate is None else read_certificates(certificate))
    if stamp is None:
        raise IntegrityError(f"{folder} has no {TIMESTAMP}, and --certificate requires one", remedy="ask for it: assay timestamp request")
    return stamp


def _tell(found: _Verified) -> list[str]:
    bundle, numbers = found.attested.bundle, found.numbers
    whole = f"{len(bundle.files)} files are as the audit left them"
    lines = [whole if found.attested.claimed_key is not None else f"{whole}; the bundle is not signed"]
    if bundle.withheld:
        lines.append(f"withheld   {len(bundle.withheld)} files, named with their digests in redactions.json")
    if found.record.name in bundle.made:
        lines.append(f"record     {found.record.name}, made for this copy; no manifest vouches for it")
    lines.append(f"recomputed {numbers.agreeing} of {numbers.numbers} numbers, and all agree")
    lines += [f"           {count} {why}" for why, count in _left(numbers).items()]
    judged = found.findings.by_policy + found.findings.by_limit
    lines.append(f"judged     {judged} of {found.findings.findings} findings again, and all agree")
    if found.findings.by_limit:
        lines.append(f"           {found.findings.by_limit} by the limit that they state: their rule lies elsewhere")
    if numbers.resting:
        lines.append(f"           {numbers.resting} rest on ends of intervals that were not recomputed")
    if found.missed:
        lines.append(f"answers    {len(found.missed)} known answers were missed: {', '.join(map(_printable, found.missed))}")
    lines.append("unchecked  figures, other tables, reports, exports, and what was declared")
    return [*lines, *_tell_signature(found.attested), *_tell_time(found.stamp)]


def _tell_signature(found: Attested) -> list[str]:
    if found.claimed_key is None:
        return []
    audited = found.audited
    if found.provenance is None or audited is None:
        return [
            f"signed     not judged; it claims key {found.claimed_key}",
            "next       give --trust trust.toml, or --signer with a public key",
        ]
    (vouched,) = found.provenance.statements
    claim = vouched.statement.claim
    rules = {"hold": audited.passed, "warned of": audited.warned, "violated": audited.failed}
    return [
        f"signed by  {vouched.signer}, as auditor",
        f"key        {vouched.key_id}",
        f"model      {claim.model}, version {claim.version}",
        f"time       {claim.time:%Y-%m-%d %H:%M:%S} UTC, as the signer claims",
        f"result     {audited.result}; rules: {', '.join(f'{len(ids)} {word}' for word, ids in rules.items())}",
    ]


def _tell_time(stamp: TimeStamp | None) -> list[str]:
    if stamp is None:
        return ["stamped    no; its times are self-declared"]
    what = "the signature" if stamp.of.startswith("attestation") else "the manifest"
    when = f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC"
    if not stamp.judged:
        return [
            f"stamped    not judged; it claims {when}",
            f"           by {_printable(stamp.authority)}",
            "next       give --certificate CA.pem",
        ]
    return [f"stamped    {what}, at {when}", f"           by {_printable(stamp.authority)}"]


def _printable(name: str) -> str:
    """An authority's name for the terminal, which a stranger's must not steer."""
    return name if name.isprintable() else ascii(name)


def _left(numbers: Recomputation) -> Mapping[str, int]:
    from audit.recomputation import REASONS

    return {why: numbers.left[why] for why in REASONS if why in numbers.left}


def _describe(found: _Verified) -> dict[str, Any]:
    attested, stamp = found.attested, found.stamp
    described: dict[str, Any] = {
        "files": len(attested.bundle.files),
        "manifests": attested.bundle.manifests,
        "withheld": dict(attested.bundle.withheld),
        "made_for_the_copy": dict(attested.bundle.made),
        "numbers": {"measured": found.numbers.numbers, "agreeing": found.numbers.agreeing, "left": _left(found.numbers)},
        "verdicts_on_ends_not_recomputed": found.numbers.resting,
        "known_answers_missed": list(found.missed),
        "findings": {"told": found.findings.findings, "by_policy": found.findings.by_policy, "by_limit": found.findings.by_limit},
        "time_stamp": None
        if stamp is None
        else {"time": stamp.time.isoformat(), "authority": stamp.authority, "of": stamp.of, "judged": stamp.judged},
        "signed": attested.claimed_key is not None,
        "claimed_key": attested.claimed_key,
        "judged": attested.provenance is not None,
    }
    audited = attested.audited
    if attested.provenance is not None and audited is not None:
        (vouched,) = attested.provenance.statements
        described |= {
            "signer": vouched.signer,
            "role": vouched.statement.role,
            "model": {"id": attested.provenance.model, "version": attested.provenance.version},
            "time_as_claimed": vouched.statement.claim.time.isoformat(),
            "result": audited.result,
            "passed": audited.passed,
            "warned": audited.warned,
            "failed": audited.failed,
            "trust": attested.provenance.trust,
        }
    return described
