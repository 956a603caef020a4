"""AWS WAF in CloudFormation, which moto lacks.

moto's WAF keeps what an update leaves out, puts a load balancer behind two web ACLs, deletes a web ACL
in use, and accepts rules, resources and log destinations that AWS refuses.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import elbv2_backends
from moto.wafv2.exceptions import WAFNonexistentItemException, WAFv2ClientError
from moto.wafv2.models import FakeLoggingConfiguration, FakeWebACL, WAFV2Backend
from typing_extensions import override

from localaws.aws import ACCOUNT, REGION
from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)


class WebACL(Resource):
    """A web ACL. The physical id is name, id and scope."""

    type = "AWS::WAFv2::WebACL"
    create_only = frozenset({"Name", "Scope"})
    settings = ("DefaultAction", "Description", "Rules", "VisibilityConfig")
    properties = frozenset({*create_only, *settings, "Tags"})
    attributes = frozenset({"Arn", "Id", "LabelNamespace"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        if properties["Scope"] != "REGIONAL":
            raise NotImplementedError(f"{self.type}: Scope {properties['Scope']}")
        made = {"Name": naming.unique(128), **properties}
        if made.get("Tags") == []:
            del made["Tags"]  # an empty list is refused
        summary = call("wafv2", "CreateWebACL", **made)["Summary"]
        return f"{summary['Name']}|{summary['Id']}|{properties['Scope']}"

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        settings = pick(properties, *self.settings)
        if settings != pick(previous, *self.settings):
            token = self._get(physical_id)["LockToken"]
            call("wafv2", "UpdateWebACL", **_key(physical_id), LockToken=token, **settings)
        arn = self.attribute(physical_id, "Arn")
        update_tags("wafv2", properties, previous, ResourceARN=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        token = self._get(physical_id)["LockToken"]
        call("wafv2", "DeleteWebACL", **_key(physical_id), LockToken=token)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return self._get(physical_id)["WebACL"][name.replace("Arn", "ARN")]

    def _get(self, physical_id: str) -> dict[str, Any]:
        return call("wafv2", "GetWebACL", **_key(physical_id))


class WebACLAssociation(Resource):
    """A web ACL on a load balancer. The physical id is the ARNs of both."""

    type = "AWS::WAFv2::WebACLAssociation"
    properties = frozenset({"ResourceArn", "WebACLArn"})
    create_only = properties

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        call("wafv2", "AssociateWebACL", **properties)
        return f"{properties['ResourceArn']}|{properties['WebACLArn']}"

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        """No property can change in place."""

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        resource = pick(properties, "ResourceArn")
        now = call("wafv2", "GetWebACLForResource", **resource).get("WebACL", {})
        # If it was replaced, the load balancer has another web ACL by now.
        if now.get("ARN") == properties["WebACLArn"]:
            call("wafv2", "DisassociateWebACL", **resource)


class LoggingConfiguration(Resource):
    """The logging of a web ACL. The physical id is the ARN of the web ACL."""

    type = "AWS::WAFv2::LoggingConfiguration"
    create_only = frozenset({"ResourceArn"})
    properties = frozenset(
        {*create_only, "LogDestinationConfigs", "LoggingFilter", "RedactedFields"}
    )

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        self._put(properties)
        return str(properties["ResourceArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._put(properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("wafv2", "DeleteLoggingConfiguration", ResourceArn=physical_id)

    def _put(self, properties: Properties) -> None:
        call("wafv2", "PutLoggingConfiguration", LoggingConfiguration=properties)


def _key(physical_id: str) -> dict[str, str]:
    return dict(zip(("Name", "Id", "Scope"), physical_id.split("|"), strict=True))


def install() -> None:
    """Make WAF replace, refuse and disassociate as AWS does."""
    create: Any = WAFV2Backend.create_web_acl
    update: Any = WAFV2Backend.update_web_acl
    delete = WAFV2Backend.delete_web_acl
    put_logging: Any = WAFV2Backend.put_logging_configuration

    def create_checked(self: WAFV2Backend, *asked: Any) -> FakeWebACL:
        _check_rules(asked[6])
        made: FakeWebACL = create(self, *asked)
        return made

    # moto keeps what is left out; AWS replaces everything.
    def update_all(self: WAFV2Backend, name: str, _id: str, *asked: Any) -> str:
        default_action, rules, description, *others = asked
        _check_rules(rules or [])
        token: str = update(self, name, _id, default_action, rules, description or "", *others)
        if not rules:
            self.get_web_acl(None, name, _id).rules = []
        return token

    def delete_unused(self: WAFV2Backend, name: str, scope: str, _id: str, lock_token: str) -> None:
        # The deletion of a load balancer disassociates its web ACL.
        there = elbv2_backends[ACCOUNT][REGION].load_balancers
        if any(arn in there for arn in self.get_web_acl(None, name, _id).associated_resources):
            raise WAFv2ClientError(
                "WAFAssociatedItemException",
                "AWS WAF couldn't perform the operation because your resource is being used by "
                "another resource or it's associated with another resource.",
            )
        delete(self, name, scope, _id, lock_token)

    def put_checked_logging(
        self: WAFV2Backend, arn: str, destinations: list[str], *others: Any
    ) -> FakeLoggingConfiguration:
        self.get_web_acl(arn, None, None)
        if not all(
            arn.split(":")[-1].split("/")[-1].startswith("aws-waf-logs-") for arn in destinations
        ):
            raise _invalid("LOG_DESTINATION, its name must begin with aws-waf-logs-")
        made: FakeLoggingConfiguration = put_logging(self, arn, destinations, *others)
        return made

    WAFV2Backend.associate_web_acl = _associate  # type: ignore[method-assign]
    WAFV2Backend.create_web_acl = create_checked  # type: ignore[assignment]
    WAFV2Backend.delete_web_acl = delete_unused  # type: ignore[method-assign]
    WAFV2Backend.put_logging_configuration = put_checked_logging  # type: ignore[assignment]
    WAFV2Backend.update_web_acl = update_all  # type: ignore[assignment]


def _associate(self: WAFV2Backend, web_acl_arn: str, resource_arn: str) -> None:
    """moto accepts any resource, and adds a second web ACL to the first."""
    if ":loadbalancer/app/" not in resource_arn:
        raise NotImplementedError(f"wafv2 AssociateWebACL with {resource_arn}")
    if resource_arn not in elbv2_backends[ACCOUNT][REGION].load_balancers:
        raise WAFNonexistentItemException
    wanted = self.get_web_acl(web_acl_arn, None, None)
    self.disassociate_web_acl(resource_arn)
    wanted.associated_resources.append(resource_arn)


def _check_rules(rules: list[dict[str, Any]]) -> None:
    """moto checks no rule."""
    for name in ("Name", "Priority"):
        if len({rule[name] for rule in rules}) < len(rules):
            raise _invalid(f"RULE, two have the same {name}")
    for rule in rules:
        group = rule["Statement"].keys() & {
            "ManagedRuleGroupStatement",
            "RuleGroupReferenceStatement",
        }
        right, wrong = ("OverrideAction", "Action") if group else ("Action", "OverrideAction")
        if right not in rule or wrong in rule:
            raise _invalid(f"RULE_ACTION, {rule['Name']} needs {right} and no {wrong}")


def _invalid(what: str) -> WAFv2ClientError:
    text = f"Error reason: You have used an invalid parameter: {what}"
    return WAFv2ClientError("WAFInvalidParameterException", text)
