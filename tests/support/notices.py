"""Notices of every kind by name, from which the golden files of emails and Slack messages are made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.health.cause import Cause
from slipway.health.failed_tasks import Failed
from slipway.image import Image
from slipway.ledger.records import ClaimId
from slipway.notices.compose import notice_of
from slipway.notices.current_state import CurrentState
from slipway.notices.news import News
from slipway.notices.notice import ContainerLog, Kind, Notice, Running, Tasks
from slipway.notices.own_alarms import alarm_notice

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ACCOUNT = "123456789012"
SERVICE = "production/api"
OPERATE = "slipway-Operate-1A2B3C4D5E6F"
NAME = "production-api-v2-0123456789abcdef"
MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:slipway-deployment"
EXECUTION = f"{MACHINE.replace('stateMachine', 'execution')}:{NAME}"
RELEASE = EXECUTION.replace("-deployment:", "-release:").replace(NAME, "0f1e2d3c-release")
FAMILY = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/shop-api"
CLAIM = ClaimId(service=SERVICE, deployment=f"2026-11-22T03:00:00.000Z#{NAME}", execution=EXECUTION)
ABOUT = f"{CLAIM.service}#{CLAIM.deployment}"
URI = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/api"
IMAGE = Image(repository="shop/api", uri=URI, digest="sha256:" + "ab" * 32, tag="v2")
OLD = f"{URI}@sha256:" + "cd" * 32
TASK = "0123456789abcdef0123456789abcdef"
FAILED = Failed(task_definition=f"{FAMILY}:42", task=TASK, container="app")
LOG = ContainerLog(
    container="app",
    task=TASK,
    group="/ecs/production/api",
    stream=f"app/app/{TASK}",
    lines=(
        "2026-11-22T03:01:12Z INFO  starting shop-api v2 on :8080",
        "2026-11-22T03:01:12Z INFO  DB_HOST=db.internal DB_PASSWORD=*****",
        "2026-11-22T03:01:17Z ERROR dial tcp 10.0.3.17:5432: connect: connection refused",
        "panic: no database",
        "",
        "goroutine 1 [running]:",
        "main.main()",
        "        /src/cmd/api/main.go:41 +0x1d4",
    ),
)
EXITED = "Essential container in task exited; container app, exit code 1"


def runs(revision: int, image: str = OLD.removeprefix(f"{URI.partition('/')[0]}/")) -> CurrentState:
    """A service whose two tasks run this revision."""
    tasks = Tasks(desired=2, healthy=2)
    return CurrentState(
        running=Running(task_definition=f"shop-api:{revision}", images={"app": image}, tasks=tasks)
    )


def deployment_notice(
    outcome: str | None, reason: str = "", state: CurrentState | None = None, **changes: Any
) -> Notice:
    """The notice of the deployment of shop/api:v2 on production/api, three minutes after its start."""
    defaults: dict[str, Any] = {
        "claim": CLAIM,
        "execution": EXECUTION,
        "service": SERVICE,
        "stage": "production",
        "image": IMAGE,
        "started_by": "push",
        "task_definition": f"{FAMILY}:42",
        "rollback_target": f"{FAMILY}:41",
        "rollback_target_images": {"app": OLD},
    }
    news = News(outcome=outcome, reason=reason, **defaults | changes)
    begun = news.kind == "start" or news.outcome == "REJECTED"
    return notice_of(
        news, state or CurrentState(), AT if begun else AT + timedelta(minutes=3), OPERATE
    )


def of_deployment(kind: Kind, **facts: Any) -> Notice:
    """A notice of the same deployment, with only the facts that CheckDeployment has."""
    known: dict[str, Any] = {"about": ABOUT, "at": AT, "service": SERVICE, "execution": EXECUTION}
    return Notice(kind=kind, **known | facts)


def of_release(outcome: str | None, reason: str = "", **changes: Any) -> Notice:
    """The notice of a release of shop/api."""
    defaults: dict[str, Any] = {"execution": RELEASE, "repository": "shop/api", "tag": "v2"}
    return notice_of(
        News(outcome=outcome, reason=reason, **defaults | changes), CurrentState(), AT, OPERATE
    )


def of_alarm(name: str, state: str = "ALARM", reason: str = "") -> Notice:
    """The notice that the alarm with this name is in this state; ``reason`` is CloudWatch's."""
    over = "0.0 was not" if state == "OK" else "1.0 was"
    crossed = f"Threshold Crossed: 1 datapoint [{over} greater than the threshold (0.0)]."
    return alarm_notice(
        {
            "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": ACCOUNT,
            "time": AT.isoformat(),
            "region": "eu-west-1",
            "resources": [f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:{name}"],
            "detail": {"alarmName": name, "state": {"value": state, "reason": reason or crossed}},
        }
    )


MANUAL_ROLLBACK: dict[str, Any] = {
    "stage": None,
    "started_by": "manual rollback",
    "by": "jo",
    "task_definition": None,
    "rollback_target_tag": "v1",
}
GATES = (
    "no newer release has claimed the service",
    "its image is not quarantined",
    "no freeze is in force",
    "1 of its 2 alarms is not firing",
)
NOT_FOUND = (
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
    f"{IMAGE.reference}: not found (task {TASK})"
)
BAD_GATEWAY = (
    f"task {TASK} is unhealthy in target group api (Target.ResponseCodeMismatch: Health checks failed with "
    "these codes: [502])"
)
NO_PLACE = "(service api) was unable to place a task because no container instance met all its requirements."
CROSSED = "Threshold Crossed: 1 datapoint [17.0 (22/11/26 03:01:00)] was greater than the threshold (5.0)."
UNREADABLE = ContainerLog(
    container="app",
    task=TASK,
    group="/ecs/production/api",
    stream=f"app/app/{TASK}",
    lines=(),
    problem=(
        "AccessDeniedException from logs:GetLogEvents on log group /ecs/production/api: no identity-based "
        "policy allows it"
    ),
)
MARKUP = "<!channel> *x* `y` [a](http://evil.example) 'q' \"$(reboot)\""
HOSTILE = f"\u202ev2\u200b\x1b[31m{MARKUP}\r\nLINKS\n  @here"

NOTICES: dict[str, Notice] = {
    "start": deployment_notice(
        None,
        kind="start",
        task_definition=None,
        gates=GATES,
        alarms_firing=("api-latency",),
        started_by="manual start",
        by="jo",
    ),
    "start_of_manual_rollback": deployment_notice(None, kind="start", **MANUAL_ROLLBACK),
    "stage": of_release(
        None,
        kind="stage",
        stage="production",
        stage_number=2,
        stage_count=2,
        services=("production/api", "production/worker"),
        image=IMAGE,
        started_by="push",
    ),
    "progress": of_deployment(
        Kind.PROGRESS,
        at=AT + timedelta(minutes=1),
        title=SERVICE,
        reason="1 of 2 tasks healthy",
        tasks=Tasks(desired=2, healthy=1),
    ),
    "succeeded": deployment_notice(
        "SUCCEEDED",
        "every task is healthy",
        runs(42, f"shop/api@{IMAGE.digest}"),
        evidence=("ECS says: ECS deployment ecs-svc/4055011169962135182 completed.",),
    ),
    "draining": deployment_notice(
        "SUCCEEDED",
        "every task is healthy; 1 old task still draining, 2 old tasks still protected",
        runs(42, f"shop/api@{IMAGE.digest}"),
        evidence=(
            (
                "service production/api was changed to shop-api:41 after shop-api:40 had been copied; the "
                "copy is made again, so that this change stays"
            ),
        ),
    ),
    "unproven": deployment_notice(
        "UNPROVEN",
        "no task runs, because the desired count of the service is 0",
        runs(42, f"shop/api@{IMAGE.digest}").model_copy(
            update={
                "running": Running(
                    task_definition="shop-api:42",
                    images={"app": f"shop/api@{IMAGE.digest}"},
                    tasks=Tasks(desired=0, healthy=0),
                )
            }
        ),
    ),
    "no_capacity": deployment_notice(
        "ROLLED_BACK",
        f"not healthy after 1800 seconds: 0 of 2 tasks are running; ECS says: {NO_PLACE}",
        runs(41),
        evidence=("0 of 2 tasks are running", f"ECS says: {NO_PLACE}"),
        cause=Cause.CAPACITY,
    ),
    "crashed": deployment_notice(
        "ROLLED_BACK",
        "2 tasks of container app exited with code 1",
        runs(41).model_copy(update={"log": LOG}),
        evidence=(
            f"stopped: {EXITED} (2 tasks, the last one {TASK})",
            "0 of 2 tasks are running",
            "ECS's service deployment is IN_PROGRESS",
        ),
        failed=FAILED,
        cause=Cause.IMAGE,
    ),
    "unpullable": deployment_notice(
        "ROLLED_BACK",
        f"a task can never start: {NOT_FOUND}",
        runs(41),
        evidence=(f"stopped: {NOT_FOUND}", "0 of 2 tasks are running"),
        cause=Cause.IMAGE,
    ),
    "unhealthy_target": deployment_notice(
        "ROLLED_BACK",
        f"not healthy after 1800 seconds: {BAD_GATEWAY}",
        runs(41),
        evidence=(BAD_GATEWAY, "ECS's service deployment is IN_PROGRESS"),
        cause=Cause.TIMEOUT,
    ),
    "alarm_fired": deployment_notice(
        "ROLLED_BACK",
        f"alarm api-5xx went to ALARM: {CROSSED}",
        runs(41),
        evidence=(
            f"alarm api-5xx is in ALARM: {CROSSED}",
            "ECS says: ECS deployment ecs-svc/4055011169962135182 completed.",
        ),
        alarms_firing=("api-latency",),
        cause=Cause.ALARM,
        alarms_fired=("api-5xx",),
    ),
    "rollback_failed": deployment_notice(
        "ROLLBACK_FAILED",
        "2 tasks of container app exited with code 1; rolling back failed: AccessDeniedException "
        "from ecs:UpdateService on service production/api: no identity-based policy allows it",
        runs(42, f"shop/api@{IMAGE.digest}").model_copy(update={"log": UNREADABLE}),
        evidence=(f"stopped: {EXITED} (2 tasks, the last one {TASK})",),
        failed=FAILED,
        cause=Cause.IMAGE,
    ),
    "manual_rollback_done": deployment_notice(
        "ROLLED_BACK",
        "rolled back from shop/api:v2 (abababababab) to v1 (shop-api:41)",
        runs(41),
        cause=Cause.PERSON,
        **MANUAL_ROLLBACK,
    ),
    "superseded": deployment_notice(
        "SUPERSEDED",
        "release shop/api:v3 (efefefefefef) has claimed service production/api",
        runs(43, "shop/api@sha256:" + "ef" * 32),
        cause=Cause.NEWER_RELEASE,
    ),
    "rejected": deployment_notice(
        "REJECTED",
        "image shop/api:v2 (abababababab) is quarantined on service production/api since "
        "2026-11-21T14:07:31.000000Z: 2 tasks of container app exited with code 1; start it manually with "
        '"force": true, or release the quarantine',
        runs(41),
        task_definition=None,
        rollback_target=None,
        rollback_target_images={},
        cause=Cause.QUARANTINED,
    ),
    "failed_before_change": deployment_notice(
        "FAILED",
        "the plan or /slipway/services/production/api names alarms for service production/api that "
        "CloudWatch does not have in this account and region: api-5xx",
        runs(41),
        task_definition=None,
        rollback_target=None,
        rollback_target_images={},
        cause=Cause.CONFIGURATION,
    ),
    "no_change": deployment_notice(
        "NO_CHANGE",
        "the service runs this image already, and it is good",
        runs(42, f"shop/api@{IMAGE.digest}"),
        task_definition=None,
        rollback_target=None,
        rollback_target_images={},
    ),
    "release_failed": of_release(
        "FAILED",
        "the plan of repository shop/api at /slipway/repositories/shop/api is not valid:\n"
        "  routes.0.stages.1.services.0.bake_seconds: it has to be at most 43200\n"
        "  routes.0.stages.1.services.0.alarm: there is no such name here: it is misspelt, or belongs "
        "elsewhere",
        cause=Cause.CONFIGURATION,
    ),
    "release_stopped": of_release(
        "FAILED",
        stopped_by=(
            {
                "service": "staging/api",
                "outcome": "ROLLED_BACK",
                "reason": "2 tasks of container app exited with code 1",
            },
            {
                "service": "staging/worker",
                "outcome": "SUPERSEDED",
                "reason": "someone else has put shop-worker:9 on the service",
            },
        ),
        remaining_stages=(
            {"name": "canary", "services": ("production/canary",)},
            {"name": "production", "services": ("production/api", "production/worker")},
        ),
        stage="staging",
        stage_number=1,
        stage_count=3,
        image=IMAGE,
        started_by="push",
    ),
    "release_overtaken": of_release(
        "SUPERSEDED",
        cause=Cause.NEWER_RELEASE,
        stopped_by=(
            {
                "service": "staging/api",
                "outcome": "SUPERSEDED",
                "reason": "release shop/api:main-7 (cd2e3f4a5b6c) has claimed service staging/api",
            },
        ),
        evidence=(
            "release shop/api:main-7 (cd2e3f4a5b6c) is newer, and goes to none of these services",
        ),
        remaining_stages=({"name": "production", "services": ("production/api",)},),
        stage="staging",
        stage_number=1,
        stage_count=2,
        image=IMAGE,
        started_by="push",
    ),
    "ignored": of_release("IGNORED", "no route of repository shop/api matches tag v2"),
    "alarm_undelivered": of_alarm("slipway-UndeliveredPushesNotEmpty-1A2B3C4D5E6F"),
    "alarm_undelivered_slack": of_alarm("slipway-UndeliveredSlackNotEmpty-1A2B3C4D5E6F"),
    "alarm_sweep_failed": of_alarm("slipway-SweepFailed-1A2B3C4D5E6F"),
    "alarm_sweep_slow": of_alarm(
        "slipway-SweepSlow-1A2B3C4D5E6F",
        reason="Threshold Crossed: 1 datapoint [842113.0 (22/11/26 02:45:00)] was greater than the threshold "
        "(820000.0).",
    ),
    "alarm_sweep_missed": of_alarm(
        "slipway-SweepMissed-1A2B3C4D5E6F",
        reason="Threshold Crossed: no datapoints were received for 15 periods and 15 missing datapoints were "
        "treated as [Breaching].",
    ),
    "alarm_sweep_runs_again": of_alarm(
        "slipway-SweepMissed-1A2B3C4D5E6F",
        "OK",
        reason="Threshold Crossed: 1 datapoint [1.0 (22/11/26 02:45:00)] was not less than the threshold "
        "(1.0).",
    ),
    "alarm_release_aborted": of_alarm("slipway-ReleaseAborted-1A2B3C4D5E6F"),
    "alarm_release_timed_out": of_alarm("slipway-ReleaseTimedOut-1A2B3C4D5E6F"),
    "hostile": deployment_notice(
        "ROLLED_BACK",
        f"alarm {HOSTILE} went to ALARM: {HOSTILE}",
        CurrentState(
            running=Running(task_definition="shop-api:41", images={"app": HOSTILE}),
            log=LOG.model_copy(
                update={"lines": (HOSTILE, "```", "| " + "x" * 400, "\x1b]8;;http://evil\x07a")}
            ),
        ),
        image=IMAGE.model_copy(update={"tag": HOSTILE}),
        evidence=(
            HOSTILE,
            "<https://evil.example|execution>",
            "www.evil.example &amp; :smile: ~no~",
        ),
        started_by="manual start",
        by=HOSTILE,
        alarms_firing=(HOSTILE,),
        cause=Cause.ALARM,
        alarms_fired=(HOSTILE,),
    ),
}
