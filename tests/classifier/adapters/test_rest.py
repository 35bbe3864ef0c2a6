"""An endpoint is asked politely, once a row, and only in the local network."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pandas as pd
import pytest
import torch

from classifier import Feature, Schema
from classifier.adapters import rest
from classifier.adapters.rest import from_rest
from classifier.errors import ConfigurationError, ModelError

SCHEMA = Schema("tabular", (Feature("age", "integer", low=0, high=100), Feature("home", "categorical", categories=("own", "rent"))))
CLASSES = ("no", "yes")


class Handler(BaseHTTPRequestHandler):
    """Answers with what the server has in store, then with a probability of age / 100."""

    def do_POST(self) -> None:  # the standard library's name
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        self.server.requests.append(rows)  # type: ignore[attr-defined]
        stored: list[tuple[int, dict[str, str], Any]] = self.server.stored  # type: ignore[attr-defined]
        status, headers, answer = stored.pop(0) if stored else (200, {}, None)
        if answer is None:
            answer = {"probabilities": [[1 - row["age"] / 100, row["age"] / 100] for row in rows]}
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    requests: list[list[dict[str, Any]]]
    stored: list[tuple[int, dict[str, str], Any]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/predict"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.requests, server.stored = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited, without waiting."""
    waits: list[float] = []
    monkeypatch.setattr(rest.time, "sleep", waits.append)
    return waits


def rows(*ages: int) -> torch.Tensor:
    return SCHEMA.encode(pd.DataFrame({"age": ages, "home": "rent"}))


def test_rows_are_sent_in_natural_units_and_none_twice(server: Server, slept: list[float]) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES, batch_size=2)
    server.requests.clear()
    assert classifier.probabilities(rows(10, 20, 10, 30))[:, 1].tolist() == pytest.approx([0.1, 0.2, 0.1, 0.3], abs=1e-6)
    assert server.requests == [[{"age": 10, "home": "rent"}, {"age": 20, "home": "rent"}], [{"age": 30, "home": "rent"}]]
    classifier.probabilities(rows(30, 20))
    assert len(server.requests) == 2
    assert not classifier.differentiable


def test_requests_keep_their_distance(server: Server, slept: list[float]) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES, batch_size=1, per_second=0.1)
    slept.clear()
    classifier.probabilities(rows(1, 2, 3))
    # Each waits for what is left of the ten seconds since the one before; sleeping is not, so that it adds up.
    assert len(slept) == 3
    assert all(wait > 5 for wait in slept)


def test_a_busy_endpoint_is_asked_again_later(server: Server, slept: list[float]) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES, per_second=1e9, retries=3)
    slept.clear()
    server.stored += [(429, {"Retry-After": "7"}, {}), (503, {}, {}), (503, {"Retry-After": "999999"}, {})]
    assert classifier.probabilities(rows(40))[0, 1].item() == pytest.approx(0.4, abs=1e-6)
    assert [wait for wait in slept if wait > 0.01] == [7.0, 1.0, 60.0]
    server.stored += [(503, {}, {})] * 4
    with pytest.raises(ModelError, match=r"answered with the status 503, required is 200; lower .model.requests. per_second"):
        classifier.probabilities(rows(41))


@pytest.mark.parametrize(
    ("status", "headers", "answer", "message"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, {}, "status 302, required is 200; .*redirects are not followed"),
        (500, {}, {}, "status 500"),
        (200, {}, {"scores": [[0.5, 0.5]]}, "did not answer with"),
        (200, {}, {"probabilities": [["a", "b"]]}, "did not answer with"),
        (200, {}, {"probabilities": [[0.5, 0.5]] * 3}, r"answered 1 rows with the shape \(3, 2\)"),
        (200, {}, {"probabilities": [[0.2, 0.3, 0.5]]}, r"outputs of shape \(3,\) a row, the classes are no, yes"),
        (200, {}, {"probabilities": [[0.9, 0.9]]}, "must return probabilities"),
        (200, {}, {"probabilities": [[float("nan"), 1.0]]}, "must return probabilities"),
    ],
)
def test_an_answer_that_is_none_is_refused(
    server: Server, slept: list[float], status: int, headers: dict[str, str], answer: Any, message: str
) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES)
    server.stored.append((status, headers, answer))
    with pytest.raises(ModelError, match=message):
        classifier.probabilities(rows(50))


