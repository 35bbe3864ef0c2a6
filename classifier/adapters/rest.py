"""A classifier behind an endpoint of the local network, asked over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Hashable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import torch
from torch import Tensor

from classifier.adapters._answers import class_order, require_outputs, two_sided
from classifier.adapters._labels import output_labels
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError
from classifier.modality import modality_of
from classifier.records import sha256
from classifier.schema import Schema

# Loopback (RFC 1122, RFC 4291) and private use (RFC 1918, RFC 4193). Link-local addresses are left out: services of a
# cloud that give away credentials answer there.
_LOCAL = [ipaddress.ip_network(n) for n in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")]
_LONGEST = 2**26
_PATIENCE = 60.0
_ADDRESS = 'give "http://host:port/path", without a password'


def from_rest(
    url: str,
    *,
    schema: Schema,
    classes: Sequence[str],
    output_classes: Sequence[str] = (),
    batch_size: int = 200,
    per_second: float = 10.0,
    timeout: float = 30.0,
    retries: int = 5,
) -> Classifier:
    """Make a classifier of an endpoint. It is a black box, and no row is asked twice.

    Each request is ``POST {"instances": [{feature: value, ...}, ...]}`` with the rows in natural units; the answer is
    ``{"probabilities": [[...], ...]}``, for each row the probability of each class, or of the event alone: one number a
    row is that of the second of `output_classes`, by default of the event.

    Args:
        url: ``http://`` or ``https://``, of a loopback or private address; redirects and proxies are not followed.
        schema: What the inputs mean; a table.
        classes: Name of each class; of two, the second is the event.
        output_classes: The class of each probability, in the endpoint's order; by default sorted as label encoders do.
        batch_size: Rows a request at most.
        per_second: Requests a second at most.
        timeout: Seconds until a request is given up, from its first byte to the answer's last.
        retries: How often a request is repeated that was answered with 429 or 503, waiting as long as the answer says,
            else 0.5 s and twice as long each time.

    Raises:
        ConfigurationError: If the address is no such one, or nobody states the order of classes that are not sorted.
        ModelError: If it does not answer, or not with probabilities.
    """
    if batch_size < 1 or not per_second > 0 or not timeout > 0 or retries < 0:
        given = f"{batch_size}, {per_second}, {timeout} and {retries}"
        raise ConfigurationError(f"batch_size, per_second and timeout must be above 0 and retries at least 0, got {given}")
    if schema.modality != "tabular":
        raise ConfigurationError(f"an endpoint is asked rows of a table, the data are of the modality {schema.modality!r}")
    if output_classes:
        class_order(output_classes, classes, what=url)
    endpoint = _Endpoint(url, per_second, timeout, retries)
    known: dict[str, Tensor] = {}

    def function(x: Tensor) -> Tensor:
        keys = [sha256(row.numpy().tobytes()) for row in x]
        new = {key: row for key, row in zip(keys, x, strict=True) if key not in known}
        for start in range(0, len(new), batch_size):
            part = list(new)[start : start + batch_size]
            rows = modality_of(schema).decode(torch.stack([new[key] for key in part]))
            whole = {name: int for name in schema.names if schema[name].kind == "integer"}
            answer = endpoint.ask(rows.astype(whole).astype(object).to_dict("records"))
            require_outputs(answer, classes, what=url)
            # How many there are is known only now; one alone is the event's, unless somebody says otherwise.
            own = tuple(output_classes or classes) if answer.shape[1] == 1 else output_labels(output_classes, classes, what=url)
            answer = two_sided(answer, probabilities=True)[:, class_order(own, classes, what=url)]
            _require_probabilities(answer, url)
            known.update(zip(part, answer, strict=True))
        return torch.stack([known[key] for key in keys])

    function.__module__, function.__qualname__ = "rest", url
    card: dict[str, Any] = {
        "why_no_gradients": "the classifier is a black box: an endpoint gives no gradients",
        "rows_per_second": batch_size * per_second,
        "output_order": tuple(output_classes),
        "takes_whole_values": True,
    }
    return Classifier.wrap(function, schema=schema, classes=list(classes), card=card)


def _require_probabilities(answer: Tensor, url: str) -> None:
    wrong = ~answer.isfinite().all(1) | (answer < 0).any(1) | ((answer.sum(1) - 1).abs() > 1e-3)
    if wrong.any():
        shown = ", ".join(f"{value:g}" for value in answer[wrong][0].tolist())
        raise ModelError(
            f"{url} must return probabilities, at least 0 and 1 in sum for each row, got {shown}",
            remedy="give probabilities, not logits, shares of 100 or decisions",
        )


class _Endpoint:
    """Asks one address, no faster than allowed."""

    def __init__(self, url: str, per_second: float, timeout: float, retries: int) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:  # a port that is none, a bracket that is not closed
            raise ConfigurationError(f"{url!r} is no address: {error}", remedy=_ADDRESS) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ConfigurationError(f"{url!r} is no address of an endpoint", remedy=_ADDRESS)
        self.url, self.host, self.tls = url, parts.hostname, parts.scheme == "https"
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not all("!" <= letter <= "~" for letter in self.path):
            raise ConfigurationError(f"{url!r} holds a blank or a letter beyond ASCII", remedy=f"write {quote(self.path)!r} in its place")
        self.port = port if port is not None else (443 if self.tls else 80)
        self.address = _local_address(self.host, self.port)
        self.interval, self.timeout, self.retries = 1 / per_second, timeout, retries
        self._next = 0.0

    def ask(self, rows: list[dict[Hashable, Any]]) -> Tensor:
        """The answer to a batch of rows, ``(n, K)`` or ``(n, 1)``."""
        body = json.dumps({"instances": rows}, allow_nan=False).encode()
        for attempt in range(self.retries + 1):
            status, wait, content = self._post(body)
            if status not in (429, 503):
                break
            if attempt < self.retries:
                time.sleep(min(_PATIENCE, wait if wait is not None else 0.5 * 2**attempt))
        if status != 200:
            raise ModelError(
                f"{self.url} answered with the status {status}, required is 200",
                remedy="lower [model.requests] per_second" if status in (429, 503) else "see its log; redirects are not followed",
            )
        try:
            answer = torch.tensor(json.loads(content)["probabilities"], dtype=torch.float64)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise ModelError(f'{self.url} did not answer with {{"probabilities": [[...], ...]}}: {error!r}') from error
        answer = answer.reshape(-1, 1) if answer.dim() == 1 else answer
        if answer.dim() != 2 or len(answer) != len(rows):
            raise ModelError(f"{self.url} answered {len(rows)} rows with the shape {tuple(answer.shape)}, required is one answer a row")
        return answer

    def _post(self, body: bytes) -> tuple[int, float | None, bytes]:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self.interval
        # The connection goes to the address that was looked at: a name could mean another one by now.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        deadline = _Deadline(self.timeout)
        try:
            opened = socket.create_connection((self.address, self.port), self.timeout)
            if self.tls:
                opened = ssl.create_default_context().wrap_socket(opened, server_hostname=self.host, do_handshake_on_connect=False)
            connection.sock = opened
            deadline.start(opened)
            if isinstance(opened, ssl.SSLSocket):
                opened.do_handshake()
            connection.request("POST", self.path, body, {"Content-Type": "application/json", "Accept": "application/json"})
            response = connection.getresponse()
            content = response.read(_LONGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            late = f"no whole answer in {self.timeout:g} seconds" if deadline.passed else str(error) or repr(error)
            raise ModelError(f"{self.url} does not answer: {late}", remedy="is it running, and its address right?") from error
        finally:
            deadline.cancel()
            connection.close()
        if deadline.passed:
            raise ModelError(
                f"{self.url} does not answer: no whole answer in {self.timeout:g} seconds", remedy="raise [model.requests] timeout"
            )
        if len(content) > _LONGEST:
            raise ModelError(f"{self.url} answered with more than {_LONGEST} bytes", remedy="lower [model.requests] batch_size")
        wait = response.headers.get("Retry-After", "")
        return response.status, float(wait) if wait.isdigit() else None, content


class _Deadline:
    """Cuts a connection off when its time is over.

    A socket's own timeout starts anew with each byte, so that a server which drips its answer would hold an audit for good.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def start(self, opened: socket.socket) -> None:
        """Let the time run."""
        self._socket = opened
        self._timer.start()

    def cancel(self) -> None:
        """Leave the connection alone from now on."""
        self._timer.cancel()

    def _cut(self) -> None:
        assert self._socket is not None  # `start`
        self.passed = True
        with contextlib.suppress(OSError):
            # That of the socket itself: TLS would let its reader go on in plain text.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _local_address(host: str, port: int) -> str:
    """An address of a host, all of whose addresses are local."""
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        raise ModelError(f"the host {host!r} is not known: {error}") from error
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if not any(mapped in network for network in _LOCAL):
            raise ConfigurationError(
                f"{host!r} is at {text}, required is a loopback or private address",
                remedy="run the endpoint in your own network: rows of the data are sent to it",
            )
    return found[0]
