"""Every thing that rolling back may find."""

from __future__ import annotations

import json

import pytest

from slipway import aws
from slipway.deployment.go_back import Going, go_back
from slipway.ecs.rollback import RollBackAction
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput, NoTarget
from slipway.ledger.ledger import Ledger
from tests.support.asked import quarantined_by_ada
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    SERVICE,
    THEIRS,
    URI,
    accepted,
    at,
    claim,
    good,
    update,
)
from tests.support.ecs_answers import (
    before,
    container,
    defined,
    described,
    ecs_deployment,
    registered,
    revisions,
    updated,
)
from tests.support.ledgers import Directly

IN_PROGRESS = ecs_deployment(rolloutState="IN_PROGRESS")
ANEW = OTHER
"""The rollback target, registered once more."""


@pytest.fixture(autouse=True)
def ours(ledger):
    """This deployment has claimed the service and begun."""
    accepted(ledger, "e-1")
    return ledger


def back(ecs, updated=True, rollback_target=OLD, replaced=OLD):
    """From NEW, which was put there at NOW."""
    return rolled_back(ecs, [NEW], rollback_target, replaced, updated)


def rolled_back(ecs, abandoned, rollback_target, replaced, updated, **known):
    """By default, an update that is known to have been done is known by its time, too."""
    going = {
        "claim": claim(),
        "abandoned": tuple(abandoned),
        "rollback_target": rollback_target,
        "replaced": replaced,
        "updated": updated,
        "update": update() if updated else None,
        "answer_lost": False,
        "entered_at": at(45),
        "since": NOW,
    }
    ledger, chosen = Ledger(Directly()), known.pop("chosen", rollback_target)
    ledger.note(claim(), "BeginDeployment", NOW, rollback_target=chosen)
    now = known.pop("now", at(60))
    return go_back(Going(**going | known), now, ledger, ecs.client, aws.ecr())


def has(ecs, task_definition, *others):
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=task_definition), *others)


def test_the_rollback_target_is_put_on_the_service_with_the_deployment_to_watch(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    updated(ecs, OLD, id=THEIRS, createdAt=at(60))

    done = back(ecs)

    assert (done.action, done.reason) == (RollBackAction.UPDATED, "shop-api:41 was put back")
    assert done.task_definition == OLD
    assert (done.update.deployment_id, done.update.started_at) == (THEIRS, at(60))


def test_an_unproven_version_of_another_deployment_is_abandoned_too(ecs):
    described(ecs, ecs_deployment(taskDefinition=OTHER))
    defined(ecs)
    updated(ecs, OLD)

    done = rolled_back(ecs, [NEW, OTHER], OLD, OLD, False)

    assert done.action is RollBackAction.UPDATED


def test_the_rollback_target_is_put_back_even_where_the_answer_of_the_update_was_lost(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs)
    updated(ecs, OLD)

    assert back(ecs, updated=False).action is RollBackAction.UPDATED


def test_an_unproven_version_of_another_deployment_is_abandoned_though_our_own_is_the_target(ecs):
    described(ecs, ecs_deployment(taskDefinition=OTHER))
    defined(ecs, taskDefinitionArn=NEW)
    updated(ecs, NEW)

    done = rolled_back(ecs, [NEW, OTHER], NEW, OLD, False)

    assert (done.action, done.task_definition) == (RollBackAction.UPDATED, NEW)


@pytest.mark.parametrize("status", ["INACTIVE", "DELETE_IN_PROGRESS"])
def test_a_deregistered_rollback_target_is_put_back_as_a_new_revision_of_the_same_content(
    ecs, status
):
    described(ecs, IN_PROGRESS)
    defined(ecs, status=status)
    revisions(ecs)
    registered(ecs, ANEW)
    updated(ecs, ANEW)

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.UPDATED, ANEW)
    assert done.reason == "shop-api:43 was put back"


def test_a_rollback_target_that_an_earlier_try_registered_anew_and_put_back_is_watched(ecs):
    has(ecs, ANEW, ecs_deployment(status="ACTIVE"))
    defined(ecs, asked=ANEW, taskDefinitionArn=ANEW)
    defined(ecs, asked=OLD, status="INACTIVE")

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.ALREADY_ROLLED_BACK, ANEW)
    assert done.reason == "shop-api:43 had been put back already"
    assert done.update.deployment_id == THEIRS


def test_a_rollback_target_that_the_circuit_breaker_put_back_is_watched_and_not_updated(ecs):
    """Whether it was deregistered does not matter, and is not asked."""
    described(ecs, ecs_deployment(id=THEIRS, taskDefinition=OLD, rolloutState="IN_PROGRESS"))

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.ALREADY_ROLLED_BACK, OLD)
    assert done.reason == "shop-api:41 had been put back already"
    assert done.update.deployment_id == THEIRS


