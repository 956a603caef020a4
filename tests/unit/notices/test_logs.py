"""What a failed container wrote, or why that can't be read."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.health.failed_tasks import Failed
from slipway.notices.logs import LINES, LONGEST, read_log
from slipway.notices.notice import ContainerLog
from tests.support.builders import NEW, REGION
from tests.support.ecs_answers import container, defined

TASK = "0123456789abcdef0123456789abcdef"
RUNTIME_ID = "d0c5" * 16
FAILED = Failed(task_definition=NEW, task=TASK, container="api", runtime_id=RUNTIME_ID)
GROUP, STREAM = "/ecs/production/api", f"app/api/{TASK}"
OPTIONS = {
    "awslogs-group": GROUP,
    "awslogs-region": REGION,
    "awslogs-stream-prefix": "app",
}


def writes(ecs, driver="awslogs", **changes):
    """The container's log configuration; an option of None is not there."""
    options = {name: value for name, value in (OPTIONS | changes).items() if value is not None}
    configuration = {"logDriver": driver, "options": options}
    defined(ecs, container(name="proxy"), container(logConfiguration=configuration))


def wrote(logs, *messages, stream=STREAM, token="b/1", **asked):
    answer = {
        "events": [{"timestamp": n, "message": text} for n, text in enumerate(messages)],
        "nextBackwardToken": token,
        "nextForwardToken": "f/1",
    }
    asked = {"logGroupName": GROUP, "logStreamName": stream, **asked}
    logs.answers("get_log_events", answer, **asked, limit=LINES, startFromHead=False)


def read(ecs, failed=FAILED):
    return read_log(failed, ecs.client, aws.logs)


def test_the_last_lines_are_read_where_the_task_definition_says(ecs, logs):
    writes(ecs)
    wrote(logs, "starting", "panic: no database")

    assert read(ecs) == ContainerLog(
        container="api",
        task=TASK,
        region=REGION,
        group=GROUP,
        stream=STREAM,
        lines=("starting", "panic: no database"),
    )


def test_a_stream_without_a_prefix_is_named_after_the_container_in_docker(ecs, logs):
    writes(ecs, **{"awslogs-stream-prefix": None})
    wrote(logs, "panic", stream=RUNTIME_ID)

    assert read(ecs).stream == RUNTIME_ID


@pytest.mark.parametrize(("region", "asked"), [("eu-central-1", "eu-central-1"), (None, REGION)])
def test_the_log_is_read_in_the_region_that_it_is_written_in(ecs, logs, region, asked):
    writes(ecs, **{"awslogs-region": region})
    wrote(logs, "panic")
    regions = []

    read_log(FAILED, ecs.client, lambda of: regions.append(of) or logs.client)

    assert regions == [asked]


def test_a_text_that_looks_like_a_secret_is_blotted_out_colours_or_not(ecs, logs):
    writes(ecs)
    wrote(logs, "\x1b[36mpassword\x1b[0m=hunter2 \x1b[31mrefused\x1b[0m")

    assert read(ecs).lines == ("password=***** refused",)


def test_a_secret_at_the_end_of_what_people_see_is_blotted_out_before_the_line_is_cut(ecs, logs):
    writes(ecs)
    wrote(logs, "x" * (LONGEST - 10) + " xoxb-123456789012-abcdef " + "y" * LONGEST)

    [line] = read(ecs).lines

    assert "xoxb" not in line
    assert len(line) == LONGEST
    assert line.endswith("…")


def test_the_last_lines_of_a_stack_trace_in_one_event_are_shown(ecs, logs):
    writes(ecs)
    wrote(logs, "starting\n", "\n".join(["panic", "", *(f"at line {n}" for n in range(LINES))]))

    assert read(ecs).lines == tuple(f"at line {n}" for n in range(LINES))


def test_an_empty_page_is_not_the_end_of_the_log(ecs, logs):
    writes(ecs)
    wrote(logs, token="b/1")
    wrote(logs, "panic", nextToken="b/1")

    assert read(ecs).lines == ("panic",)


def test_a_container_that_has_written_nothing_is_shown_as_such(ecs, logs):
    writes(ecs)
    wrote(logs, token="b/1")
    wrote(logs, token="b/1", nextToken="b/1")

    log = read(ecs)

    assert (log.lines, log.problem) == ((), "the container has written nothing to its log")


def test_a_log_with_empty_pages_without_end_is_given_up(ecs, logs):
    writes(ecs)
    wrote(logs, token="b/1")
    wrote(logs, token="b/2", nextToken="b/1")
    wrote(logs, token="b/3", nextToken="b/2")

    assert read(ecs).problem == "the container has written nothing to its log"


