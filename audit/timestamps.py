"""Time stamps of a bundle (RFC 3161): that its signature, or its manifest, existed at a time, on an authority's word.

Nothing here asks a network: the request is a file for the authority, and its response is a file too.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.manifests import ATTESTATION, MANIFEST, TIMESTAMP, VerifiedBundle, read_attestation, read_timestamp, verify_bundle
from audit.response_order import in_order
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import sha256, write_atomically

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# The algorithms in which an authority may repeat the digest (RFC 5754).
_ALGORITHMS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
_AGAIN = "ask the authority for a time stamp of this bundle: assay timestamp request"


@dataclass(frozen=True)
class TimeStamp:
    """What an authority says.

    Args:
        time: When it saw the digest.
        authority: What its certificate calls it.
        of: The file that it stamped, ``"attestation.dsse.json"`` or ``"manifest.json"``.
        judged: Whether its signature was held against certificates that somebody trusts; else anyone can have written it.
    """

    time: datetime.datetime
    authority: str
    of: str
    judged: bool


def write_request(folder: Path) -> bytes:
    """A request for a time stamp of a bundle: of its signature where it has one, else of its manifest.

    Raises:
        IntegrityError: If the bundle is not what its manifests say.
        ConfigurationError: If the extra that reads and writes time stamps is not installed.
    """
    client = _client()
    stamped = _stampable(verify_bundle(folder))
    content = next(iter(stamped.values()))
    request = client.TimestampRequestBuilder().data(content).hash_algorithm(client.HashAlgorithm.SHA512).build()
    return bytes(request.as_bytes())


def attach_timestamp(folder: Path, response: bytes, certificates: Sequence[Certificate], *, replace: bool = False) -> TimeStamp:
    """Verify the response of an authority, and keep it in the bundle as ``timestamp.tsr``.

    Args:
        folder: The bundle.
        response: What the authority answered.
        certificates: Those of authorities whose word is taken.
        replace: Whether an earlier time stamp, which says more, is replaced.

    Raises:
        IntegrityError: If the bundle is not what its manifests say, or the response is none, is about something else, or is not
            signed under one of the certificates.
        ConfigurationError: If there is a time stamp already, or the extra is not installed.
        StorageError: If the folder cannot be written.
    """
    bundle = verify_bundle(folder)
    if read_timestamp(folder) is not None and not replace:
        raise ConfigurationError(f"{folder} has a time stamp, which would be lost", remedy="keep it, or say that it is replaced")
    found = _judge(bundle, response, certificates)
    write_atomically(folder / TIMESTAMP, response)
    return found


def verify_timestamp(bundle: VerifiedBundle, certificates: Sequence[Certificate]) -> TimeStamp | None:
    """The time stamp of a bundle, or ``None`` where it has none.

    Args:
        bundle: The bundle, verified.
        certificates: Those of authorities whose word is taken; without any, it is not judged who stamped it.

    Raises:
        IntegrityError: If it is about something else, or, where there are certificates, none of them stands behind it.
        ConfigurationError: If the extra is not installed.
    """
    response = read_timestamp(bundle.folder)
    return None if response is None else _judge(bundle, response, certificates)


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """The certificates of authorities out of a PEM file.

    Raises:
        ConfigurationError: If there is no such file, or it holds none.
    """
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return tuple(load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "holds no certificate in PEM form"
        raise ConfigurationError(f"{path}: {problem}", remedy="give the authority's certificate, which it publishes, as .pem") from error


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise ConfigurationError("time stamps need the package rfc3161-client", remedy='pip install "assay[timestamps]"') from None
    return rfc3161_client


def _stampable(bundle: VerifiedBundle) -> dict[str, bytes]:
    """What a time stamp may be of, the one that says most first: the signature covers the manifest."""
    found = {}
    attestation = read_attestation(bundle.folder)
    if attestation is not None:
        found[ATTESTATION] = attestation
    manifest = (bundle.folder / MANIFEST).read_bytes()
    if sha256(manifest) != bundle.manifests[MANIFEST]:
        raise IntegrityError(
            f"{bundle.folder / MANIFEST} was changed since it was verified", remedy="verify again when nothing writes to it"
        )
    return {**found, MANIFEST: manifest}


def _judge(bundle: VerifiedBundle, response: bytes, certificates: Sequence[Certificate]) -> TimeStamp:
    client, source = _client(), f"{bundle.folder.name}/{TIMESTAMP}"
    with _understanding(f"{source} is no response to a request for a time stamp", _AGAIN, ()):
        answer = client.decode_timestamp_response(in_order(response))
        status, said = answer.status, "; ".join(answer.status_string)
    if status not in (client.PKIStatus.GRANTED, client.PKIStatus.GRANTED_WITH_MODS):
        raise IntegrityError(f"the authority refused the time stamp, and said {said[:200]!r}", remedy=_AGAIN)
    with _understanding(f"{source} is no time stamp", _AGAIN, ()):
        imprint, time, authority = answer.tst_info.message_imprint, answer.tst_info.gen_time, _authority(answer)
        name = _ALGORITHMS.get(imprint.hash_algorithm.dotted_string)
    if name is None:
        raise IntegrityError(f"{source} has a digest of another kind than SHA-2", remedy=_AGAIN)
    of = next((of for of, content in _stampable(bundle).items() if hashlib.new(name, content).digest() == imprint.message), None)
    if of is None:
        raise IntegrityError(f"{source} is a time stamp of something else, or of what this bundle was before", remedy=_AGAIN)
    if certificates:
        problem, remedy = f"{source} is not the word of an authority whose certificate was given", _why_not(answer, certificates, time)
        with _understanding(problem, remedy, (client.VerificationError,)):
            client.VerifierBuilder(roots=list(certificates)).build().verify(answer, imprint.message)
    return TimeStamp(time, authority, of, bool(certificates))


@contextmanager
def _understanding(problem: str, remedy: str, refusals: tuple[type[Exception], ...]) -> Iterator[None]:
    """What a stranger's bytes can make of a reader, as one error."""
    from cryptography.x509 import InvalidVersion

    caught: tuple[type[Exception], ...] = (ValueError, LookupError, InvalidVersion, *refusals)
    try:
        yield
    except caught as error:
        raise IntegrityError(problem, remedy=remedy) from error


