"""A bot shows in Slack how the deployed pipeline goes: a message for each deployment, in order, once each."""

from __future__ import annotations

import itertools
import json

import requests

from localaws.sns import sns
from slipway.notices.notice import Notice
from tests.support.account import ENDED_SECONDS
from tests.support.channels import Channel, concurrency_of, mails_of_alarms, text_of, title
from tests.support.commands import Page
from tests.support.fake_slack import CHANNEL, TOKEN
from tests.support.localaws.event_sources import MAY_POLL
from tests.support.localaws.sns import let_sns_send
from tests.support.policies import actions, inline_policy
from tests.support.waiting import wait_for

PAGE = Page("notifications.md")


def test_one_message_goes_from_start_to_success_with_its_progress(bot: Channel) -> None:
    shop = bot.account.shop()
    shop.push("v2", behaviour="slow", start_seconds="5")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    post = bot.post_about(shop, "v2", "SUCCEEDED")
    updates = [c for c in bot.slack.done if c.body.get("ts") == post.ts]
    assert post.versions == len(updates) + 1
    said = [json.dumps(call.body["blocks"]) for call in updates]
    assert any("of 2 tasks" in text for text in said[:-1]), said
    assert [text for text, _ in itertools.groupby(said)] == said, "no update says the same again"
    ends = ["SUCCEEDED" in call.title for call in updates]
    assert ends == [False] * (len(updates) - 1) + [True], "nothing comes after the end"
    assert shop.service in text_of(post)


def test_the_evidence_of_a_failure_is_in_the_messages_thread_once(bot: Channel) -> None:
    shop = bot.account.shop()
    shop.push("v2", behaviour="crash", exit_code="3")
    assert shop.deployed("v2").outcome == "ROLLED_BACK"
    post = bot.post_about(shop, "v2", "ROLLED_BACK")
    assert "exited with code 3" in text_of(post), text_of(post)
    replies = wait_for(
        lambda: [r for r in bot.slack.in_thread(post.ts) if "exit code 3" in text_of(r)],
        "the evidence in the thread",
        ENDED_SECONDS,
    )
    assert len(replies) == 1
    assert len({text_of(r) for r in bot.slack.in_thread(post.ts)}) == len(
        bot.slack.in_thread(post.ts)
    )


def test_emails_say_nothing_of_progress(bot: Channel) -> None:
    shop = bot.account.shop()
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    wait_for(lambda: shop.mails(), "the email of the end", ENDED_SECONDS)
    kinds = [
        mail["attributes"]["kind"]
        for mail in sns.mails()
        if mail["attributes"].get("service") == shop.service
    ]
    assert kinds == ["start", "end"]


def test_each_of_several_stages_has_its_messages_in_order(bot: Channel) -> None:
    shop = bot.account.shop()
    second = f"{shop.cluster}/second-{shop.name}"
    shop.add_service(second)
    shop.plan(
        [
            {"name": "staging", "services": [shop.planned(shop.service)]},
            {"name": "production", "services": [shop.planned(second)]},
        ]
    )
    shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"

    def titles() -> list[str]:
        return [title(p) for p in bot.slack.in_channel if shop.name in title(p) + text_of(p)]

    wait_for(lambda: sum("SUCCEEDED" in t for t in titles()) == 2, "both ends", ENDED_SECONDS)
    deployments = [t for t in titles() if "SUCCEEDED" in t]
    assert shop.service in deployments[0]
    assert second in deployments[1]
    said = [call.title for call in bot.slack.done if "STAGE" in call.title]
    assert [text.partition(" STAGE ")[2] for text in said] == [
        f"1 of 2: staging, {shop.repository}:v2",
        f"2 of 2: production, {shop.repository}:v2",
    ]


def test_through_a_rate_limit_and_a_slack_that_is_down_for_a_while_the_end_is_notified(
    bot: Channel,
) -> None:
    shop = bot.account.shop()
    bot.slack.rate_limits = [1]
    bot.slack.hang_ups = 1
    bot.slack.unavailable = 3
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    bot.post_about(shop, "v2", "SUCCEEDED")
    refused = [call for call in bot.slack.calls if not call.done]
    assert {call.status for call in refused} >= {429, 503}


def test_while_slack_hangs_two_invocations_wait_for_it_and_deployments_go_on(bot: Channel) -> None:
    shops = [bot.account.shop() for _ in range(3)]
    function = bot.account.functions()["NotifySlack"]
    with concurrency_of(function) as notify_slack:
        with bot.slack.hanging():
            for shop in shops:
                shop.push("v2")
            assert [shop.deployed("v2").outcome for shop in shops] == ["SUCCEEDED"] * 3
            wait_for(lambda: notify_slack.running >= 2, "both invocations", ENDED_SECONDS)
            assert bot.queued() > 2
        for shop in shops:
            bot.post_about(shop, "v2", "SUCCEEDED")
    assert notify_slack.peak == 2
    assert bot.undelivered() == []


