"""A secret in a text from AWS: it is kept nowhere, and people read the rest of the text."""

from __future__ import annotations

import json

from slipway.redaction import MASK
from tests.support.account import Account
from tests.support.waiting import wait_for

SECRET = "Sw0rdf1sh9"
REASON = f"5 errors: could not log in with DB_PASSWORD={SECRET} at 10.0.0.1"


def test_a_secret_in_an_alarms_reason_is_neither_in_the_ledger_nor_in_an_execution(
    account: Account,
) -> None:
    shop = account.shop(tasks=1, alarms=("errors-of-{name}",))
    baking = shop.planned(shop.service, bake_seconds=60)
    shop.plan([{"name": "production", "services": [baking]}])
    shop.push("v2")
    wait_for(lambda: "HEALTHY" in shop.history()[-1]["steps"] if shop.history() else None, "a bake")
    account.aws.client("cloudwatch").set_alarm_state(
        AlarmName=shop.alarms[0], StateValue="ALARM", StateReason=REASON
    )

    deployment = shop.deployed("v2")

    release = shop.released("v2")
    client = account.aws.client("stepfunctions")
    pages = client.get_paginator("get_execution_history")
    kept = {
        "the ledger": account.table.scan(ConsistentRead=True)["Items"],
        "the emails": shop.mails(),
    } | {
        arn: [client.describe_execution(executionArn=arn), *pages.paginate(executionArn=arn)]
        for arn in (deployment.arn, release.arn)
    }
    texts = {where: json.dumps(what, default=str) for where, what in kept.items()}
    assert deployment.outcome == "ROLLED_BACK"
    assert [where for where, text in texts.items() if SECRET in text] == []
    assert [where for where, text in texts.items() if f"DB_PASSWORD={MASK}" not in text] == []