def _why_not(answer: Any, certificates: Sequence[Certificate], time: datetime.datetime) -> str:
    """What to do should a stamp not verify, as far as its certificate tells."""
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
    from cryptography.x509.oid import ExtendedKeyUsageOID

    root = "give the certificate of the root that issued the authority's"
    try:
        own = _certificate_of_signer(answer)
        if own is None:
            return root
        if not all(one.not_valid_before_utc <= time <= one.not_valid_after_utc for one in (own, *certificates)):
            return "a certificate was not valid at that time: ask again, and give the root that is valid now"
        if ExtendedKeyUsageOID.TIME_STAMPING not in own.extensions.get_extension_for_class(ExtendedKeyUsage).value:
            return "its certificate is for another purpose: ask an authority for time stamps"
    except ExtensionNotFound:
        return "its certificate does not say that it is for time stamps: ask another authority"
    except (ValueError, LookupError):
        return root
    return root


def _certificate_of_signer(answer: Any) -> Certificate | None:
    """The certificate that signed, if the response holds it."""
    from cryptography.x509 import load_der_x509_certificate

    (signer,) = answer.signed_data.signer_infos
    held = map(load_der_x509_certificate, answer.signed_data.certificates)
    return next((one for one in held if (one.issuer, one.serial_number) == (signer.issuer, signer.serial_number)), None)


def _authority(answer: Any) -> str:
    """What the certificate of the signer calls it, among those that the response holds."""
    own = _certificate_of_signer(answer)
    (signer,) = answer.signed_data.signer_infos
    return str((own.subject if own is not None else signer.issuer).rfc4514_string())
