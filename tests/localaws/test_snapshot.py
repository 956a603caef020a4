"""A local AWS that was saved and loaded is what it was, on another port; what can't be saved is refused."""

from __future__ import annotations

import collections
import importlib
import pkgutil
import queue
import textwrap
import threading
import weakref
from typing import Any

import pytest

import localaws
from localaws.cloudformation.engine.resource_type import TYPES
from localaws.snapshot import snapshot
from localaws.snapshot.pickling import SnapshotError, dump, load
from localaws.sns import sns
from tests.support.localaws.processes import run_forked

COLLECTIONS = (list, dict, set, collections.deque, queue.SimpleQueue, weakref.WeakValueDictionary)
HERE, THERE = "http://localhost:11111", "http://localhost:22222"


def again(value: Any) -> Any:
    """What another local AWS has of it."""
    return load(*dump(value, HERE), THERE)


def test_a_snapshot_restores_the_services_in_another_process_on_another_port(tmp_path):
    file = tmp_path / "saved"
    run_forked(
        """
        import sys
        from pathlib import Path
        from localaws import clock
        from localaws.server import LocalAws
        with LocalAws() as aws:
            clock.go_on_from(clock.monotonic() + 1_000_000)  # as if the machine had run for longer
            sqs, s3, sns = aws.client("sqs"), aws.client("s3"), aws.client("sns")
            queue = sqs.create_queue(QueueName="q")["QueueUrl"]
            sqs.send_message(QueueUrl=queue, MessageBody=f"see {queue}")
            s3.create_bucket(Bucket="bucket")
            s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
            for body in (b"first", b"x" * 20_000_000):
                s3.put_object(Bucket="bucket", Key="k", Body=body)
            topic = sns.create_topic(Name="t")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
            sns.publish(TopicArn=topic, Message="m")
            key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
            aws.client("ssm").put_parameter(
                Name="/p", Value="secret", Type="SecureString", KeyId=key
            )
            events = aws.client("events")
            arn = "arn:aws:sqs:us-east-1:123456789012:q"
            events.put_rule(Name="r", ScheduleExpression="rate(1 day)")
            events.put_targets(Rule="r", Targets=[{"Id": "0", "Arn": arn}])
            aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
            aws.client("acm").request_certificate(DomainName="api.example.com")
            ecs, app = aws.client("ecs"), {"name": "app", "image": "nginx", "memory": 9}
            ecs.create_cluster(clusterName="c")
            ecs.register_task_definition(family="f", containerDefinitions=[app])
            made = {"cluster": "c", "serviceName": "s", "taskDefinition": "f", "desiredCount": 0}
            ecs.create_service(**made)
            while not ecs.list_service_deployments(
                cluster="c", service="s", status=["SUCCESSFUL"]
            )["serviceDeployments"]:
                pass
            aws.save(Path(sys.argv[1]))
        """,
        file,
    )
    run_forked(
        """
        import socket, sys
        from pathlib import Path
        import requests, time
        from localaws import clock
        from localaws.server import LocalAws
        from localaws.sns.sns import mails
        with LocalAws(saved=Path(sys.argv[1])) as aws:
            assert clock.monotonic() > time.monotonic() + 900_000
            sqs, s3, sns = aws.client("sqs"), aws.client("s3"), aws.client("sns")
            queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
            assert queue.startswith(aws.url)
            (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
            assert message["Body"] == f"see {queue}"
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            s3.create_bucket(Bucket="bucket")  # again, which changes nothing in us-east-1
            versions = s3.list_object_versions(Bucket="bucket")["Versions"]
            assert [version["Size"] for version in versions] == [20_000_000, 5]
            assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"x" * 20_000_000
            (mail,) = mails()
            sns.publish(TopicArn=mail["topic"], Message="another")
            assert [mail["text"] for mail in mails()] == ["m", "another"]
            ssm = aws.client("ssm")
            found = ssm.get_parameter(Name="/p", WithDecryption=True)["Parameter"]
            assert found["Value"] == "secret"
            assert requests.post(f"{aws.url}/_localaws/schedules/r").status_code == 200
            (event,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
            assert "Scheduled Event" in event["Body"]
            assert len(aws.client("ec2").describe_vpcs()["Vpcs"]) == 2
            (certificate,) = aws.client("acm").list_certificates()["CertificateSummaryList"]
            assert certificate["DomainName"] == "api.example.com"
            ecs, service = aws.client("ecs"), {"cluster": "c", "service": "s"}
            (old,) = ecs.list_service_deployments(**service)["serviceDeployments"]
            ecs.update_service(**service, forceNewDeployment=True)
            while len(found := ecs.list_service_deployments(**service)["serviceDeployments"]) == 1:
                pass
            assert found[1] == old
            (new,) = ecs.describe_service_deployments(
                serviceDeploymentArns=[found[0]["serviceDeploymentArn"]]
            )["serviceDeployments"]
            (source,) = new["sourceServiceRevisions"]
            assert source["arn"] == old["targetServiceRevisionArn"]
        """,
        file,
    )


def test_a_restored_mapping_polls_its_queue(tmp_path):
    mapped = """
        import sys
        from pathlib import Path
        from localaws.server import LocalAws
        from tests.support.localaws.event_sources import Source
        file = Path(sys.argv[1])
        with LocalAws() as aws:
            source = Source(aws, file.parent)
            source.map()
            source.send(first=True)
            source.wait_until_empty()
            aws.save(file)
        with LocalAws(saved=file) as aws:
            queue = aws.client("sqs").get_queue_url(QueueName=source.name)["QueueUrl"]
            aws.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
            source.wait_for_records(2)
        """
    run_forked(mapped, tmp_path / "saved")