def test_a_version_that_is_not_good_is_abandoned_though_the_circuit_breaker_restored_it(ecs):
    has(ecs, OTHER)
    defined(ecs, asked=OLD)
    updated(ecs, OLD)

    assert back(ecs, replaced=OTHER).action is RollBackAction.UPDATED


def test_a_rollback_whose_answer_was_lost_is_watched_by_its_retry(ecs):
    """Though UpdateService had failed, as far as anyone knows: our tasks are still draining."""
    has(ecs, OLD, ecs_deployment(status="ACTIVE", taskDefinition=NEW))

    done = back(ecs, updated=False)

    assert done.action is RollBackAction.ALREADY_ROLLED_BACK
    assert done.update.deployment_id == THEIRS


@pytest.mark.parametrize(
    "on", [OLD, OTHER], ids=["settled before", "during a service deployment before"]
)
@pytest.mark.parametrize("rollback_target", [OLD, NEW])
def test_an_update_that_never_reached_the_service_leaves_nothing_to_roll_back(
    ecs, on, rollback_target
):
    has(ecs, on)

    done = back(ecs, updated=False, rollback_target=rollback_target)

    assert done.action is RollBackAction.NOTHING_CHANGED
    assert done.reason == f"service production/api has {on.rpartition('/')[2]}, as before"
    assert (done.task_definition, done.update) == (on, None)


@pytest.mark.parametrize("rollback_target", [OLD, NEW])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_a_task_definition_that_someone_else_put_on_the_service_is_left_alone(
    ecs, rollback_target, status
):
    has(ecs, OTHER)
    defined(ecs, container(image="x:1"), asked=OTHER, taskDefinitionArn=OTHER)
    defined(ecs, asked=rollback_target, taskDefinitionArn=rollback_target, status=status)

    done = back(ecs, rollback_target=rollback_target)

    assert done.action is RollBackAction.SUPERSEDED
    assert done.reason == "service production/api was changed to shop-api:43 by someone else"
    assert (done.task_definition, done.update) == (OTHER, None)


@pytest.mark.parametrize("known", [True, False], ids=["updated", "perhaps updated"])
def test_a_service_that_never_was_healthy_has_no_rollback_target(ecs, known):
    described(ecs, IN_PROGRESS)

    with pytest.raises(
        NoTarget,
        match=r"service production/api is not known .* than shop-api:42: .* nothing to go back to$",
    ):
        back(ecs, updated=known, rollback_target=NEW)


def test_a_list_from_before_the_update_is_read_again(ecs):
    described(ecs, before(status="PRIMARY"))

    with pytest.raises(
        AwsUnavailable, match=r"still answers as of the time when it had shop-api:41$"
    ):
        back(ecs)


def test_a_version_that_was_on_the_service_before_its_deployment_began_is_rolled_back(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs)
    updated(ecs, OLD)

    done = rolled_back(ecs, [NEW], OLD, OLD, True, update=update(started_at=at(5)))

    assert done.action is RollBackAction.UPDATED


def test_after_a_lost_answer_a_service_without_our_version_is_read_again_for_a_while(ecs):
    has(ecs, OLD)

    with pytest.raises(AwsUnavailable, match=r"answer of ecs:UpdateService on .* was lost"):
        rolled_back(ecs, [NEW], OLD, OLD, False, answer_lost=True, entered_at=at(46))


def test_after_a_while_a_lost_update_counts_as_not_done(ecs):
    has(ecs, OLD)

    done = rolled_back(ecs, [NEW], OLD, OLD, False, answer_lost=True, entered_at=at(45))

    assert done.action is RollBackAction.NOTHING_CHANGED


def test_after_a_lost_answer_a_service_with_our_version_is_rolled_back_at_once(ecs):
    described(ecs, IN_PROGRESS, before())
    defined(ecs)
    updated(ecs, OLD)

    done = rolled_back(ecs, [NEW], OLD, OLD, False, answer_lost=True, entered_at=at(984))

    assert done.action is RollBackAction.UPDATED


def test_a_service_that_is_gone_is_named(ecs):
    ecs.answers("describe_services", {"services": []})

    with pytest.raises(InvalidInput, match="cluster production has no service api"):
        back(ecs)


def test_a_rollback_that_is_denied_names_action_and_service(ecs):
    described(ecs, IN_PROGRESS)
    defined(ecs)
    ecs.refuses("update_service", "AccessDeniedException")

    with pytest.raises(AwsRefused, match="ecs:UpdateService on service production/api"):
        back(ecs)


