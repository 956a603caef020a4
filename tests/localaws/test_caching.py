"""The key pairs that localaws/caching.py saves, and those that it must not."""

from __future__ import annotations

import pytest
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

from localaws.aws import ACCOUNT, REGION
from localaws.server import LocalAws


def test_all_subscriptions_sign_their_messages_with_the_same_key(aws: LocalAws) -> None:
    sns, queues = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="signed")["TopicArn"]
    for name in ("one", "two"):
        queues.create_queue(QueueName=f"signed-{name}")
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:signed-{name}"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    found = sns_backends[ACCOUNT][REGION].subscriptions.values()
    keys = [each.private_key() for each in found if each.topic.arn == topic]
    assert len(keys) == 2
    assert keys[0] is keys[1]


def test_a_symmetric_key_encrypts_and_has_no_key_pair(aws: LocalAws) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    secret = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"
    assert kms_backends[ACCOUNT][REGION].keys[key].private_key is None


@pytest.mark.parametrize(
    ("spec", "algorithm"), [("RSA_2048", "RSASSA_PSS_SHA_256"), ("ECC_NIST_P256", "ECDSA_SHA_256")]
)
def test_an_asymmetric_key_signs_with_its_own_key_pair(
    aws: LocalAws, spec: str, algorithm: str
) -> None:
    kms = aws.client("kms")
    key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    signing = {"KeyId": key, "Message": b"text", "SigningAlgorithm": algorithm}
    signature = kms.sign(**signing)["Signature"]
    assert kms.verify(**signing, Signature=signature)["SignatureValid"]
    assert kms.get_public_key(KeyId=key)["PublicKey"]
