"""Which errors of AWS are worth another try, and what they say."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.retries.standard import ThrottledRetryableChecker

from slipway import aws
from slipway.aws import calling, error_code
from slipway.errors import AwsRefused, AwsUnavailable, SlipwayError

URL = "https://ecs.eu-west-1.amazonaws.com"


def refusal(code: str, status: int, message: str = "no") -> ClientError:
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "UpdateService")


def translated(error: Exception) -> SlipwayError:
    with (
        pytest.raises(SlipwayError) as raised,
        calling("ecs:UpdateService", "service production/api"),
    ):
        raise error
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        refusal("ThrottlingException", 400),
        refusal("TooManyRequestsException", 429),
        refusal("Unheard", 429),
        refusal("ServerException", 500),
        refusal("ServiceUnavailable", 503),
        refusal("InternalFailure", 599),
    ],
)
def test_throttling_and_server_errors_are_worth_another_try(error):
    assert type(translated(error)) is AwsUnavailable


@pytest.mark.parametrize("code", sorted(ThrottledRetryableChecker._THROTTLED_ERROR_CODES))
def test_whatever_botocore_takes_for_throttling_is_worth_another_try(code):
    assert type(translated(refusal(code, 400))) is AwsUnavailable


def test_registering_side_by_side_in_one_family_is_worth_another_try():
    said = "Too many concurrent attempts to create a new revision of the specified family."

    assert type(translated(refusal("ClientException", 400, said))) is AwsUnavailable


@pytest.mark.parametrize(
    "reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_a_transaction_cancelled_for_a_conflict_or_throttling_is_worth_another_try(reason):
    error = refusal("TransactionCanceledException", 400, "Transaction cancelled")
    error.response["CancellationReasons"] = [{"Code": "None"}, {"Code": reason}]

    assert type(translated(error)) is AwsUnavailable


@pytest.mark.parametrize("reason", ["ConditionalCheckFailed", "ValidationError"])
def test_a_transaction_cancelled_for_its_condition_or_its_values_is_final(reason):
    error = refusal("TransactionCanceledException", 400, "Transaction cancelled")
    error.response["CancellationReasons"] = [{"Code": "None"}, {"Code": reason}]

    assert type(translated(error)) is AwsRefused


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
    ],
)
def test_a_call_without_an_answer_is_worth_another_try(error):
    raised = translated(error)

    assert type(raised) is AwsUnavailable
    assert "no answer from ecs:UpdateService on service production/api" in str(raised)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 400),
        ("AccessDenied", 403),
        ("ClusterNotFoundException", 400),
        ("InvalidParameterException", 400),
        ("ServiceNotActiveException", 400),
    ],
)
def test_every_other_refusal_is_final(code, status):
    assert type(translated(refusal(code, status))) is AwsRefused


def test_a_call_that_botocore_does_not_even_send_is_final():
    with pytest.raises(AwsRefused), calling("ecr:DescribeImages", "repository 5"):
        aws.ecr().describe_images(repositoryName=5)


@pytest.mark.parametrize(
    "error",
    [refusal("AccessDeniedException", 400, "not authorized"), refusal("Throttling", 400, "slow")],
)
def test_the_message_has_code_action_resource_and_what_aws_said(error):
    code, said = error.response["Error"]["Code"], error.response["Error"]["Message"]

    assert str(translated(error)) == (
        f"{code} from ecs:UpdateService on service production/api: {said}"
    )


def test_an_error_without_a_message_keeps_action_and_resource():
    bare = ClientError({"Error": {"Code": "Odd"}}, "UpdateService")

    assert str(translated(bare)) == "Odd from ecs:UpdateService on service production/api: "


def test_the_error_of_aws_stays_the_cause_of_the_translated_error():
    error = refusal("AccessDeniedException", 400)

    assert translated(error).__cause__ is error


def test_errors_that_do_not_come_from_aws_pass_unchanged():
    with pytest.raises(KeyError), calling("ecs:UpdateService", "service production/api"):
        raise KeyError("a mistake of ours")


@pytest.mark.parametrize(
    ("error", "code"), [(refusal("Odd", 400), "Odd"), (KeyError("x"), ""), (None, "")]
)
def test_only_an_error_of_aws_has_a_code(error, code):
    assert error_code(error) == code


@pytest.mark.parametrize(
    "client",
    [
        aws.ecs,
        aws.ecs_once,
        aws.ecr,
        aws.elbv2,
        aws.cloudwatch,
        aws.ssm,
        aws.sns,
        aws.stepfunctions,
        aws.table,
    ],
)
def test_a_client_is_made_once_and_gives_up_before_its_function_does(client):
    config = getattr(client().meta, "client", client()).meta.config
    tries = config.retries["total_max_attempts"]

    assert client() is client()
    assert tries * (config.connect_timeout + config.read_timeout) < 60


def test_a_client_for_calls_without_a_natural_key_never_retries():
    sent, client = [], aws.ecs_once()

    def unanswered(request, **_):
        sent.append(request)
        raise ReadTimeoutError(endpoint_url=URL)

    client.meta.events.register("before-send.ecs", unanswered)
    try:
        with pytest.raises(AwsUnavailable), calling("ecs:UpdateService", "service production/api"):
            client.update_service(service="api")
    finally:
        client.meta.events.unregister("before-send.ecs", unanswered)

    assert len(sent) == 1


def test_the_ledger_table_is_the_one_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("LEDGER_TABLE", "another-ledger")
    aws.table.cache_clear()

    name = aws.table().name

    aws.table.cache_clear()
    assert name == "another-ledger"


def test_there_is_one_client_of_cloudwatch_logs_for_each_region():
    assert aws.logs("eu-west-1") is aws.logs("eu-west-1")
    assert aws.logs("eu-central-1").meta.region_name == "eu-central-1"


@pytest.mark.parametrize("client", [aws.ecs, aws.secretsmanager, aws.sns_once])
def test_a_client_is_made_once(client):
    assert client() is client()


@pytest.mark.parametrize("client", [aws.sns_once, lambda: aws.logs("eu-west-1")])
def test_a_client_for_notices_or_logs_gives_up_within_ten_seconds_and_never_retries(client):
    """A deployment must not be held up by its notification."""
    config = client().meta.config

    assert config.connect_timeout + config.read_timeout < 10
    assert config.retries["total_max_attempts"] == 1
