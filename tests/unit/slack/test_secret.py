"""The secret: where it may be, what it may hold, and that an error names it without showing it."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.errors import SlipwayError
from slipway.slack.secret import Secret

CONTENTS = {
    "nothing": "neither an incoming webhook's URL",
    "xoxp-1-2": "another kind than a bot's",
    '{"token": "xoxb-1"}': "looks like JSON",
    "http://example.com/services/1": "neither",
    "https://[bad": "neither",
    "https:///services": "neither",
    "https://jo:secret@hooks.slack.com/services": "neither",
    "https://hooks.slack.com/ services": "neither",
}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_secret_without_a_webhook_or_a_bots_token_is_named_and_not_shown(content, secret):
    aws.secretsmanager().put_secret_value(SecretId=secret, SecretString=content)

    with pytest.raises(SlipwayError, match=CONTENTS[content]) as error:
        Secret(secret).read()
    assert secret in str(error.value)
    assert content not in str(error.value)


def test_a_binary_secret_is_refused(secret):
    aws.secretsmanager().put_secret_value(SecretId=secret, SecretBinary=b"xoxb-1")

    with pytest.raises(SlipwayError, match="is binary"):
        Secret(secret).read()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:none",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/none",
    ],
)
def test_a_secret_that_does_not_exist_is_named(arn, ledger):
    with pytest.raises(SlipwayError, match=f"NotFound.* {arn}"):
        Secret(arn).read()


def test_a_text_that_is_no_arn_of_a_secret_is_refused(ledger):
    with pytest.raises(SlipwayError, match=r"neither the ARN of a secret"):
        Secret("xoxb").read()


@pytest.mark.parametrize(
    ("name", "path"), [("/slipway/slack", "/slipway/slack"), ("slack", "/slack")]
)
def test_a_parameter_of_ssm_has_to_be_a_secure_string(name, path, ledger):
    ssm = aws.ssm()
    arn = f"arn:aws:ssm:eu-west-1:123456789012:parameter{path}"
    ssm.put_parameter(Name=name, Value=" xoxb-1-2\n", Type="SecureString")
    assert Secret(arn).read() == "xoxb-1-2"

    ssm.put_parameter(Name=name, Value="xoxb-1-2", Type="String", Overwrite=True)
    with pytest.raises(SlipwayError, match="no SecureString"):
        Secret(arn).read()


def test_a_secret_is_kept_for_some_minutes(secret):
    now = [0.0]
    client = aws.secretsmanager()
    client.put_secret_value(SecretId=secret, SecretString="xoxb-1")
    kept = Secret(secret, lambda: now[0])
    kept.read()
    client.put_secret_value(SecretId=secret, SecretString="xoxb-2")

    assert kept.read() == "xoxb-1"
    now[0] = 301
    assert kept.read() == "xoxb-2"