def test_a_stream_that_does_not_exist_was_never_written_to(ecs, logs):
    writes(ecs)
    logs.refuses(
        "get_log_events", "ResourceNotFoundException", "The specified log stream does not exist."
    )

    log = read(ecs)

    assert (log.group, log.stream) == (GROUP, STREAM)
    assert log.problem == "the container has written nothing to its log"


def test_a_group_that_does_not_exist_is_a_problem_and_not_silence(ecs, logs):
    writes(ecs)
    said = "The specified log group does not exist."
    logs.refuses("get_log_events", "ResourceNotFoundException", said)

    problem = read(ecs).problem

    assert problem.startswith("ResourceNotFoundException from logs:GetLogEvents")
    assert problem.endswith(said)


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDeniedException", 400), ("ServiceUnavailableException", 503)]
)
def test_a_log_that_cannot_be_read_says_why(ecs, logs, code, status):
    writes(ecs)
    logs.refuses("get_log_events", code, "not today", status)

    log = read(ecs)

    said = f"{code} from logs:GetLogEvents on log stream {STREAM} of {GROUP} in {REGION}: not today"
    assert (log.lines, log.problem) == ((), said)


def test_a_region_that_does_not_exist_is_a_problem_not_an_error(ecs):
    writes(ecs, **{"awslogs-region": "no region!"})

    assert "no region!" in read(ecs).problem


def test_a_task_definition_that_cannot_be_read_is_a_problem_not_an_error(ecs):
    ecs.refuses("describe_task_definition", "AccessDeniedException")

    log = read(ecs)

    assert (log.container, log.task, log.group) == ("api", TASK, "")
    assert log.problem.startswith("AccessDeniedException from ecs:DescribeTaskDefinition")


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"awslogs-group": None}, FAILED),
        ({"awslogs-stream-prefix": None}, FAILED.model_copy(update={"runtime_id": ""})),
    ],
)
def test_a_log_without_a_known_name_is_a_problem_not_an_error(ecs, changes, failed):
    writes(ecs, **changes)

    assert read(ecs, failed).problem == "it is not known which log it writes to"


def logs_with(ecs, driver, **options):
    configuration = {"logDriver": driver, **({"options": options} if options else {})}
    defined(ecs, container(logConfiguration=configuration))


@pytest.mark.parametrize(
    ("driver", "options", "where"),
    [
        (
            "awsfirelens",
            {
                "Name": "cloudwatch_logs",
                "region": "eu-west-1",
                "log_group_name": "/ecs/api",
                "log_key": "log",
            },
            "Name cloudwatch_logs, region eu-west-1, log_group_name /ecs/api",
        ),
        (
            "awsfirelens",
            {"@type": "kinesis_firehose", "delivery_stream_name": "logs"},
            "@type kinesis_firehose, delivery_stream_name logs",
        ),
        (
            "splunk",
            {"splunk-url": "https://splunk.example:8088", "splunk-index": "shop"},
            "splunk-url https://splunk.example:8088, splunk-index shop",
        ),
        ("gelf", {"gelf-address": "udp://10.0.0.1:12201"}, "gelf-address udp://10.0.0.1:12201"),
        ("awsfirelens", {}, "its options name no destination"),
        ("json-file", {"max-size": "10m"}, "its options name no destination"),
    ],
)
def test_a_log_that_another_driver_takes_says_where_it_goes(ecs, driver, options, where):
    logs_with(ecs, driver, **options)

    log = read(ecs)

    assert (log.container, log.task, log.group, log.stream) == ("api", TASK, "", "")
    assert log.lines == ()
    assert log.problem == (
        f"it logs with the driver {driver} ({where}), and Slipway reads logs of awslogs only"
    )


def test_where_a_log_goes_names_no_secret(ecs):
    logs_with(
        ecs,
        "awsfirelens",
        Name="http",
        Host="logs.example",
        URI="/receiver/v1/http/ZaVnC4dhaV3xSecret",
        apikey="0123456789abcdef",
        **{"splunk-token": "176FCEBF-4CF5-4EDF", "endpoint": "https://app:hunter2@logs.example"},
    )

    problem = read(ecs).problem

    assert "Name http, Host logs.example" in problem
    for secret in ("ZaVnC4dhaV3xSecret", "0123456789abcdef", "176FCEBF", "https://app:hunter2@"):
        assert secret not in problem


def test_a_long_name_of_a_destination_is_cut(ecs):
    logs_with(ecs, "awsfirelens", Name="x" * 1000)

    assert len(read(ecs).problem) < 400


def test_a_container_without_a_log_configuration_has_no_log_to_read(ecs):
    defined(ecs, container())

    assert read(ecs) is None


def test_a_container_that_the_task_definition_does_not_name_has_no_log_to_read(ecs):
    writes(ecs)

    assert read(ecs, FAILED.model_copy(update={"container": "aws-guardduty-agent"})) is None