# --- a good version that can start ------------------------------------------------------------------

OLDEST = OLD.replace(":41", ":40")
OLDEST_DIGEST = "sha256:" + "ef" * 32
MEANWHILE = f"{URI}@{OLD_DIGEST}"
OLDEST_IMAGE = f"{URI}@{OLDEST_DIGEST}"


def proved(*versions):
    """These versions are good on the service, the newest first."""
    aws.table().put_item(
        Item={
            "pk": SERVICE,
            "sk": "state#versions",
            "good": [version.to_json() for version in versions],
        }
    )


@pytest.fixture
def two_good(ours):
    """OLD, to which the deployment would go back, and an older one."""
    proved(good(OLD), good(OLDEST, OLDEST_DIGEST, at=at(-7200)))
    return ours


def copied(ledger, arn=OLD):
    """The ledger keeps a copy of a good version."""
    key = {"pk": f"definitions#{SERVICE}", "sk": arn}
    content = {"family": "shop-api", "tags": [], "containerDefinitions": [container()]}
    aws.table().put_item(Item={**key, "content": json.dumps(content)})


def deleted(ecs):
    ecs.refuses(
        "describe_task_definition", "ClientException", "Unable to describe task definition."
    )


def goes_to_the_oldest(ecs):
    defined(ecs, container(image=OLDEST_IMAGE), asked=OLDEST, taskDefinitionArn=OLDEST)
    updated(ecs, OLDEST)


def test_the_next_older_good_version_is_put_back_if_the_image_of_the_target_is_gone(
    ecs, two_good, gone
):
    """A lifecycle policy of ECR may delete images that are in use (containers-roadmap#1078)."""
    gone.add(MEANWHILE)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    goes_to_the_oldest(ecs)

    done = back(ecs)

    assert (done.action, done.reason) == (RollBackAction.UPDATED, "shop-api:40 was put back")
    assert (done.other_target, dict(done.images)) == (OLDEST, {"api": OLDEST_IMAGE})
    [why] = done.passed_over
    assert why == f"shop-api:41 can't start: ECR no longer has its image api@{OLD_DIGEST}"
    record = two_good.deployment(claim())
    assert (record.rollback_target, record.good_target.digest) == (OLDEST, OLDEST_DIGEST)


def test_a_target_whose_task_definition_was_deleted_is_registered_anew_from_the_ledgers_copy(
    ecs, ours
):
    copied(ours)
    described(ecs, IN_PROGRESS, before())
    deleted(ecs)
    revisions(ecs)
    registered(ecs, ANEW)
    updated(ecs, ANEW)

    done = back(ecs)

    assert (done.action, done.task_definition) == (RollBackAction.UPDATED, ANEW)
    assert (done.other_target, done.passed_over) == (None, ())


def test_a_target_that_an_earlier_try_registered_anew_from_the_ledgers_copy_is_watched(ecs, ours):
    copied(ours)
    has(ecs, ANEW, ecs_deployment(status="ACTIVE"))
    defined(ecs, asked=ANEW, taskDefinitionArn=ANEW)
    deleted(ecs)

    assert back(ecs).action is RollBackAction.ALREADY_ROLLED_BACK


def test_what_someone_else_put_there_is_left_alone_though_the_target_was_deleted(ecs):
    has(ecs, OTHER)
    defined(ecs, asked=OTHER, taskDefinitionArn=OTHER)
    deleted(ecs)

    assert back(ecs).action is RollBackAction.SUPERSEDED


def test_the_next_older_good_version_is_put_back_if_the_target_was_deleted_without_a_copy(
    ecs, two_good
):
    described(ecs, IN_PROGRESS, before())
    deleted(ecs)
    goes_to_the_oldest(ecs)

    done = back(ecs)

    assert done.other_target == OLDEST
    assert done.passed_over == (
        "shop-api:41 can't start: its task definition was deleted, and the ledger has no copy of it",
    )


def refuses_to_register(ecs):
    defined(ecs, asked=OLD, status="INACTIVE")
    revisions(ecs)
    ecs.refuses("register_task_definition", "ClientException", "Role is not valid")


def refuses_to_update(ecs):
    defined(ecs, asked=OLD)
    ecs.refuses("update_service", "InvalidParameterException", "Role is not valid")


@pytest.mark.parametrize("refuses", [refuses_to_register, refuses_to_update])
def test_a_version_that_ecs_refuses_is_passed_over_at_once(ecs, two_good, refuses):
    """To try it again for minutes would leave the bad version there for minutes."""
    described(ecs, IN_PROGRESS, before())
    refuses(ecs)
    goes_to_the_oldest(ecs)

    done = back(ecs)

    assert done.other_target == OLDEST
    [why] = done.passed_over
    assert why.startswith("shop-api:41 can't start: ")
    assert why.endswith("Role is not valid")