def test_the_event_alone_is_enough(server: Server, slept: list[float]) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES, output_classes=("yes", "no"))
    server.stored.append((200, {}, {"probabilities": [0.25]}))
    assert classifier.probabilities(rows(50))[0].tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(
    "url",
    ["http://8.8.8.8/", "http://169.254.169.254/latest", "http://0.0.0.0/", "http://[2001:4860:4860::8888]/", "http://[::ffff:8.8.8.8]/"],
)
def test_an_address_outside_the_local_network_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="required is a loopback or private address"):
        from_rest(url, schema=SCHEMA, classes=CLASSES)


def test_a_name_must_be_local_in_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(0, 0, 0, "", ("127.0.0.1", 80)), (0, 0, 0, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(rest.socket, "getaddrinfo", lambda *arguments, **options: found)
    with pytest.raises(ConfigurationError, match=r"'model.internal' is at 93.184.216.34"):
        from_rest("http://model.internal/", schema=SCHEMA, classes=CLASSES)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://user:secret@127.0.0.1/", "127.0.0.1:80"])
def test_what_is_no_address_of_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of an endpoint"):
        from_rest(url, schema=SCHEMA, classes=CLASSES)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/", "http://127.0.0.1:port/", "http://[::1/", "http://127.0.0.1/a b", "http://127.0.0.1/é"]
)
def test_an_address_that_cannot_be_asked_is_refused_with_the_way_to_write_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no address: .*give \"http|holds a blank or a letter beyond ASCII; write"):
        from_rest(url, schema=SCHEMA, classes=CLASSES)


def test_a_number_beyond_all_bounds_is_no_answer(server: Server, slept: list[float]) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES)
    server.stored.append((200, {}, {"probabilities": [[10**400, 0]]}))
    with pytest.raises(ModelError, match="did not answer with"):
        classifier.probabilities(rows(50))


def test_probabilities_that_do_not_sum_to_one_name_the_address(server: Server, slept: list[float]) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES)
    server.stored.append((200, {}, {"probabilities": [[30, 70]]}))
    with pytest.raises(ModelError, match=rf"{server.url} must return probabilities.*got 30, 70"):
        classifier.probabilities(rows(50))


def test_an_answer_that_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = from_rest(server.url, schema=SCHEMA, classes=CLASSES, timeout=0.5)
    stop = threading.Event()

    def drip(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not stop.wait(0.1):
            try:
                handler.wfile.write(b" ")
            except OSError:  # it was cut off, as it should be
                return

    monkeypatch.setattr(Handler, "do_POST", drip)
    try:
        with pytest.raises(ModelError, match=r"no whole answer in 0.5 seconds"):
            classifier.probabilities(rows(50))
    finally:
        stop.set()


def test_the_order_of_classes_is_sorted_or_stated_unless_the_event_comes_alone(server: Server, slept: list[float]) -> None:
    with pytest.raises(ConfigurationError, match=r"does not name its classes, and the data have yes, no"):
        from_rest(server.url, schema=SCHEMA, classes=("yes", "no"))
    stated = from_rest(server.url, schema=SCHEMA, classes=("yes", "no"), output_classes=("no", "yes"))
    assert stated.probabilities(rows(30))[0].tolist() == pytest.approx([0.3, 0.7])
    server.stored.append((200, {}, {"probabilities": [0.5, 0.5]}))  # at load, of two rows
    server.stored.append((200, {}, {"probabilities": [0.25]}))
    alone = from_rest(server.url, schema=SCHEMA, classes=("yes", "no"))
    assert alone.probabilities(rows(30))[0].tolist() == pytest.approx([0.75, 0.25])
