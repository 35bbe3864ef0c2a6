"""A copy of a bundle for the public: nothing about single cases in it, and each file that it lacks named with its digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audit.manifests import ATTESTATION, TIMESTAMP, VerifiedBundle, read_attestation, read_timestamp, verify_bundle
from audit.public_record import write_public
from audit.recomputation import Record, common_pictures, require_one_record, single_checks
from audit.redactions import PUBLIC, RECORD, REDACTIONS, Redactions, Withheld, why_withheld
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import folder_atomically, require_replaceable, sha256, write_atomically

_ELSEWHERE = "name a new folder, or give --force to replace what is there"


@dataclass(frozen=True)
class Published:
    """What became of a bundle.

    Args:
        folder: The copy.
        kept: The files that it has of the bundle.
        redactions: What it lacks, and what was made for it.
    """

    folder: Path
    kept: tuple[str, ...]
    redactions: Redactions


def publish(bundle: Path, destination: Path, *, force: bool = False) -> Published:
    """Copy a bundle without what is about single cases.

    The manifests, the signature and the time stamp are copied as they are, so that they verify. The same bundle gives the same copy,
    byte for byte: who holds the whole one can tell that nothing else was changed.

    Args:
        bundle: The bundle, which is verified first.
        destination: Folder of the copy; an earlier copy of the same bundle there is replaced.
        force: Whether the copy of another bundle, or one that has more to it, is replaced too.

    Raises:
        IntegrityError: If the bundle is not what its manifests say.
        ConfigurationError: If it is a published copy itself, the copy would lie in it, or something would be lost at the destination.
        StorageError: If other files lie at the destination, or it cannot be written.
    """
    bundle, destination = bundle.resolve(), destination.resolve()
    if destination == bundle or bundle in destination.parents or destination in bundle.parents:
        raise ConfigurationError(f"{destination} and {bundle} lie in each other", remedy="name a folder beside the bundle")
    verified = verify_bundle(bundle)
    if verified.withheld or verified.made:
        raise ConfigurationError(f"{bundle} is a published copy already", remedy="publish the bundle that it was made from, or pass it on")
    if destination.exists():
        require_replaceable(destination, REDACTIONS)
        if not force and any(destination.iterdir()):
            _require_earlier_copy(verified, destination)
    record = Record(verified)
    require_one_record(record)
    kept, withheld = _part(verified, record)
    made = {PUBLIC: write_public(record.content)} if RECORD in withheld and PUBLIC not in verified.files else {}
    redactions = Redactions(withheld, {name: sha256(content) for name, content in made.items()})
    with folder_atomically(destination) as draft:
        for name in kept:
            write_atomically(draft / name, verified.read(name))
        for name, content in made.items():
            write_atomically(draft / name, content)
        for name, digest in verified.manifests.items():
            write_atomically(draft / name, _same(bundle / name, digest))
        for name, found in ((ATTESTATION, read_attestation(bundle)), (TIMESTAMP, read_timestamp(bundle))):
            if found is not None:
                write_atomically(draft / name, found)
        write_atomically(draft / REDACTIONS, redactions.to_json())
        verify_bundle(draft)
    return Published(destination, kept, redactions)


def _part(verified: VerifiedBundle, record: Record) -> tuple[tuple[str, ...], dict[str, Withheld]]:
    """The files that go into the copy, and those that do not."""
    single, pictures = single_checks(record), common_pictures(record)
    reasons = {name: why_withheld(name, single, pictures) for name in sorted(verified.files)}
    withheld = {name: Withheld(verified.files[name], reason) for name, reason in reasons.items() if reason}
    return tuple(name for name, reason in reasons.items() if not reason), withheld


def _require_earlier_copy(bundle: VerifiedBundle, destination: Path) -> None:
    """Refuse to replace anything but an earlier copy of the same bundle, to which nothing was added."""
    try:
        earlier = verify_bundle(destination)
        signed, stamped = read_attestation(destination), read_timestamp(destination)
    except IntegrityError as error:
        problem = f"{destination} holds something else than a copy of this bundle: {error.problem}"
        raise ConfigurationError(problem, remedy=_ELSEWHERE) from error
    if earlier.manifests != bundle.manifests:
        raise ConfigurationError(f"{destination} is a copy of another bundle, which would be lost", remedy=_ELSEWHERE)
    compared = (("a signature", signed, read_attestation(bundle.folder)), ("a time stamp", stamped, read_timestamp(bundle.folder)))
    for what, there, here in compared:
        if there is not None and there != here:
            raise ConfigurationError(f"{destination} has {what} that the bundle does not have, which would be lost", remedy=_ELSEWHERE)


def _same(path: Path, digest: str) -> bytes:
    content = path.read_bytes()
    if sha256(content) != digest:
        raise IntegrityError(f"{path} was changed since it was verified", remedy="publish again when nothing writes to the bundle")
    return content
