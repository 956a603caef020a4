"""SNS to HTTP endpoints on this machine."""

from __future__ import annotations

import datetime
import ipaddress
import json
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localaws.server import LocalAws
from tests.support.localaws.sns import Endpoint, Queue, attributes, served, topic
from tests.support.waiting import wait_for


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with served(Endpoint()) as listening:
        yield listening


def subscribe(aws: LocalAws, told: str, url: str, **settings: str) -> str:
    answer = aws.client("sns").subscribe(
        TopicArn=told,
        Protocol=url.partition(":")[0],
        Endpoint=url,
        Attributes=settings,
        ReturnSubscriptionArn=True,
    )
    return str(answer["SubscriptionArn"])


def test_an_endpoint_is_posted_the_envelope_with_the_headers_of_sns(
    aws: LocalAws, endpoint: Endpoint
) -> None:
    told = topic(aws)
    subscription = subscribe(aws, told, endpoint.url)
    message_id = aws.client("sns").publish(
        TopicArn=told, Subject="s", Message="é", MessageAttributes=attributes(kind="end")
    )["MessageId"]
    [(headers, body)] = endpoint.wait()
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == message_id
    assert headers["x-amz-sns-topic-arn"] == told
    assert headers["x-amz-sns-subscription-arn"] == subscription
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    envelope = json.loads(body)
    assert (envelope["Type"], envelope["MessageId"]) == ("Notification", message_id)
    assert (envelope["TopicArn"], envelope["Subject"], envelope["Message"]) == (told, "s", "é")
    assert envelope["MessageAttributes"] == {"kind": {"Type": "String", "Value": "end"}}
    assert envelope["UnsubscribeURL"].endswith(subscription)


def test_a_subscription_counts_as_confirmed_at_once(aws: LocalAws, endpoint: Endpoint) -> None:
    told = topic(aws)
    subscription = subscribe(aws, told, endpoint.url)
    answer = aws.client("sns").get_subscription_attributes(SubscriptionArn=subscription)
    assert answer["Attributes"]["PendingConfirmation"] == "false"
    aws.client("sns").publish(TopicArn=told, Message="m")
    endpoint.wait()
    assert len(endpoint.posts) == 1  # no SubscriptionConfirmation before it


def test_a_message_per_protocol_and_a_filter_policy_are_heeded(
    aws: LocalAws, endpoint: Endpoint
) -> None:
    told = topic(aws)
    subscribe(aws, told, endpoint.url, FilterPolicy='{"kind": ["end"]}')
    texts = json.dumps({"default": "d", "http": "for http", "https": "for https"})
    for kind in ("progress", "end"):
        aws.client("sns").publish(
            TopicArn=told,
            MessageStructure="json",
            Message=texts,
            MessageAttributes=attributes(kind=kind),
        )
    [(_, body)] = endpoint.wait()
    assert json.loads(body)["Message"] == "for http"


def test_raw_delivery_posts_the_message_alone(aws: LocalAws, endpoint: Endpoint) -> None:
    told = topic(aws)
    subscribe(aws, told, endpoint.url, RawMessageDelivery="true")
    aws.client("sns").publish(TopicArn=told, Message="m")
    [(headers, body)] = endpoint.wait()
    assert (headers["x-amz-sns-rawdelivery"], body) == ("true", "m")


def test_an_endpoint_that_is_down_for_a_while_gets_the_same_message_later(
    aws: LocalAws, endpoint: Endpoint
) -> None:
    told = topic(aws)
    subscribe(aws, told, endpoint.url)
    endpoint.statuses += [503, 429]
    aws.client("sns").publish(TopicArn=told, Message="m")
    posts = endpoint.wait(3)
    assert len({headers["x-amz-sns-message-id"] for headers, _ in posts}) == 1


def test_an_endpoint_that_stays_down_is_given_up_after_three_retries(
    aws: LocalAws, endpoint: Endpoint
) -> None:
    told, letters = topic(aws), Queue(aws)
    redrive = json.dumps({"deadLetterTargetArn": letters.arn})
    subscribe(aws, told, endpoint.url, RedrivePolicy=redrive)
    endpoint.statuses += [500] * 9
    aws.client("sns").publish(TopicArn=told, Message="m")
    assert letters.one()["Message"] == "m"
    assert len(endpoint.posts) == 4


@pytest.mark.parametrize("status", [404, 302])
def test_a_message_that_an_endpoint_refuses_is_not_tried_again(
    aws: LocalAws, endpoint: Endpoint, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    told = topic(aws)
    subscribe(aws, told, endpoint.url)
    endpoint.statuses += [status]
    message_id = aws.client("sns").publish(TopicArn=told, Message="m")["MessageId"]
    lost = f"{message_id} is lost to {endpoint.url}: HTTP status {status}"
    wait_for(lambda: lost in caplog.text, "the log")
    assert len(endpoint.posts) == 1


def test_the_publisher_does_not_wait_for_an_endpoint(aws: LocalAws) -> None:
    told = topic(aws)
    with served(Endpoint()) as gone:
        subscribe(aws, told, gone.url)
    assert aws.client("sns").publish(TopicArn=told, Message="m")["MessageId"]


def _certified(folder: Path) -> Path:
    """A certificate for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "localhost.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def test_an_https_endpoint_gets_its_own_text_where_its_certificate_is_trusted(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, endpoint, told = _certified(tmp_path), Endpoint(), topic(aws)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    endpoint.server.socket = context.wrap_socket(endpoint.server.socket, server_side=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    texts = json.dumps({"default": "d", "http": "for http", "https": "for https"})
    with served(endpoint):
        subscribe(aws, told, endpoint.url.replace("http:", "https:"))
        aws.client("sns").publish(TopicArn=told, MessageStructure="json", Message=texts)
        [(_, body)] = endpoint.wait()
    assert json.loads(body)["Message"] == "for https"


@pytest.mark.parametrize(
    ("protocol", "url", "why"),
    [
        ("https", "https://example.com/hook", "NotImplemented.*not on this machine"),
        ("https", "https://10.0.0.7/hook", "NotImplemented.*not on this machine"),
        ("http", "http://localhost.example.com/", "NotImplemented.*not on this machine"),
        ("https", "http://localhost/", "must match the specified protocol"),
        ("http", "http://", "must match the specified protocol"),
    ],
)
def test_an_endpoint_that_is_not_on_this_machine_is_refused(
    aws: LocalAws, protocol: str, url: str, why: str
) -> None:
    told = topic(aws)
    with pytest.raises(ClientError, match=why):
        aws.client("sns").subscribe(TopicArn=told, Protocol=protocol, Endpoint=url)
