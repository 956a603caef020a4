"""A second stack in the account needs a prefix of its own, and is told which stack has the one it wants."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.account import STACK, Account
from tests.support.deployed import TEMPLATE
from tests.support.localaws.stacks import change, finished, reasons
from tests.support.paths import REPO
from tools import sam

SECOND = "second"
REFUSED = "stack slipway has ParameterPrefix /slipway already: choose another ParameterPrefix for this stack."


def deployed(account: Account, prefix: str, kind: str = "CREATE") -> dict[str, Any]:
    """The second stack, after it was created or updated with this prefix."""
    url = f"https://s3.amazonaws.com/{sam.bucket(REPO)}/{TEMPLATE}"
    parameters = sam.parameters(REPO, "deploy", {"ParameterPrefix": prefix})
    return change(account.aws, SECOND, url, parameters, kind)


def holders(account: Account) -> dict[str, str]:
    """The names of the stacks that have one of these tests' prefixes, by prefix."""
    names = [f"{prefix}/slipway-stack" for prefix in ("/slipway", "/second", "/third")]
    found = account.aws.client("ssm").get_parameters(Names=names)["Parameters"]
    return {
        parameter["Name"].removesuffix("/slipway-stack"): parameter["Value"].split("/")[1]
        for parameter in found
    }


def test_a_second_stack_with_the_prefix_of_the_first_is_not_created(account: Account) -> None:
    dynamodb, cloudformation = account.aws.client("dynamodb"), account.aws.client("cloudformation")
    tables = dynamodb.list_tables()["TableNames"]
    second = deployed(account, "/slipway")
    assert second["StackStatus"] == "ROLLBACK_COMPLETE"
    assert REFUSED in reasons(account.aws, second)["Prefix"]
    assert dynamodb.list_tables()["TableNames"] == tables
    assert holders(account) == {"/slipway": STACK}
    cloudformation.delete_stack(StackName=SECOND)


@pytest.mark.exhaustive
def test_a_stack_keeps_its_prefix_until_it_has_another_and_frees_it_at_its_end(
    account: Account,
) -> None:
    assert deployed(account, "/second")["StackStatus"] == "CREATE_COMPLETE"
    assert holders(account) == {"/slipway": STACK, "/second": SECOND}

    refused = deployed(account, "/slipway", "UPDATE")
    assert refused["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert REFUSED in reasons(account.aws, refused)["Prefix"]
    assert holders(account) == {"/slipway": STACK, "/second": SECOND}

    assert deployed(account, "/third", "UPDATE")["StackStatus"] == "UPDATE_COMPLETE"
    assert holders(account) == {"/slipway": STACK, "/third": SECOND}

    account.aws.client("cloudformation").delete_stack(StackName=SECOND)
    assert finished(account.aws, refused["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert holders(account) == {"/slipway": STACK}
