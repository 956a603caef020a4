"""Cloud Map's types: namespaces and services, and instances through the API."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.localaws.stacks import create, delete, outputs, reasons, update

RECORDS = [{"Type": "A", "TTL": 60}]
STAGES = (("one", 30, {"a": "1", "b": "2"}), ("two", 31, {"a": "3", "c": "4"}), ("", 15, {}))
"""A description, a TTL and tags: to begin with, changed, and what stands where they are taken away."""


@pytest.fixture(scope="module")
def vpc(aws):
    return aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def cloud_map(aws):
    return aws.client("servicediscovery")


@pytest.fixture
def name():
    return f"{uuid.uuid4().hex[:8]}.internal"


def template(namespace: dict[str, Any], service: dict[str, Any] | None = None) -> str:
    resources = {
        "Space": {"Type": "AWS::ServiceDiscovery::PrivateDnsNamespace", "Properties": namespace}
    }
    shown: dict[str, Any] = {"Space": {"Ref": "Space"}}
    for attribute in ("Id", "Arn", "HostedZoneId"):
        shown[f"Space{attribute}"] = {"Fn::GetAtt": f"Space.{attribute}"}
    if service is not None:
        service = {"NamespaceId": {"Ref": "Space"}, **service}
        resources["Service"] = {"Type": "AWS::ServiceDiscovery::Service", "Properties": service}
        shown["Service"] = {"Ref": "Service"}
        for attribute in ("Id", "Arn", "Name"):
            shown[f"Service{attribute}"] = {"Fn::GetAtt": f"Service.{attribute}"}
    listed = {name: {"Value": value} for name, value in shown.items()}
    return json.dumps({"Resources": resources, "Outputs": listed})


def tags(cloud_map: Any, arn: str) -> dict[str, str]:
    listed = cloud_map.list_tags_for_resource(ResourceARN=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def tagged(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def soa(ttl: int) -> dict[str, Any]:
    return {"DnsProperties": {"SOA": {"TTL": str(ttl)}}}


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def test_a_namespace_is_made_changed_and_deleted_with_all_its_properties(aws, cloud_map, vpc, name):
    route53 = aws.client("route53")
    stack: dict[str, Any] = {}
    made: dict[str, str] = {}
    for description, ttl, kept in STAGES:
        given = {"Description": description, "Properties": soa(ttl), "Tags": tagged(kept)}
        wanted = template({"Name": name, "Vpc": vpc, **(given if kept else {})})
        stack = update(aws, stack, wanted) if stack else create(aws, wanted)
        assert stack["StackStatus"].endswith("E_COMPLETE"), reasons(aws, stack)
        made = made or outputs(stack)
        assert outputs(stack) == made
        space = cloud_map.get_namespace(Id=made["Space"])["Namespace"]
        assert (space["Id"], space["Arn"]) == (made["SpaceId"], made["SpaceArn"])
        assert (space["Name"], space["Type"], space["Description"]) == (
            name,
            "DNS_PRIVATE",
            description,
        )
        dns = {"HostedZoneId": made["SpaceHostedZoneId"], "SOA": {"TTL": ttl}}
        assert space["Properties"]["DnsProperties"] == dns
        assert tags(cloud_map, made["SpaceArn"]) == kept
    zone = route53.get_hosted_zone(Id=made["SpaceHostedZoneId"])
    assert (zone["HostedZone"]["Name"].rstrip("."), zone["VPCs"][0]["VPCId"]) == (name, vpc)
    delete(aws, stack)
    assert code(cloud_map.get_namespace, Id=made["Space"]) == "NamespaceNotFound"
    assert code(route53.get_hosted_zone, Id=made["SpaceHostedZoneId"]) == "NoSuchHostedZone"


def test_another_name_makes_another_namespace(aws, cloud_map, vpc, name):
    stack = create(aws, template({"Name": name, "Vpc": vpc}))
    first = outputs(stack)["Space"]
    second = outputs(update(aws, stack, template({"Name": f"new-{name}", "Vpc": vpc})))["Space"]
    assert cloud_map.get_namespace(Id=second)["Namespace"]["Name"] == f"new-{name}"
    assert code(cloud_map.get_namespace, Id=first) == "NamespaceNotFound"
    delete(aws, stack)


def test_a_service_is_made_changed_and_deleted_with_all_its_properties(aws, cloud_map, vpc, name):
    stack: dict[str, Any] = {}
    made: dict[str, str] = {}
    for description, ttl, kept in STAGES:
        dns = {"RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "A", "TTL": str(ttl)}]}
        given = {"Description": description, "DnsConfig": dns, "Tags": tagged(kept)}
        fixed = {"Name": "web", "HealthCheckCustomConfig": {"FailureThreshold": "3"}}
        wanted = template({"Name": name, "Vpc": vpc}, {**fixed, **(given if kept else {})})
        stack = update(aws, stack, wanted) if stack else create(aws, wanted)
        assert stack["StackStatus"].endswith("E_COMPLETE"), reasons(aws, stack)
        made = made or outputs(stack)
        assert outputs(stack) == made
        service = cloud_map.get_service(Id=made["Service"])["Service"]
        assert (service["Id"], service["Arn"]) == (made["ServiceId"], made["ServiceArn"])
        assert (service["Name"], service["NamespaceId"]) == (made["ServiceName"], made["Space"])
        assert (service["Description"], service["Type"]) == (description, "DNS_HTTP")
        records = [{"Type": "A", "TTL": ttl}] if kept else []
        shown = {"RoutingPolicy": "WEIGHTED", "NamespaceId": made["Space"], "DnsRecords": records}
        assert service["DnsConfig"] == shown
        assert service["HealthCheckCustomConfig"] == {"FailureThreshold": 1}  # AWS's only one
        assert tags(cloud_map, made["ServiceArn"]) == kept
    delete(aws, stack)
    assert code(cloud_map.get_service, Id=made["Service"]) == "ServiceNotFound"


def test_a_service_of_type_http_has_no_dns(aws, cloud_map, vpc, name):
    stack = create(aws, template({"Name": name, "Vpc": vpc}, {"Type": "HTTP"}))
    made = outputs(stack)
    service = cloud_map.get_service(Id=made["Service"])["Service"]
    assert service["Type"] == "HTTP"
    assert "DnsConfig" not in service
    assert service["Name"].startswith(f"{stack['StackName']}-Service-")
    delete(aws, stack)


def test_instances_are_registered_listed_discovered_and_deregistered(aws, cloud_map, vpc, name):
    service = {
        "Name": "web",
        "DnsConfig": {"DnsRecords": RECORDS},
        "HealthCheckCustomConfig": {"FailureThreshold": 1},
    }
    stack = create(aws, template({"Name": name, "Vpc": vpc}, service))
    of = {"ServiceId": outputs(stack)["Service"]}

    def discovered(**more: str) -> dict[str, str]:
        found = cloud_map.discover_instances(NamespaceName=name, ServiceName="web", **more)
        return {
            instance["Attributes"]["AWS_INSTANCE_IPV4"]: instance["HealthStatus"]
            for instance in found["Instances"]
        }

    cloud_map.register_instance(
        **of, InstanceId="one", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"}
    )
    ill = {"AWS_INSTANCE_IPV4": "10.0.0.3", "AWS_INIT_HEALTH_STATUS": "UNHEALTHY"}
    for attributes in ({"AWS_INSTANCE_IPV4": "10.0.0.2"}, ill):
        cloud_map.register_instance(**of, InstanceId="two", Attributes=attributes)
    listed = cloud_map.list_instances(**of)["Instances"]
    assert [instance["Id"] for instance in listed] == ["one", "two"]
    assert discovered() == {"10.0.0.1": "HEALTHY", "10.0.0.3": "UNHEALTHY"}
    assert discovered(HealthStatus="HEALTHY") == {"10.0.0.1": "HEALTHY"}
    cloud_map.update_instance_custom_health_status(**of, InstanceId="two", Status="HEALTHY")
    assert discovered(HealthStatus="UNHEALTHY") == {}
    for instance in ("one", "two"):
        cloud_map.deregister_instance(**of, InstanceId=instance)
    assert discovered() == {}
    delete(aws, stack)


def test_the_health_of_instances_without_a_health_check_is_unknown(aws, cloud_map, vpc, name):
    service = {"Name": "web", "DnsConfig": {"DnsRecords": RECORDS}}
    stack = create(aws, template({"Name": name, "Vpc": vpc}, service))
    one = {"ServiceId": outputs(stack)["Service"], "InstanceId": "one"}
    cloud_map.register_instance(**one, Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})
    found = cloud_map.discover_instances(
        NamespaceName=name, ServiceName="web", HealthStatus="HEALTHY"
    )
    assert [instance["HealthStatus"] for instance in found["Instances"]] == ["UNKNOWN"]
    refused = code(cloud_map.update_instance_custom_health_status, **one, Status="HEALTHY")
    assert refused == "CustomHealthNotFound"
    cloud_map.deregister_instance(**one)
    delete(aws, stack)


def test_a_service_and_a_namespace_in_use_are_not_deleted(aws, cloud_map, vpc, name):
    stack = create(aws, template({"Name": name, "Vpc": vpc}, {"Type": "HTTP"}))
    service = outputs(stack)["Service"]
    cloud_map.register_instance(ServiceId=service, InstanceId="one", Attributes={"a": "b"})
    delete(aws, stack)
    assert "ResourceInUse" in reasons(aws, stack)["Service"]
    assert "ResourceInUse" in reasons(aws, stack)["Space"]
    cloud_map.deregister_instance(ServiceId=service, InstanceId="one")
    cloud_map.delete_service(Id=service)
    delete(aws, stack)  # that the service is gone is no error
    assert code(cloud_map.get_namespace, Id=outputs(stack)["Space"]) == "NamespaceNotFound"


def test_a_wrong_namespace_or_service_fails_and_is_rolled_back(aws, cloud_map, vpc, name):
    space = {"Name": name, "Vpc": vpc}
    mixed = {"DnsConfig": {"DnsRecords": [*RECORDS, {"Type": "CNAME", "TTL": 60}]}}
    for wrong, logical_id, reason in (
        (template({**space, "Vpc": "vpc-none"}), "Space", "CANNOT_CREATE_HOSTED_ZONE"),
        (template(space, mixed), "Service", "InvalidInput"),
        (template(space, {"NamespaceId": "ns-none"}), "Service", "NamespaceNotFound"),
    ):
        stack = create(aws, wrong)
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert reason in reasons(aws, stack)[logical_id]
        assert (
            cloud_map.list_namespaces(Filters=[{"Name": "NAME", "Values": [name]}])["Namespaces"]
            == []
        )


@pytest.mark.parametrize(
    "dns",
    [{"DnsRecords": [{"Type": "SRV", "TTL": 60}]}, {"DnsRecords": [], "RoutingPolicy": "WEIGHTED"}],
    ids=["type", "policy"],
)
def test_a_change_that_cannot_be_is_rolled_back(aws, cloud_map, vpc, name, dns):
    space = {"Name": name, "Vpc": vpc}
    stack = create(aws, template(space, {"DnsConfig": {"DnsRecords": RECORDS}}))
    changed = update(aws, stack, template({**space, "Description": "d"}, {"DnsConfig": dns}))
    assert changed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    in_namespace = [{"Name": "NAMESPACE_ID", "Values": [outputs(stack)["Space"]]}]
    [service] = cloud_map.list_services(Filters=in_namespace)["Services"]
    assert service["DnsConfig"]["DnsRecords"] == RECORDS
    assert cloud_map.get_namespace(Id=outputs(stack)["Space"])["Namespace"]["Description"] == ""
    delete(aws, stack)
