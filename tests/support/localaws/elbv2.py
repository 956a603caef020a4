"""A load balancer with its target groups, listener and rule: as a template, and as AWS describes them."""

from __future__ import annotations

import json
from typing import Any

from localaws.server import LocalAws
from tests.support.localaws.stacks import outputs

TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"
ELB = "AWS::ElasticLoadBalancingV2::"
PUBLISHED = {
    "Balancer": "LoadBalancerArn LoadBalancerFullName LoadBalancerName DNSName CanonicalHostedZoneID",
    "Group": "TargetGroupArn TargetGroupFullName TargetGroupName",
    "Other": "TargetGroupArn",
    "Listener": "ListenerArn",
    "Rule": "RuleArn IsDefault",
}


def forward(group: str) -> list[dict[str, Any]]:
    return [{"Type": "forward", "TargetGroupArn": {"Ref": group}}]


class World:
    """The VPC, the subnets and the security groups that a template refers to, and the made resources."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.api, ec2 = aws, aws.client("elbv2"), aws.client("ec2")
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
        self.vpc = vpc["VpcId"]
        inside = [{"Name": "vpc-id", "Values": [self.vpc]}]
        subnets = ec2.describe_subnets(Filters=inside)["Subnets"]
        self.subnets = [subnet["SubnetId"] for subnet in subnets]
        groups = ec2.describe_security_groups(Filters=inside)["SecurityGroups"]
        self.default_group = next(g["GroupId"] for g in groups if g["GroupName"] == "default")

    def security_group(self) -> str:
        ec2, name = self.aws.client("ec2"), f"g{len(self.groups())}"
        made = ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return made["GroupId"]

    def groups(self) -> list[Any]:
        return self.aws.client("ec2").describe_security_groups()["SecurityGroups"]

    def certificate(self) -> str:
        made = self.aws.client("acm").request_certificate(DomainName="example.com")
        return made["CertificateArn"]

    def resources(self, **changed: Any) -> dict[str, Any]:
        """A load balancer, two target groups, a listener and a rule.

        Args:
            changed: properties that replace the defaults, by logical id.
        """
        listener = {"LoadBalancerArn": {"Ref": "Balancer"}, "Protocol": "HTTP", "Port": 80}
        condition = {"Field": "path-pattern", "Values": ["/a/*"]}
        declared = {
            "Balancer": ("LoadBalancer", {"Subnets": self.subnets[:2]}),
            "Group": ("TargetGroup", {"VpcId": self.vpc, "Protocol": "HTTP", "Port": 80}),
            "Other": ("TargetGroup", {"VpcId": self.vpc, "Protocol": "HTTP", "Port": 81}),
            "Listener": ("Listener", {**listener, "DefaultActions": forward("Group")}),
            "Rule": (
                "ListenerRule",
                {
                    "ListenerArn": {"Ref": "Listener"},
                    "Priority": 1,
                    "Conditions": [condition],
                    "Actions": forward("Other"),
                },
            ),
        }
        return {
            name: {"Type": f"{ELB}{kind}", "Properties": {**properties, **changed.get(name, {})}}
            for name, (kind, properties) in declared.items()
        }

    def template(self, **changed: Any) -> str:
        return templated(self.resources(**changed))

    def there(self) -> tuple[int, int]:
        """The numbers of load balancers and target groups that exist."""
        balancers = self.api.describe_load_balancers()["LoadBalancers"]
        return len(balancers), len(self.api.describe_target_groups()["TargetGroups"])

    def balancer(self, stack: dict[str, Any]) -> dict[str, Any]:
        arn = outputs(stack)["BalancerLoadBalancerArn"]
        return self.api.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]

    def group(self, stack: dict[str, Any]) -> dict[str, Any]:
        arn = outputs(stack)["GroupTargetGroupArn"]
        return self.api.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]

    def listener(self, stack: dict[str, Any]) -> dict[str, Any]:
        arn = outputs(stack)["ListenerListenerArn"]
        return self.api.describe_listeners(ListenerArns=[arn])["Listeners"][0]

    def rule(self, stack: dict[str, Any]) -> dict[str, Any]:
        return self.api.describe_rules(RuleArns=[outputs(stack)["RuleRuleArn"]])["Rules"][0]

    def attributes(self, arn: str) -> dict[str, str]:
        if ":loadbalancer/" in arn:
            answer = self.api.describe_load_balancer_attributes(LoadBalancerArn=arn)
        else:
            answer = self.api.describe_target_group_attributes(TargetGroupArn=arn)
        return {item["Key"]: item["Value"] for item in answer["Attributes"]}

    def tags(self, arn: str) -> dict[str, str]:
        described = self.api.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]
        return {tag["Key"]: tag["Value"] for tag in described["Tags"]}


def templated(resources: dict[str, Any]) -> str:
    published = {
        f"{name}{attribute}": {"Value": {"Fn::GetAtt": [name, attribute]}}
        for name, attributes in PUBLISHED.items()
        for attribute in attributes.split()
    }
    return json.dumps({"Resources": resources, "Outputs": published})


def attributes(**given: str) -> list[dict[str, str]]:
    return [{"Key": key.replace("__", "."), "Value": value} for key, value in given.items()]