def test_a_version_is_not_passed_over_while_ecs_does_not_answer(ecs, two_good):
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    ecs.refuses("update_service", "ServerException", status=500)

    with pytest.raises(AwsUnavailable):
        back(ecs)

    assert two_good.deployment(claim()).rollback_target == OLD


def test_what_the_service_ran_before_comes_last(ecs, two_good, gone):
    gone |= {MEANWHILE, OLDEST_IMAGE}
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    defined(ecs, container(image=OLDEST_IMAGE), asked=OLDEST, taskDefinitionArn=OLDEST)
    defined(ecs, container(image="x:1"), asked=OTHER, taskDefinitionArn=OTHER)
    updated(ecs, OTHER)

    done = back(ecs, replaced=OTHER)

    assert (done.other_target, len(done.passed_over)) == (OTHER, 2)
    assert two_good.deployment(claim()).good_target is None


def test_without_a_version_that_can_start_it_says_at_once_why_each_of_them_can_not(
    ecs, two_good, gone
):
    gone.add(MEANWHILE)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    deleted(ecs)

    with pytest.raises(
        NoTarget,
        match=r"^there is no version that service production/api could go back to: shop-api:41 can't start: "
        r"ECR no longer has .*; shop-api:40 can't start: its task definition was deleted",
    ):
        back(ecs)


def test_a_version_that_an_earlier_try_chose_and_put_back_is_watched(ecs, two_good):
    """Its answer was lost. It is neither the target nor somebody else's change."""
    has(ecs, OLDEST, ecs_deployment(status="ACTIVE"))

    done = rolled_back(ecs, [NEW], OLD, OLD, True, chosen=OLDEST)

    assert (done.action, done.other_target) == (RollBackAction.ALREADY_ROLLED_BACK, OLDEST)


def test_a_target_that_was_quarantined_since_comes_after_the_other_good_versions(ecs, two_good):
    quarantined_by_ada(OLD_DIGEST)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    goes_to_the_oldest(ecs)

    done = back(ecs)

    assert done.other_target == OLDEST
    assert done.passed_over == ("shop-api:41 has an image that is quarantined",)


def test_a_quarantined_target_is_put_back_if_nothing_else_can_start(ecs, two_good, gone):
    """It was good once, which is better than what has just failed."""
    quarantined_by_ada(OLD_DIGEST)
    gone.add(OLDEST_IMAGE)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    defined(ecs, container(image=OLDEST_IMAGE), asked=OLDEST, taskDefinitionArn=OLDEST)
    updated(ecs, OLD)

    done = back(ecs)

    assert (done.task_definition, done.other_target) == (OLD, None)


def test_another_version_with_a_quarantined_image_is_no_target(ecs, two_good, gone):
    """Its release was of another repository."""
    gone.add(MEANWHILE)
    quarantined_by_ada(DIGEST)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    both = (container(image=OLDEST_IMAGE), container(name="admin", image=f"{URI}@{DIGEST}"))
    defined(ecs, *both, asked=OLDEST, taskDefinitionArn=OLDEST)

    with pytest.raises(NoTarget, match=r"shop-api:40 has an image that is quarantined$"):
        back(ecs)


def test_a_person_may_go_back_to_a_quarantined_version(ecs, two_good):
    quarantined_by_ada(OLD_DIGEST)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    updated(ecs, OLD)

    assert rolled_back(ecs, [NEW], OLD, None, True, manual_rollback=True).task_definition == OLD


def test_a_manual_rollback_goes_to_no_newer_version_than_its_target(ecs, ours, gone):
    newer = good(OTHER, "sha256:" + "0b" * 32, at=at(-60))
    proved(newer, good(OLD), good(OLDEST, OLDEST_DIGEST, at=at(-7200)))
    gone.add(MEANWHILE)
    described(ecs, IN_PROGRESS, before())
    defined(ecs, asked=OLD)
    goes_to_the_oldest(ecs)

    assert rolled_back(ecs, [NEW], OLD, None, True, manual_rollback=True).other_target == OLDEST


def test_a_copy_that_can_not_be_read_counts_as_none(ecs, ours):
    key = {"pk": f"definitions#{SERVICE}", "sk": OLD}
    aws.table().put_item(Item={**key, "content": "no JSON"})
    described(ecs, IN_PROGRESS, before())
    deleted(ecs)

    with pytest.raises(NoTarget, match="the ledger has no copy of it"):
        back(ecs)
