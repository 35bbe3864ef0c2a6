"""The signature of a bundle: an auditor's word for its manifests, in ``attestation.dsse.json``.

Nothing here needs a numerical library: a bundle is verified where none is installed, and at once.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.manifests import ATTESTATION, MANIFEST, RENDERINGS, VerifiedBundle, read_attestation, verify_bundle
from audit.vault.signing.claim import Claim
from audit.vault.signing.dsse import parse_envelope
from audit.vault.signing.keys import SigningKey
from audit.vault.signing.predicates import Audited
from audit.vault.signing.provenance import Provenance, require_provenance
from audit.vault.signing.statement import Statement, Subject, sign_statement
from audit.vault.signing.trust_store import TrustStore
from classifier.errors import ConfigurationError, IntegrityError
from classifier.known_answer import KnownAnswer
from classifier.records import write_atomically

RECORD = "audit.json"


@dataclass(frozen=True)
class Attested:
    """What a bundle was found to be.

    Args:
        bundle: Its files, all of which are what its manifests say.
        claimed_key: The key that it claims to be signed by; ``None`` if it is not signed. Anyone can write this.
        provenance: Who signed it, by the trust store; ``None`` where there was none to judge by.
    """

    bundle: VerifiedBundle
    claimed_key: str | None
    provenance: Provenance | None

    @property
    def audited(self) -> Audited | None:
        """What the auditor states, where that was judged."""
        if self.provenance is None:
            return None
        return next(v.statement.predicate for v in self.provenance.statements if isinstance(v.statement.predicate, Audited))


def sign_bundle(
    folder: Path,
    key: SigningKey,
    *,
    model_id: str | None = None,
    version: int | None = None,
    now: datetime.datetime | None = None,
    replace: bool = False,
) -> None:
    """Sign a bundle as it stands; an earlier signature by the same key is replaced.

    What is signed are the digests of ``manifest.json`` and ``renderings.json``, so every file, the result that the findings in
    ``audit.json`` come to, and the digest of the trust store that it names.

    Args:
        folder: The bundle.
        key: The auditor's key.
        model_id: Id of the model that was audited; by default the one that it was opened by, or else the name of the audit.
        version: Its version; by default the one that it was opened by, or else 1.
        now: The present time, with its time zone; by default the clock's. It is claimed to the second.
        replace: Whether a signature by another key is replaced too.

    Raises:
        IntegrityError: If the bundle is not what its manifests say, or its record is none.
        ConfigurationError: If model id or version are none, or others than those by which the record says it was opened; or another
            key has signed the bundle.
        StorageError: If the folder cannot be written; an earlier signature is then as it was.
    """
    bundle = verify_bundle(folder)
    record, audited = _audited(bundle)
    earlier = read_attestation(folder)
    if earlier is not None and not replace and (signer := parse_envelope(earlier, ATTESTATION).key_id) != key.key_id:
        raise ConfigurationError(
            f"{folder} is signed by the key {signer}, whose word would be lost", remedy="sign a copy of it, or say that it is replaced"
        )
    trust = record.get("trust", {})
    for what, stated, given in (("model", trust.get("model"), model_id), ("version", trust.get("version"), version)):
        if stated is not None and given not in (None, stated):
            raise ConfigurationError(f"the audit is of {what} {stated!r}, and {given!r} is to be signed", remedy=f"leave the {what} out")
    model_id = trust.get("model", record["identity"]["name"]) if model_id is None else model_id
    time = (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC).replace(microsecond=0)
    claim = Claim(model_id, trust.get("version", 1) if version is None else version, time)
    subjects = tuple(Subject(name, bundle.manifests[name]) for name in (MANIFEST, RENDERINGS))
    write_atomically(folder / ATTESTATION, sign_statement(Statement(subjects, claim, audited), key) + b"\n")


def verify_attestation(
    folder: Path, store: TrustStore | None, *, now: datetime.datetime | None = None, model_id: str | None = None
) -> Attested:
    """Verify a bundle's files, and its signature by a trust store.

    A bundle needs the word of an auditor whom the store trusts; the other roles that the store requires are about models. Its
    minimum version counts here too. Versions seen do not: an old audit is still an audit, of an old version.

    Args:
        folder: The bundle.
        store: Whose word is taken; ``None`` to judge the files alone.
        now: The present time, with its time zone; by default the clock's.
        model_id: Which model it must be about, where one is expected.

    Raises:
        IntegrityError: If a file is not what the manifests say, the attestation is malformed, or, by a store, the bundle is
            not signed by an auditor whose word is taken.
    """
    bundle = verify_bundle(folder)
    envelope = read_attestation(folder)
    claimed = None if envelope is None else parse_envelope(envelope, ATTESTATION).key_id
    if store is None:
        return Attested(bundle, claimed, None)
    if envelope is None:
        raise IntegrityError(
            f"{folder} is not signed, and {store.source} requires the word of an auditor", remedy="ask its auditor for the signed bundle"
        )
    provenance = require_provenance(
        store,
        [(ATTESTATION, envelope)],
        subject_sha256=bundle.manifests[MANIFEST],
        model_id=model_id,
        seen=None,
        now=now or datetime.datetime.now(datetime.UTC),
        required_roles=("auditor",),
    )
    _require_same(bundle, provenance.statements[0].statement)
    return Attested(bundle, claimed, provenance)


def read_audited(folder: Path) -> Audited:
    """What an audit came to, for an auditor's statement about the model itself.

    Args:
        folder: The bundle of the audit. Whether it is signed is not asked.

    Raises:
        IntegrityError: If the bundle is not what its manifests say, or its record is none.
    """
    _, audited = _audited(verify_bundle(folder))
    return audited


def _require_same(bundle: VerifiedBundle, statement: Statement) -> None:
    """A statement about the record alone would let anyone draw another report to it."""
    signed = {subject.name: subject.sha256 for subject in statement.subjects}
    audited = statement.predicate
    if signed != bundle.manifests or not isinstance(audited, Audited) or audited.manifest != bundle.manifests[MANIFEST]:
        raise IntegrityError(f"{ATTESTATION} signs other files than those of {bundle.folder}", remedy="take the bundle from its source")


def _audited(bundle: VerifiedBundle) -> tuple[dict[str, Any], Audited]:
    """The record, and what it comes to: the rules that hold, those that hold with a reservation, and those that are violated."""
    if bundle.record != RECORD:
        raise ConfigurationError(
            f"{bundle.folder} is a published copy, whose manifests do not vouch for all that it says", remedy="sign the bundle itself"
        )
    try:
        record: Any = json.loads(bundle.read(RECORD))
        findings = [_verdict(finding) for finding in record["findings"]]
        # An engine that missed a known answer measured nothing that counts.
        answers = [KnownAnswer(**answer) for answer in record["known_answers"]]
        missed = [("failed", f"known answer {answer.id}") for answer in answers if not answer.holds]
        results = [*findings, *missed]
        passed, warned, failed = (tuple(rule for result, rule in results if result == wanted) for wanted in ("passed", "warned", "failed"))
        trust = record.get("trust", {}).get("store")
        policy, classifier = bundle.files.get("policy.toml"), record["identity"]["classifier"]
        return record, Audited(bundle.manifests[MANIFEST], passed, warned, failed, policy=policy, trust=trust, classifier=classifier)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigurationError) as error:
        raise IntegrityError(f"{bundle.folder / RECORD} holds no record of an audit", remedy="run the audit again") from error


def _verdict(finding: Mapping[str, Any]) -> tuple[str, str]:
    if finding["violated"] and finding["waived_by"] is None:
        return "failed", finding["rule"]
    return ("passed" if finding["verdict"] == "pass" else "warned"), finding["rule"]
