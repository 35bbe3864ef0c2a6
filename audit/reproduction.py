"""An audit run again from the configuration that its bundle holds, and which numbers come out as they were."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.manifests import VerifiedBundle, verify_bundle
from audit.recomputation import Record, read_json
from audit.rerun_limits import require_allowed, require_apart
from classifier.errors import ConfigurationError, IntegrityError
from classifier.records import sha256, write_atomically

if TYPE_CHECKING:
    from audit.configuration import Configuration
    from audit.vault import Identity
    from trainer import Epoch

CONFIGURATION, POLICY, RUN = "audit.toml", "policy.toml", "run.json"
# Single precision carries seven digits; what differs by more was computed to something else.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-7

Json = Mapping[str, Any]
Key = tuple[str, str, tuple[tuple[str, Any], ...]]


@dataclass(frozen=True)
class Unlike:
    """A number that did not come out as it was.

    Args:
        metric: Its name.
        where: What it was measured on.
        before: Value and ends of its interval in the bundle.
        now: The same now; ``None`` where it was not measured.
        reason: Why it was not measured.
    """

    metric: str
    where: Mapping[str, Any]
    before: tuple[float, float, float]
    now: tuple[float, float, float] | None
    reason: str = ""


@dataclass(frozen=True)
class Reproduction:
    """What came of running an audit again. A metric counts once, with its interval.

    Args:
        folder: The bundle of the second run.
        exact: How many metrics are the same to the last digit.
        close: How many differ by rounding alone.
        unlike: Those that differ by more.
        missing: Those that could not be measured again.
        classifier: Whether the classifier has the digest that it had; ``None`` where there were predictions alone.
        surroundings: What is different about software and hardware: then and now.
    """

    folder: Path
    exact: int
    close: int
    unlike: tuple[Unlike, ...]
    missing: tuple[Unlike, ...]
    classifier: bool | None
    surroundings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 where all agree, 1 where some do not, 3 where some were not measured again."""
        return 1 if self.unlike else 3 if self.missing or not self.exact + self.close else 0


def reproduce(
    bundle: Path,
    *,
    data: Path,
    output: Path,
    progress: bool | Callable[[Epoch], None] = True,
    identities: Sequence[Identity] = (),
    passphrase: str | None = None,
    allow_code: bool = False,
) -> Reproduction:
    """Run an audit again, and compare.

    Args:
        bundle: The bundle; a published copy will do.
        data: Where its ``audit.toml`` lay: the paths in it start there. While the audit runs, its configuration lies there too.
        output: Where the bundle of the second run goes.
        progress: Whether to show bars on a terminal, or a function that is told of every epoch.
        identities: What opens sealed data; see `audit.pipeline.audit_configuration`.
        passphrase: Tried where data are sealed under one.
        allow_code: Whether code that the bundle names is run, and an address that it names is asked.

    Raises:
        IntegrityError: If the bundle is not what its manifests say, or the data or the policy are others than those of the audit.
        ConfigurationError: If anything that it names is not there, its policy lies outside the data's folder, it names code that is not
            allowed, or something would be lost at `output`.
        StorageError: If the configuration cannot be put where the data are, or the bundle cannot be written.
    """
    from audit.pipeline import audit_configuration

    verified = verify_bundle(bundle)
    record = Record(verified)
    configuration = _read_configuration(verified)
    require_apart(bundle, output)
    require_allowed(verified, configuration, data, allow_code=allow_code)
    with ExitStack() as stack:
        path = stack.enter_context(_lent(data / f".assay-{secrets.token_hex(8)}.toml", verified.read(CONFIGURATION)))
        _lend_policy(stack, verified, configuration, data)
        _require_same_data(record, configuration, data, identities, passphrase)
        outcome = audit_configuration(
            path, output=output, only=_checks(record), progress=progress, identities=identities, passphrase=passphrase
        )
    if outcome.audit.interrupted:
        raise ConfigurationError(f"the audit was stopped; {outcome.folder} holds what was finished", remedy="run the same command again")
    return compare_records(record, Record(verify_bundle(outcome.folder)))