def test_a_snapshot_keeps_versions_aliases_and_their_permissions(tmp_path):
    file = tmp_path / "saved"
    run_forked(
        """
        import io, sys, zipfile
        from pathlib import Path
        from localaws.server import LocalAws

        def code(answer):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as artifact:
                artifact.writestr("app.py", f"handler = lambda event, context: {answer!r}")
            return packed.getvalue()

        with LocalAws() as aws:
            functions = aws.client("lambda")
            role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
            functions.create_function(
                FunctionName="f",
                Role=role["Role"]["Arn"],
                Runtime=f"python3.{sys.version_info.minor}",
                Handler="app.handler",
                Code={"ZipFile": code("one")},
            )
            functions.publish_version(FunctionName="f")
            functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
            functions.add_permission(
                FunctionName="f",
                Qualifier="live",
                StatementId="kept",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
            )
            functions.update_function_code(FunctionName="f", ZipFile=code("two"))
            aws.save(Path(sys.argv[1]))
        """,
        file,
    )
    run_forked(
        """
        import json, sys
        from pathlib import Path
        from localaws.server import LocalAws
        with LocalAws(saved=Path(sys.argv[1])) as aws:
            functions = aws.client("lambda")
            for name, said in (("f:live", "one"), ("f:1", "one"), ("f", "two")):
                answer = functions.invoke(FunctionName=name)["Payload"].read()
                assert json.loads(answer) == said, (name, answer)
            policy = json.loads(functions.get_policy(FunctionName="f:live")["Policy"])
            assert policy["Statement"][0]["Sid"] == "kept"
            assert functions.publish_version(FunctionName="f")["Version"] == "2"
        """,
        file,
    )


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            """
            from localaws.faults import faults
            faults.add(action="ecs:UpdateService", call=1, how="throttle")
            """,
            "there is a fault",
        ),
        (
            """
            import threading
            snapshot._REST_SECONDS = 0.1
            threading.Thread(target=threading.Event().wait, name="delivery", daemon=True).start()
            """,
            "still in progress: delivery",
        ),
        (
            """
            import socket
            from moto.sqs.models import sqs_backends
            sqs_backends["123456789012"]["us-east-1"].open = socket.socket()
            """,
            "cannot pickle 'socket' object",
        ),
    ],
)
def test_a_snapshot_with_a_fault_or_work_in_progress_is_refused(what, said, tmp_path):
    source = f"""
        import sys
        from pathlib import Path
        from localaws.snapshot import snapshot
        from localaws.server import LocalAws
        with LocalAws() as aws:
            {textwrap.indent(textwrap.dedent(what).strip(), " " * 12).strip()}
            try:
                aws.save(Path(sys.argv[1]))
            except snapshot.SnapshotError as error:
                assert {said!r} in str(error), error
            else:
                raise AssertionError("it was saved")
        assert not Path(sys.argv[1]).exists()
        """
    run_forked(source, tmp_path / "saved")


def test_a_global_of_a_module_is_the_same_object():
    kind = TYPES["AWS::SQS::Queue"]
    assert again([kind, TYPES])[0] is kind
    assert again(sns._mails) is sns._mails


def test_objects_that_were_the_same_stay_the_same():
    blob, shared = b"b" * 100_000, {"key": 1}
    loaded = again([blob, bytes(bytearray(blob)), shared, shared])
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded[3]


def test_texts_and_bytes_get_the_new_address():
    assert again({f"{HERE}/queue": f"{HERE}/a {HERE}/b"}) == {
        f"{THERE}/queue": f"{THERE}/a {THERE}/b"
    }
    assert again(f"{HERE}/x".encode()) == f"{THERE}/x".encode()


def test_a_function_without_a_name_keeps_its_code_and_what_it_encloses():
    enclosed = [1]
    assert again(lambda more=2: enclosed[0] + more)() == 3


@pytest.mark.parametrize("lock", [threading.Lock(), threading.RLock()])
def test_a_free_lock_is_a_free_lock_and_a_held_one_an_error(lock):
    assert again(lock).acquire(blocking=False)
    with lock, pytest.raises(SnapshotError, match="a lock that is held"):
        dump(lock, HERE)


@pytest.mark.parametrize("value", [threading.Thread(), object(), (number for number in ())])
def test_a_snapshot_of_an_object_without_a_pickle_is_an_error(value):
    with pytest.raises(SnapshotError, match="what can't be saved"):
        dump(value, HERE)


NO_STATE = {
    "localaws.autoscaling.activities._outbox": "sent before the change's request is answered",
    "localaws.aws._clients": "connections",
    "localaws.ecs.ecs._threads": "made at the start",
    "localaws.ecs.events._outbox": "emptied at the stop, before saving",
    "localaws.elbv2._last_used_by": "where to look first",
    "localaws.faults.faults._faults": "a local AWS with a fault is not saved",
    "localaws.faults.faults._flights": "of executions that run",
    "localaws.lambda_.pool._by_token": "of processes that run",
    "localaws.lambda_.processes._kept": "processes that can start those of functions",
    "localaws.lambda_.processes._zygotes": "the same",
}
"""What modules keep beside moto's backends that has no need to be saved, and why."""


def test_every_collection_of_a_module_is_saved_or_known_to_be_no_state():
    kept = {f"{module.__name__}.{name}" for module, name in snapshot._KEPT}
    found = set()
    for info in pkgutil.walk_packages(localaws.__path__, "localaws."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            own = name.startswith("_") and not name.startswith("__") and name == name.lower()
            if own and isinstance(value, COLLECTIONS):
                found.add(f"{info.name}.{name}")
    assert found == kept | NO_STATE.keys()