def test_a_wrong_token_leaves_the_deployment_alone_and_fires_the_alarm(bot: Channel) -> None:
    shop = bot.account.shop()
    before = len(mails_of_alarms())
    bot.slack.token = "xoxb-another"
    try:
        shop.push("v2")
        assert shop.deployed("v2").outcome == "SUCCEEDED"
        undelivered = bot.undelivered_about(shop)
        error = PAGE.run("why Slack did not get it")
        assert bot.secret in error
        assert "invalid_auth" in error
        assert "xoxb-" not in error + json.dumps(undelivered)
        wait_for(lambda: bot.alarm() == "ALARM", "the alarm", ENDED_SECONDS)
        mail = wait_for(lambda: mails_of_alarms()[before:], "the alarm's email", ENDED_SECONDS)[0]
        assert "UndeliveredSlack" in mail["subject"] + mail["text"]
        assert "docs/operations.md" in mail["text"]
        assert shop.service in PAGE.run("what Slack did not get")
        bot.slack.token = TOKEN
        PAGE.run("send it again")
        bot.post_about(shop, "v2", "SUCCEEDED")
    finally:
        bot.slack.token = TOKEN
        bot.mended()


def test_a_channel_that_does_not_exist_leaves_the_deployment_alone(bot: Channel) -> None:
    shop = bot.account.shop()
    bot.set(SLACK_CHANNEL="C9999999999")
    try:
        shop.push("v2")
        assert shop.deployed("v2").outcome == "SUCCEEDED"
        bot.undelivered_about(shop)
        assert "to channel C9999999999: channel_not_found" in bot.failures()
    finally:
        bot.set(SLACK_CHANNEL=CHANNEL)
        bot.mended()


def test_a_secret_that_is_missing_leaves_the_deployment_alone(bot: Channel) -> None:
    shop = bot.account.shop()
    missing = bot.secret[:-6] + "abcdef"
    bot.set(SLACK_SECRET=missing)
    try:
        shop.push("v2")
        assert shop.deployed("v2").outcome == "SUCCEEDED"
        bot.undelivered_about(shop)
        assert missing in bot.failures()
    finally:
        bot.set(SLACK_SECRET=bot.secret)
        bot.mended()


def test_an_address_can_ask_for_what_ended_badly_only(bot: Channel) -> None:
    shop = bot.account.shop()
    PAGE.run(
        "an address that gets only notices of bad ends",
        ADDRESS="boss@example.com",
    )
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    shop.push("v3", behaviour="crash")
    assert shop.deployed("v3").outcome == "ROLLED_BACK"
    assert shop.roll_back(to="v99").outcome == "REJECTED"

    def heard() -> list[str]:
        return [
            mail["attributes"]["outcome"]
            for mail in sns.mails()
            if mail["to"] == "boss@example.com" and shop.service in mail["subject"]
        ]

    wait_for(lambda: len(heard()) >= 2, "the emails of the bad ends", ENDED_SECONDS)
    assert heard() == ["ROLLED_BACK", "REJECTED"]


def test_a_queue_can_ask_for_the_ends_as_notices(bot: Channel) -> None:
    shop, sqs = bot.account.shop(), bot.aws.client("sqs")
    queue = sqs.create_queue(QueueName="ends")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    let_sns_send(bot.aws, asked["Attributes"]["QueueArn"])
    PAGE.run("a queue that gets every end", QUEUE_ARN=asked["Attributes"]["QueueArn"])
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    notice = Notice.model_validate_json(message["Body"])
    assert (notice.kind, notice.outcome, notice.service) == ("end", "SUCCEEDED", shop.service)


def test_the_secret_is_kept_and_replaced_as_the_page_says(bot: Channel) -> None:
    ssm = bot.aws.client("ssm")
    PAGE.run("or in SSM", SLACK="xoxb-1")
    kept = ssm.get_parameter(Name="/slipway/slack", WithDecryption=True)["Parameter"]
    assert (kept["Type"], kept["Value"]) == ("SecureString", "xoxb-1")
    secrets = bot.aws.client("secretsmanager")
    secrets.delete_secret(SecretId=bot.secret, ForceDeleteWithoutRecovery=True)
    made = PAGE.run("the secret", SLACK="xoxb-2").strip()
    PAGE.run("another token", SLACK="xoxb-3")
    assert secrets.get_secret_value(SecretId=made)["SecretString"] == "xoxb-3"


def test_every_command_of_the_page_was_run() -> None:
    PAGE.run("forget it")
    assert PAGE.not_run == set()


def test_the_template_allows_what_notifying_slack_needs_and_nothing_else(bot: Channel) -> None:
    names = {name: step for step, name in bot.account.functions().items()}
    calls = requests.get(f"{bot.aws.url}/_localaws/calls", timeout=10).json()
    used = {
        (step, permission)
        for call in calls
        for permission in call["permissions"]
        if (step := names[call["function"]]) in {"NotifySlack", "CheckDeployment"}
    }
    allowed = {
        action
        for statement in inline_policy(bot.account, "NotifySlack")[2]
        for action in actions(statement)
    }
    assert ("CheckDeployment", "sns:Publish") in used
    of_slack = {permission for step, permission in used if step == "NotifySlack"}
    # A secret is kept in one of two places; a key of one's own is not what it is encrypted with here.
    # Lambda, and not the function, receives the notices.
    assert allowed - of_slack == {"ssm:GetParameter", "kms:Decrypt", *MAY_POLL}
