"""What helps at 3 a.m.: the links, and the commands that put it right."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.deployment.operate import Action, ReleaseAction
from slipway.deployment.resolve_rollback import ManualRollback
from slipway.health.cause import Cause
from slipway.health.verdict import judge
from slipway.model import parse_written
from slipway.notices.next_steps import escaped_json
from slipway.notices.notice import ContainerLog
from slipway.release.resolve import ManualStart
from tests.support import shells
from tests.support.builders import (
    ACCOUNT,
    DIGEST,
    OLD,
    OPERATE,
    REGION,
    RELEASES,
    ROLLBACKS,
    SERVICE,
    alarm,
    at,
    image,
    observation,
    watch,
)
from tests.support.endings import (
    MANUAL_ROLLBACK,
    OUTCOMES,
    RELEASE,
    ending,
    failed_release,
    noticed,
    stage,
    start,
    stopped_release,
)

QUARANTINED = {"cause": Cause.QUARANTINED, "reason": "it was bad"}
# What gates and verdicts write, what they wrote once, and something else.
WORDINGS = (
    f"image {image()} is quarantined on service {SERVICE} since yesterday: it was bad",
    "alarm api-latency went to ALARM: too slow",
    "alarm api-latency is in ALARM: too slow",
    "manual rollback",
    "",
)
LOG = ContainerLog(container="app", task="t", group="/ecs/a b", stream="app/app/é", lines=())


def commands(news):
    """By title, the options of each command as a shell reads them."""
    return {command.title: options(command.command) for command in noticed(news).commands}


def options(command: str) -> dict[str, str]:
    words = shlex.split(command.replace("\\\n", ""))
    if words[1:3] == ["printf", "%s"]:
        given, pipe, *words = words[3:]
        assert pipe == "|"
        words = words[: words.index("$F")]
        assert words[:3] == ["aws", "lambda", "invoke"]
        return dict(zip(words[3::2], words[4::2], strict=True)) | {"given": given}
    assert words[:3] in (
        ["aws", "stepfunctions", "start-execution"],
        ["aws", "ecs", "update-service"],
    )
    return dict(zip(words[3::2], words[4::2], strict=True))


def started(news):
    """The state machine and the input of the only command."""
    [given] = commands(news).values()
    assert given.keys() == {"--region", "--state-machine-arn", "--input"}
    assert given["--region"] == REGION
    return given["--state-machine-arn"], json.loads(given["--input"])


def links(news, **observation):
    return {link.title: link.url for link in noticed(news, **observation).links}


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
        ("aws-new", "new-1", "new-1.console.aws.amazon.com"),
    ],
)
def test_the_links_lead_to_the_console_of_the_partition(partition, region, console):
    arn = f"arn:{partition}:states:{region}:{ACCOUNT}:execution:slipway:x"

    assert links(ending(execution=arn)) == {
        "execution": f"https://{console}/states/home?region={region}#/v2/executions/details/{arn}",
        "service health": f"https://{console}/ecs/v2/clusters/production/services/api/health?region={region}",
    }


def test_a_release_has_no_link_to_a_service():
    assert links(failed_release()).keys() == links(stage()).keys() == {"execution"}


def test_the_failed_containers_log_is_linked_by_the_names_that_the_console_reads():
    url = links(ending("ROLLED_BACK"), log=LOG)["log of app"]

    assert url.endswith(
        f"/cloudwatch/home?region={REGION}#logsV2:log-groups/log-group/$252Fecs$252Fa$2520b"
        "/log-events/app$252Fapp$252F$25C3$25A9"
    )


def test_a_log_in_another_region_is_linked_there():
    log = LOG.model_copy(update={"region": "us-west-2"})
    url = links(ending("ROLLED_BACK"), log=log)["log of app"]

    assert url.startswith(
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#"
    )


def test_a_log_whose_stream_is_not_known_is_not_linked():
    assert "log of app" not in links(ending(), log=LOG.model_copy(update={"stream": ""}))


def test_the_alarm_that_fired_is_linked():
    result = judge(
        observation(alarm("ALARM", name="api 5xx: too many")),
        watch(alarms=["api 5xx: too many"]),
        at(60),
    )
    found = links(ending("ROLLED_BACK", reason=result.reason, alarms_fired=result.alarms_fired))

    assert found["alarm api 5xx: too many"].endswith("#alarmsV2:alarm/api%205xx%3A%20too%20many")
    assert len(found) == 3


def test_no_more_alarms_are_linked_than_a_reader_can_check():
    fired = [f"a{n}" for n in range(9)]

    assert len(links(ending("REJECTED", alarms_fired=fired))) == 2 + 3


@pytest.mark.parametrize("cause", [None, *Cause])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_link_and_no_command_depends_on_the_wording_of_a_reason(outcome, cause):
    """Whatever gates, verdicts and ends say: it is the cause that decides."""
    facts = {"cause": cause, "alarms_fired": ("api-5xx",)}
    known = noticed(ending(outcome, **facts))
    for words in WORDINGS:
        notice = noticed(ending(outcome, **facts, reason=words, evidence=(words,)))

        assert (notice.links, notice.commands) == (known.links, known.commands)


@given(st.text(), st.text())
def test_no_name_breaks_out_of_a_link(cluster, name):
    for link in noticed(ending(service=f"{cluster}/{name}")).links:
        assert link.url.isascii()
        assert not set(link.url) & set(" <>\"'`|\\\n")


def test_a_link_that_no_browser_would_take_is_left_out():
    assert links(ending(service=f"a/{'b' * 3000}")).keys() == {"execution"}


@pytest.mark.parametrize("news", [start(), ending("SUCCEEDED")])
def test_the_command_of_a_start_and_of_a_success_starts_the_manual_rollback(news):
    assert list(commands(news)) == ["Roll back to shop-api:41"]
    machine, given = started(news)

    assert machine == ROLLBACKS
    wanted = ManualRollback.model_validate(given)
    assert (wanted.service, wanted.to) == (SERVICE, "shop-api:41")


def test_the_command_names_no_target_where_the_rollback_target_is_not_known():
    news = ending(rollback_target=None)

    assert list(commands(news)) == ["Roll back to the last good version before it"]
    assert started(news)[1] == {"service": SERVICE}


def test_a_rollback_that_failed_can_be_tried_once_more_or_be_given_up():
    again, forth = commands(ending("ROLLBACK_FAILED", cause=Cause.IMAGE)).items()

    assert again[0] == "Try again to roll back to shop-api:41"
    assert forth[0].startswith("Release shop/api:v2 from quarantine")


@pytest.mark.parametrize("outcome", ["SUPERSEDED", "NO_CHANGE", "LedgerNotWritten"])
def test_an_outcome_that_needs_no_person_has_no_command(outcome):
    assert commands(ending(outcome)) == {}


@pytest.mark.parametrize(
    "news",
    [
        ending("ROLLED_BACK", cause=Cause.IMAGE),
        ending("ROLLED_BACK", cause=Cause.ALARM),
        ending("ROLLED_BACK", **MANUAL_ROLLBACK),
        ending("REJECTED", **QUARANTINED),
    ],
)
def test_a_quarantined_image_has_a_command_that_releases_it_from_quarantine(news):
    title, given = next(iter(commands(news).items()))

    assert title == "Release shop/api:v2 from quarantine on production/api, if it was not to blame"
    assert (given["--region"], given["--function-name"]) == (REGION, OPERATE)
    assert given["--payload"] == "fileb:///dev/stdin"
    action = parse_written(Action, json.loads(given["given"]), "the action").root
    assert isinstance(action, ReleaseAction)
    assert (action.service, action.digest) == ("production/api", DIGEST)
    assert action.by == "$(aws sts get-caller-identity --query Arn --output text)"


def test_the_command_that_lifts_a_quarantine_prints_what_was_done_in_the_name_of_its_caller():
    news = ending("ROLLED_BACK", cause=Cause.IMAGE)
    [command] = noticed(news).commands

    ran = shells.operated(command.command, answer='{"done": "the image is \\"not\\" quarantined"}')

    assert (ran.code, ran.printed) == (0, 'the image is \\"not\\" quarantined\n')
    assert ran.asked == {
        "action": "release_from_quarantine",
        "service": "production/api",
        "digest": DIGEST,
        "by": shells.CALLER,
        "why": "it was not to blame",
    }
    assert ran.left == []


@pytest.mark.parametrize("error", [shells.REFUSAL, None], ids=["refused", "denied by AWS"])
def test_the_command_that_lifts_a_quarantine_fails_if_it_is_not_lifted(error):
    [command] = noticed(ending("ROLLED_BACK", cause=Cause.IMAGE)).commands

    ran = shells.operated(command.command, answer=error, error="Unhandled" if error else None)

    assert ran.code == 1
    assert ran.printed == ("the digest is not quarantined\n" if error else "\n")
    assert ran.left == []


def test_the_command_that_lifts_a_quarantine_can_be_pasted():
    [command] = noticed(ending("ROLLED_BACK", cause=Cause.IMAGE)).commands

    assert len(command.command) < 700


def test_an_image_that_was_just_rolled_back_is_not_offered_to_be_deployed_again():
    assert len(commands(ending("ROLLED_BACK", cause=Cause.IMAGE))) == 1


def test_an_image_that_was_rolled_back_for_want_of_capacity_can_be_deployed_again():
    news = ending("ROLLED_BACK", cause=Cause.CAPACITY)
    machine, given = started(news)

    assert (machine, given) == (RELEASES, {"repository": "shop/api", "digest": DIGEST})
    assert list(commands(news)) == [
        "Start the release of shop/api:v2 again, once ECS has a place for its tasks"
    ]


@pytest.mark.parametrize(
    ("cause", "when"),
    [
        (Cause.CAPACITY, "once ECS has a place for its tasks"),
        (Cause.INJECTED, "once the container that AWS adds runs again"),
        (Cause.UNREADABLE, "once the service and its alarms can be read"),
        (Cause.CONFIGURATION, "once what the reason names is corrected"),
        (
            Cause.TIMEOUT,
            "once its tasks become healthy within timeout_seconds of the plan, or with more of them",
        ),
        (Cause.ERROR, "once the cause is removed"),
    ],
)
def test_what_is_not_the_images_fault_says_what_to_do_before_it_is_deployed_again(cause, when):
    titles = list(commands(ending("ROLLED_BACK", cause=cause)))

    assert titles == [f"Start the release of shop/api:v2 again, {when}"]


@pytest.mark.parametrize(
    "cause", [Cause.CAPACITY, Cause.UNREADABLE, Cause.CONFIGURATION, Cause.TIMEOUT]
)
def test_a_rollback_that_failed_offers_no_release_from_a_quarantine_that_there_is_not(cause):
    titles = list(commands(ending("ROLLBACK_FAILED", cause=cause)))

    assert titles == ["Try again to roll back to shop-api:41"]


def test_an_unproven_version_has_the_commands_that_run_it_and_that_go_on_with_its_release():
    run, back, again = commands(ending("UNPROVEN", rollback_target=OLD)).items()

    assert run == (
        "Let production/api run a task",
        {
            "--region": REGION,
            "--cluster": "production",
            "--service": "api",
            "--desired-count": "1",
        },
    )
    assert back[0] == "Roll back to shop-api:41"
    assert again[0] == "Start the release of shop/api:v2 again, once the service runs tasks"
    assert json.loads(again[1]["--input"]) == {"repository": "shop/api", "digest": DIGEST}


def test_an_unproven_manual_rollback_has_no_command_that_deploys_what_it_abandons():
    titles = list(commands(ending("UNPROVEN", **MANUAL_ROLLBACK)))

    assert titles == ["Let production/api run a task", "Roll back to shop-api:41"]


def test_an_image_that_is_rejected_for_its_quarantine_has_a_command_that_deploys_it_by_force():
    news = ending("REJECTED", **QUARANTINED)
    _, forced = commands(news)

    assert (
        forced
        == "Or deploy shop/api:v2 in spite of the quarantine, which ends if the image is good"
    )
    given = commands(news)[forced]
    assert given["--state-machine-arn"] == RELEASES
    wanted = ManualStart.model_validate_json(given["--input"])
    assert (wanted.repository, wanted.digest, wanted.force) == ("shop/api", DIGEST, True)


@pytest.mark.parametrize("outcome", ["REJECTED", "FAILED"])
def test_a_release_that_changed_nothing_has_a_command_that_starts_it_again_with_every_gate(outcome):
    machine, given = started(ending(outcome))

    assert (machine, given) == (RELEASES, {"repository": "shop/api", "digest": DIGEST})
    [title] = commands(ending(outcome))
    assert title.startswith("Start the release of shop/api:v2 again, once")


def test_a_release_that_failed_can_be_started_again_by_its_tag():
    machine, given = started(failed_release(repository="shop/api", tag="v5"))

    assert (machine, ManualStart.model_validate(given).tag) == (RELEASES, "v5")
    assert started(failed_release(image=image()))[1] == {"repository": "shop/api", "tag": "v2"}


@pytest.mark.parametrize(
    ("outcomes", "when"),
    [
        (
            ["ROLLED_BACK"],
            "once the cause is removed, and the image is released from quarantine if it is in one",
        ),
        (["REJECTED"], "once the cause is removed"),
        (["ABORTED"], "once the cause is removed"),
        (["SUPERSEDED"], "if it is still wanted"),
        (["UNPROVEN"], "once its services run tasks"),
        (["SUPERSEDED", "REJECTED"], "once the cause is removed"),
    ],
)
def test_a_release_that_stopped_has_the_command_that_goes_on_with_the_same_image(outcomes, when):
    ends = [{"service": f"a/{one}", "outcome": one, "reason": "x"} for one in outcomes]
    news = stopped_release(outcome="FAILED", stopped_by=ends)
    machine, given = started(news)

    assert list(commands(news)) == [f"Go on with the release of shop/api:v2, {when}"]
    assert machine == RELEASES
    assert ManualStart.model_validate(given).digest == DIGEST


@pytest.mark.parametrize(
    "news",
    [
        failed_release(),
        failed_release(repository="shop/api"),
        failed_release(repository="shop/api", tag="v5", outcome="IGNORED"),
        failed_release(outcome="SUCCEEDED"),
        stage(),
        start(**MANUAL_ROLLBACK),
        ending("REJECTED", **MANUAL_ROLLBACK),
        ending("FAILED", **MANUAL_ROLLBACK),
        ending("FAILED", image=None),
        ending("ROLLED_BACK", **MANUAL_ROLLBACK | {"image": image(digest="")}),
    ],
)
def test_a_notice_has_no_command_where_none_would_help(news):
    assert commands(news) == {}


def test_a_command_that_is_too_long_to_be_typed_is_left_out():
    assert commands(failed_release(repository="shop/api", tag="v" * 2000)) == {}


@given(st.text(min_size=1, max_size=80))
def test_a_command_is_the_same_in_a_shell_whatever_a_tag_holds(tag):
    named = failed_release(repository="shop/api", tag="v1", execution=RELEASE)
    [command] = noticed(named.model_copy(update={"tag": tag})).commands

    assert json.loads(options(command.command)["--input"])["tag"] == tag
    assert command.command.replace(" \\\n  ", " ").isprintable()


@given(st.text())
def test_no_character_of_a_commands_input_means_anything_in_a_chat(text):
    written = escaped_json({"tag": text})

    assert json.loads(written) == {"tag": text}
    assert written.isascii()
    assert written.isprintable()
    assert not set(written) & set("<>&@#`'")
    assert "//" not in written
