"""Secrets Manager's secrets in templates."""

from __future__ import annotations

import json
from typing import Any

from tests.support.localaws.stacks import create, delete, outputs, update


def template(**properties: Any) -> str:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": properties}
    return json.dumps({"Resources": {"Key": secret}, "Outputs": {"Key": {"Value": {"Ref": "Key"}}}})


def described(aws: Any, name: str) -> dict[str, Any]:
    return aws.client("secretsmanager").describe_secret(SecretId=name)


def text(aws: Any, name: str) -> str:
    return str(aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def test_a_secrets_text_is_made_up_as_the_template_says_and_stays(aws):
    wish = {"PasswordLength": 64, "ExcludePunctuation": True}
    stack = create(aws, template(Name="a/key", GenerateSecretString=wish))
    made = text(aws, "a/key")
    assert len(made) == 64
    assert made.isalnum()

    tags = [{"Key": "team", "Value": "a"}]
    update(aws, stack, template(Name="a/key", GenerateSecretString=wish, Tags=tags))

    assert text(aws, "a/key") == made
    assert described(aws, "a/key")["Tags"] == tags


def test_a_secrets_text_is_made_anew_where_the_wish_changes(aws):
    wish = {"SecretStringTemplate": '{"user": "jo"}', "GenerateStringKey": "password"}
    stack = create(aws, template(Name="b/key", GenerateSecretString=wish))
    before = json.loads(text(aws, "b/key"))
    assert before["user"] == "jo"

    update(aws, stack, template(Name="b/key", GenerateSecretString=wish | {"PasswordLength": 12}))

    after = json.loads(text(aws, "b/key"))
    assert (after["user"], len(after["password"])) == ("jo", 12)
    update(aws, stack, template(Name="b/key", SecretString="as given"))
    assert text(aws, "b/key") == "as given"


def test_a_deleted_secrets_name_is_free_at_once(aws):
    stack = create(aws, template(Name="c/key", GenerateSecretString={}))
    delete(aws, stack)
    again = create(aws, template(Name="c/key", GenerateSecretString={}))
    assert outputs(again)["Key"] == described(aws, "c/key")["ARN"]
    delete(aws, again)
