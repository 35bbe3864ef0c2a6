"""Whether those whose word is required have given it, and what they say (the rules of ``trust.toml``)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audit.vault.signing.dsse import parse_envelope
from audit.vault.signing.predicates import Audited, Packaged, Role
from audit.vault.signing.seen import SeenVersions
from audit.vault.signing.statement import Statement, parse_statement
from audit.vault.signing.trust_store import Signer, TrustStore
from classifier.errors import IntegrityError, StorageError

MOST_ENVELOPES = 64
# Clocks differ; a statement of next week does not count yet.
AHEAD = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Vouched:
    """A statement that counts.

    Args:
        name: The file that it came in.
        signer: Who made it, by the name in the trust store.
        key_id: Their key.
        statement: What they say. `statement.role` is the role that they say it in.
    """

    name: str
    signer: str
    key_id: str
    statement: Statement


@dataclass(frozen=True)
class Provenance:
    """Who vouches for a model, after everything that the trust store requires was found.

    Args:
        model: Id of the model, on which all agree.
        version: Its version, likewise.
        statements: Those that count.
        ignored: Why each of the others does not count.
        notes: What could not be checked.
        trust: SHA-256 of the trust store.
    """

    model: str
    version: int
    statements: tuple[Vouched, ...]
    ignored: tuple[str, ...]
    notes: tuple[str, ...]
    trust: str


def require_provenance(
    store: TrustStore,
    envelopes: Sequence[tuple[str, bytes]],
    *,
    subject_sha256: str,
    model_id: str | None,
    seen: SeenVersions | None,
    now: datetime.datetime,
    sealed: Mapping[str, str] | None = None,
    required_roles: Sequence[Role] | None = None,
) -> Provenance:
    """Require the statements that the trust store asks for.

    A statement counts only if both its signatures verify under one signer of the store who is not revoked and has the role, the
    time that it claims lies in that signer's validity and not more than a day ahead, and it is about the digest and the model
    that are expected. Required are one that counts in every required role, and one at least that vouches for the content; one
    model id and one version on which all that count agree; a version not under the store's minimum, nor under the highest seen.

    A statement that does not count is ignored, not fatal, and named in `Provenance.ignored` and in the error. It can only add
    to what is vouched for, never take away, so ignoring one opens nothing that is shut without it; were it fatal, a stray
    envelope would shut every model. Whoever damages one that is required shuts the model too, but not in silence: the error
    names it. Revocation stands in the trust store, so nothing beside the model can hide it. Statements that count and disagree
    are fatal.

    A package says which bytes hold the model, and nothing of what is in them. An audit that found a rule violated is told among
    the statements that count, and vouches for no model. Of a bundle, which asks for other roles, the audit itself is wanted,
    whatever it came to: the result stands in its statement.

    The versions seen are read and not raised here: what was signed has yet to be held against the content. The caller calls
    `remember_version` when that is done.

    Args:
        store: Whose word is taken, and what is required.
        envelopes: The name and the bytes of each envelope, at most 64.
        subject_sha256: What the statements must be about: a model's root, or a bundle's manifest.
        model_id: Which model it must be, where one is expected.
        seen: The highest versions that this user has seen; ``None`` where nothing is remembered.
        now: The present time, with its time zone.
        sealed: SHA-256 of the bytes of each sealed file, by its name, all of which a package is about. Without it, none counts.
        required_roles: Roles that are required, in place of those of the store.

    Raises:
        IntegrityError: Naming what is missing, why each statement does not count, and what to do.
    """
    if len(envelopes) > MOST_ENVELOPES:
        raise IntegrityError(f"there are {len(envelopes)} statements, allowed are {MOST_ENVELOPES}", remedy="take away those not needed")
    counted: list[Vouched] = []
    ignored: list[str] = []
    for given, content in envelopes:
        # A file's name is the sender's, and what is printed must not steer a terminal.
        name = given if given.isprintable() else ascii(given)
        try:
            vouched = _open(store, name, content, now)
            _require_about(vouched, subject_sha256, sealed or {}, model_id)
        except IntegrityError as error:
            ignored.append(error.problem)
        else:
            counted.append(vouched)
    failed = [vouched for vouched in counted if isinstance(vouched.statement.predicate, Audited) and vouched.statement.predicate.failed]
    silent = failed if required_roles is None else []
    unheard = [f"{vouched.name}: the audit that {vouched.signer!r} signed found rules violated" for vouched in silent]
    if all(vouched in silent or isinstance(vouched.statement.predicate, Packaged) for vouched in counted):
        raise _unvouched(store, "is signed by nobody whose word is taken", [*ignored, *unheard])
    claims = {(vouched.statement.claim.model, vouched.statement.claim.version) for vouched in counted}
    if len(claims) > 1:
        told = "; ".join(f"{v.name} says {v.statement.claim.model!r} version {v.statement.claim.version}" for v in counted)
        raise IntegrityError(f"the statements disagree: {told}", remedy="take away those of another release")
    ((model, version),) = claims
    rule = store.rule(model)
    present = {vouched.statement.role for vouched in counted if vouched not in silent}
    missing = [role for role in (rule.required_roles if required_roles is None else required_roles) if role not in present]
    if missing:
        raise _unvouched(store, f"lacks the word of the {' and of the '.join(missing)}", [*ignored, *unheard], sorted(present))
    if version < rule.minimum_version:
        raise IntegrityError(
            f"{model!r} is version {version}, and {store.source} requires {rule.minimum_version} or later", remedy="take the newer version"
        )
    notes = _require_not_older(model, version, seen)
    return Provenance(model, version, tuple(counted), tuple(ignored), notes, store.digest)


def remember_version(provenance: Provenance, seen: SeenVersions | None) -> Provenance:
    """Remember the version of a model, all of which has now verified.

    Returns:
        The provenance; where the version could not be kept, with a note that says so.
    """
    if seen is None:
        return provenance
    try:
        seen.remember(provenance.model, provenance.version)
    except StorageError as error:
        return replace(provenance, notes=(*provenance.notes, str(error)))
    return provenance


def _open(store: TrustStore, name: str, content: bytes, now: datetime.datetime) -> Vouched:
    """Verify, then read, then ask whether the signer may say this."""
    payload, key = parse_envelope(content, name).open([signer.key for signer in store.signers])
    signer = next(signer for signer in store.signers if signer.key == key)
    if signer.revoked is not None:
        raise IntegrityError(f"{name} is signed by {signer.name!r}, whose key was revoked ({signer.revoked})")
    statement = parse_statement(payload, name)
    if statement.role not in signer.roles:
        roles = " and ".join(signer.roles)
        raise IntegrityError(f"{name} is a statement of the role {statement.role!r}, and {signer.name!r} may speak as {roles} only")
    _require_timely(name, signer, statement.claim.time, now)
    return Vouched(name, signer.name, key.key_id, statement)


def _require_timely(name: str, signer: Signer, time: datetime.datetime, now: datetime.datetime) -> None:
    day = time.astimezone(datetime.UTC).date()
    if (signer.valid_from and day < signer.valid_from) or (signer.valid_until and day > signer.valid_until):
        validity = f"{signer.valid_from or 'any day'} to {signer.valid_until or 'any day'}"
        raise IntegrityError(f"{name} claims to be of {day}, and {signer.name!r} is valid from {validity}")
    if time > now + AHEAD:
        raise IntegrityError(f"{name} claims to be of {time.isoformat()}, which is yet to come")


def _require_about(vouched: Vouched, expected: str, sealed: Mapping[str, str], model_id: str | None) -> None:
    statement = vouched.statement
    about = {subject.name: subject.sha256 for subject in statement.subjects}
    if isinstance(statement.predicate, Packaged):
        renamed = about.keys() - sealed.keys()
        if renamed and sorted(about.values()) == sorted(sealed.values()):
            raise IntegrityError(f"{vouched.name} says that this was packaged as {min(renamed)}")
        if about != sealed:
            raise IntegrityError(f"{vouched.name} is about something else")
    elif expected not in about.values():
        raise IntegrityError(f"{vouched.name} is about something else")
    if model_id not in (None, statement.claim.model):
        raise IntegrityError(f"{vouched.name} is about the model {statement.claim.model!r}, expected is {model_id!r}")


def _require_not_older(model: str, version: int, seen: SeenVersions | None) -> tuple[str, ...]:
    if seen is None:
        return ()
    try:
        highest = seen.highest(model)
    except StorageError as error:
        return (str(error),)
    if version < highest:
        raise IntegrityError(
            f"{model!r} is version {version}, and version {highest} was seen before",
            remedy=f"take the newer version; if the old one is meant, take {model!r} out of {seen.path}",
        )
    return ()


def _unvouched(store: TrustStore, problem: str, ignored: Sequence[str], present: Sequence[Role] = ()) -> IntegrityError:
    there = f", and there is that of the {' and of the '.join(present)} alone" if present else ", and there are no statements"
    reasons = f": {'; '.join(ignored)}" if ignored else there
    return IntegrityError(
        f"what was to be verified {problem}{reasons}", remedy=f"ask for the statement that is missing, or add its signer to {store.source}"
    )