def compare_records(before: Record, now: Record) -> Reproduction:
    """Which numbers of a record are those of another, metric by metric.

    Args:
        before: The first run's.
        now: The second's.
    """
    found = {_key(check, metric): metric for check, e in now.evidence.items() for metric in e["metrics"]}
    exact = close = 0
    unlike, missing = [], []
    for check, metric in before.metrics():
        other = found.get(_key(check, metric))
        if other is None or other["value"] is None:
            evidence = now.evidence.get(check, {"not_run": "this release has no such check"})
            reason = (other or {}).get("reason") or evidence.get("not_run") or "it was not measured"
            missing.append(Unlike(metric["name"], metric["where"], _numbers(metric), None, reason))
        elif _numbers(other) == _numbers(metric) and other["n"] == metric["n"]:
            exact += 1
        elif other["n"] == metric["n"] and all(map(_close, _numbers(other), _numbers(metric))):
            close += 1
        else:
            unlike.append(Unlike(metric["name"], metric["where"], _numbers(metric), _numbers(other)))
    digests = before.identity["classifier"], now.identity["classifier"]
    same = None if digests[0] is None else digests[0] == digests[1]
    return Reproduction(now.bundle.folder, exact, close, tuple(unlike), tuple(missing), same, _surroundings(before, now))


def _key(check: str, metric: Json) -> Key:
    return check, metric["name"], tuple(sorted(metric["where"].items()))


def _numbers(metric: Json) -> tuple[float, float, float]:
    return metric["value"], metric["low"], metric["high"]


def _close(first: float, second: float) -> bool:
    return isclose(first, second, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def _surroundings(before: Record, now: Record) -> dict[str, tuple[Any, Any]]:
    known = [{**record.content["software"], **_hardware(record.bundle)} for record in (before, now)]
    return {
        name: (known[0].get(name), known[1].get(name))
        for name in sorted({*known[0], *known[1]})
        if known[0].get(name) != known[1].get(name)
    }


def _hardware(bundle: VerifiedBundle) -> dict[str, Any]:
    run = read_json(bundle, RUN) if RUN in bundle.files else {}
    return dict(run.get("hardware", {})) if isinstance(run, dict) else {}


def _read_configuration(verified: VerifiedBundle) -> Configuration:
    from audit.configuration import Configuration
    from audit.toml_files import parse_toml

    if CONFIGURATION not in verified.files:
        raise ConfigurationError(
            f"{verified.folder} holds no {CONFIGURATION}, so that nothing says how to run it", remedy="ask its auditor"
        )
    return parse_toml(Configuration, verified.read(CONFIGURATION).decode(), str(verified.folder / CONFIGURATION))


def _checks(record: Record) -> tuple[str, ...]:
    """The checks that were run and that this release has."""
    from audit.check import check_ids

    return tuple(check for check in record.evidence if check in check_ids())


@contextmanager
def _lent(path: Path, content: bytes) -> Iterator[Path]:
    """A file that lies there while the block runs, and whatever folders it needs."""
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        write_atomically(path, content)
        yield path
    finally:
        path.unlink(missing_ok=True)
        for folder in made:
            os.rmdir(folder)


def _lend_policy(stack: ExitStack, verified: VerifiedBundle, configuration: Configuration, data: Path) -> None:
    """Put the bundle's policy where the configuration looks for it, unless it is there."""
    policy = configuration.policy
    if policy is None or policy.path is None or POLICY not in verified.files:
        return
    path = data / policy.path
    if not path.exists():
        stack.enter_context(_lent(path, verified.read(POLICY)))
    elif sha256(policy.text(data)) != verified.files[POLICY]:
        raise IntegrityError(f"{path} is another policy than that of the audit", remedy=f"put the bundle's {POLICY} there, or move it away")


def _require_same_data(
    record: Record, configuration: Configuration, data: Path, identities: Sequence[Identity], passphrase: str | None
) -> None:
    """Refuse to compare what was measured on other data."""
    from classifier.opening import opening_with

    path = data / configuration.data.path
    if not path.exists():
        raise ConfigurationError(f"there is no {path}, which the audit was of", remedy="give with --data the folder that audit.toml lay in")
    with opening_with(configuration.seal.opener(data, identities, passphrase)):
        splits = configuration.read_splits(data)
    found = {"training": splits.train.digest, "validation": splits.validation.digest, "test": splits.test.digest}
    for part, digest in record.identity["data"].items():
        if found.get(part) != digest:
            source = record.identity["source"].get("name", configuration.data.path)
            raise IntegrityError(
                f"the {part} rows have the digest {str(found.get(part))[:16]}..., and the audit was of {digest[:16]}...",
                remedy=f"give the {source} of the audit, and with --data the folder that its audit.toml lay in",
            )
