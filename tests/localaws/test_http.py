"""One connection of HTTP takes many requests, whatever they are, and ends with the local AWS."""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import closing

import pytest

from localaws.server import LocalAws
from tests.support.localaws.processes import run_forked
from tests.support.waiting import wait_for

BUCKET = "of-a-connection"
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=localaws/20261130/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=none"
}


@pytest.fixture
def connection(aws: LocalAws) -> Iterator[http.client.HTTPConnection]:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key="key", Body=b"0123456789")
    address = urllib.parse.urlsplit(aws.url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port)) as connection:
        yield connection


def answer(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    connection.request(method, path, body, SIGNED)
    response = connection.getresponse()
    return response.status, response.read()


def test_a_connection_takes_one_request_after_the_other(connection):
    connection.connect()
    first = connection.sock
    for _ in range(3):
        assert answer(connection, "GET", f"/{BUCKET}/key") == (200, b"0123456789")
    assert connection.sock is first


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("HEAD", f"/{BUCKET}/key", None, 200),  # has the length of a body, but none
        ("DELETE", f"/{BUCKET}/gone", None, 204),  # has neither
        ("PUT", f"/{BUCKET}/other", b"x" * 3_000_000, 200),
        ("GET", f"/{BUCKET}/none", None, 404),
        ("PUT", "/_localaws/nothing", b"x" * 3_000_000, 404),  # nobody reads this body
    ],
)
def test_the_next_request_is_understood_after_any(connection, method, path, body, status):
    connection.connect()
    first = connection.sock
    assert answer(connection, method, path, body)[0] == status
    assert answer(connection, "GET", f"/{BUCKET}/key") == (200, b"0123456789")
    assert connection.sock is first


def test_the_head_and_the_body_of_an_answer_arrive_together(connection):
    for _ in range(20):
        connection.request("GET", f"/{BUCKET}/key", headers=SIGNED)
        assert connection.sock.recv(1000).endswith(b"\r\n\r\n0123456789")
        connection.close()


def test_a_body_in_chunks_is_read_to_its_end(connection):
    for _ in range(2):
        body = iter([b"one ", b"two"])
        connection.request("PUT", f"/{BUCKET}/chunks", body, SIGNED, encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    assert answer(connection, "GET", f"/{BUCKET}/chunks") == (200, b"one two")


def test_a_client_that_asks_whether_to_send_its_body_is_told_to(connection):
    connection.connect()
    connection.putrequest("PUT", f"/{BUCKET}/asked")
    for name, value in (SIGNED | {"Content-Length": "3", "Expect": "100-continue"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sock.sendall(b"abc")
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "many"}, {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b"}]
)
def test_a_request_that_can_not_be_read_has_an_answer(connection, headers):
    connection.request("GET", f"/{BUCKET}/key", headers=headers)
    assert connection.getresponse().status >= 400
    connection.close()
    assert answer(connection, "GET", f"/{BUCKET}/key") == (200, b"0123456789")


def test_a_connection_ends_where_its_client_wants_it(connection):
    connection.request("GET", f"/{BUCKET}/key", headers=SIGNED | {"Connection": "close"})
    assert connection.getresponse().read() == b"0123456789"
    assert connection.sock.recv(1) == b""


def test_open_connections_end_with_the_local_aws():
    run_forked("""
        import http.client
        from localaws.server import LocalAws

        with LocalAws() as aws:
            connection = http.client.HTTPConnection(aws.url.removeprefix("http://"))
            connection.request("GET", "/_localaws/ready")
            connection.getresponse().read()
            connection.sock.settimeout(10)
        assert connection.sock.recv(1) == b""
    """)


@pytest.mark.parametrize(
    ("header", "value"), [("Content-Length", "1000"), ("Transfer-Encoding", "chunked")]
)
def test_a_client_that_goes_away_in_the_middle_harms_nobody(connection, capfd, header, value):
    before = set(threading.enumerate())
    connection.putrequest("PUT", "/x")
    connection.putheader(header, value)
    connection.endheaders(b"5\r\nxyz")
    wait_for(lambda: set(threading.enumerate()) - before, "the connection's thread")
    served = set(threading.enumerate()) - before
    connection.close()
    wait_for(lambda: not any(thread.is_alive() for thread in served), "the end of its thread")
    assert answer(connection, "GET", f"/{BUCKET}/key") == (200, b"0123456789")
    assert capfd.readouterr().err == ""
