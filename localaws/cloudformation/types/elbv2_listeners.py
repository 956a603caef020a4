"""Listeners of load balancers and their rules in CloudFormation.

moto's CloudFormation drops tags and the weights of target groups. Its Elastic Load Balancing takes
two listeners for one port and HTTPS without a certificate, keeps the certificates of a listener that
changes to HTTP, and does not check the actions of a changed listener.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicatePriorityError,
    ELBClientError,
    PriorityInUseError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeAction, FakeListener, FakeRule
from moto.elbv2.responses import ELBV2Response
from moto.elbv2.ssl_policies import SSL_POLICIES
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick
from localaws.cloudformation.engine.syntax import text
from localaws.cloudformation.types.elbv2 import set_tags

DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"
"""The security policy of an HTTPS listener that names none, unless the console created it."""


class Listener(Resource):
    """A listener. The physical id is the ARN."""

    type = "AWS::ElasticLoadBalancingV2::Listener"
    create_only = frozenset({"LoadBalancerArn"})
    settings = ("Certificates", "DefaultActions", "Port", "Protocol", "SslPolicy")
    properties = frozenset({*create_only, *settings, "Tags"})
    attributes = frozenset({"ListenerArn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        created = call("elbv2", "CreateListener", **properties)
        return str(created["Listeners"][0]["ListenerArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        settings = pick(properties, *self.settings)
        if settings != pick(previous, *self.settings):
            if settings["Protocol"] == "HTTPS":
                settings = {"SslPolicy": DEFAULT_POLICY, **settings}
            call("elbv2", "ModifyListener", ListenerArn=physical_id, **settings)
        set_tags(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("elbv2", "DeleteListener", ListenerArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


class ListenerRule(Resource):
    """A rule of a listener. The physical id is the ARN."""

    type = "AWS::ElasticLoadBalancingV2::ListenerRule"
    create_only = frozenset({"ListenerArn"})
    properties = frozenset({*create_only, "Actions", "Conditions", "Priority", "Tags"})
    attributes = frozenset({"IsDefault", "RuleArn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        created = call("elbv2", "CreateRule", **properties)
        return str(created["Rules"][0]["RuleArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        rule = {"RuleArn": physical_id}
        call("elbv2", "ModifyRule", **rule, **pick(properties, "Actions", "Conditions"))
        if properties["Priority"] != previous["Priority"]:
            priorities = [{**rule, "Priority": properties["Priority"]}]
            call("elbv2", "SetRulePriorities", RulePriorities=priorities)
        set_tags(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("elbv2", "DeleteRule", RuleArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        described = call("elbv2", "DescribeRules", RuleArns=[physical_id])
        return text(described["Rules"][0][name])


def install() -> None:
    """Make listeners keep their settings, and refuse what AWS refuses."""
    create: Any = ELBv2Backend.create_listener
    modify: Any = ELBv2Backend.modify_listener
    handle_creation = ELBV2Response.create_listener

    # moto uses the first of several certificates.
    def handle_creation_checked(self: ELBV2Response) -> ActionResult:
        if len(self._get_param("Certificates", [])) > 1:
            raise _too_many_certificates()
        return handle_creation(self)

    # moto's handler adds a security policy to listeners that need none.
    def create_checked(
        self: ELBv2Backend, load_balancer_arn: str, protocol: str, port: int, **asked: Any
    ) -> FakeListener:
        if protocol != "HTTPS" and asked["ssl_policy"] == DEFAULT_POLICY:
            asked["ssl_policy"] = None
        if balancer := self.load_balancers.get(load_balancer_arn):
            _check_port(balancer.listeners, None, port)
        certificates = [asked["certificate"]] if asked["certificate"] else []
        _check_encryption(self, protocol, asked["ssl_policy"], certificates)
        made: FakeListener = create(
            self, load_balancer_arn=load_balancer_arn, protocol=protocol, port=port, **asked
        )
        return made

    def modify_checked(
        self: ELBv2Backend,
        arn: str,
        port: int | None,
        protocol: str | None,
        ssl_policy: str | None,
        certificates: list[dict[str, str]] | None,
        actions: list[dict[str, Any]] | None,
    ) -> FakeListener:
        listener: Any = self.describe_listeners(None, [arn])[0]
        protocol = protocol or listener.protocol
        given = [certificate["CertificateArn"] for certificate in certificates or []]
        kept = listener.certificates if protocol == "HTTPS" else []
        policy = ssl_policy or (listener.ssl_policy if protocol == "HTTPS" else None)
        balancer = self.load_balancers[listener.load_balancer_arn]
        _check_port(balancer.listeners, listener, port or listener.port)
        _check_encryption(self, protocol, policy, given or kept[:1])
        self._validate_actions([FakeAction(action) for action in actions or []])
        modify(self, arn, port, protocol, ssl_policy, certificates or [], actions or [])
        if protocol != "HTTPS":  # moto keeps settings of HTTPS
            listener.certificate, listener.certificates = None, []
        listener.ssl_policy = policy or (DEFAULT_POLICY if protocol == "HTTPS" else None)
        changed: FakeListener = listener
        return changed

    ELBV2Response.create_listener = handle_creation_checked  # type: ignore[method-assign]
    ELBv2Backend.create_listener = create_checked  # type: ignore[assignment]
    ELBv2Backend.modify_listener = modify_checked  # type: ignore[assignment]
    ELBv2Backend.set_rule_priorities = _set_rule_priorities  # type: ignore[method-assign]


def _set_rule_priorities(
    self: ELBv2Backend, rule_priorities: list[dict[str, Any]]
) -> list[FakeRule]:
    """moto reports a conflict of a rule with itself, or with a rule that moves in the same
    request.
    """
    wanted = {item["RuleArn"]: int(item["Priority"]) for item in rule_priorities}
    if len(set(wanted.values())) < len(rule_priorities):
        raise DuplicatePriorityError(", ".join(map(str, sorted(wanted.values()))))
    rules = self.describe_rules(None, list(wanted))
    for rule in rules:
        (listener,) = self.describe_listeners(None, [rule.listener_arn])
        for other in list(listener.rules.values()):
            if other.arn not in wanted and other.priority == wanted[rule.arn]:
                raise PriorityInUseError
    for rule in rules:
        rule.priority = wanted[rule.arn]
    return rules


def _check_port(
    listeners: dict[str, FakeListener], itself: FakeListener | None, port: int | str
) -> None:
    others = (listener for listener in list(listeners.values()) if listener is not itself)
    if any(str(listener.port) == str(port) for listener in others):
        raise DuplicateListenerError


def _check_encryption(
    backend: ELBv2Backend, protocol: str, ssl_policy: str | None, certificates: list[str]
) -> None:
    if protocol == "HTTP" and (certificates or ssl_policy):
        raise ValidationError("An HTTP listener has neither certificates nor a security policy")
    if protocol != "HTTPS":
        return
    if not certificates:
        raise ELBClientError(
            "ValidationError", "A certificate must be specified for HTTPS listeners"
        )
    if len(certificates) > 1:
        raise _too_many_certificates()
    if not backend._certificate_exists(certificates[0]):
        said = f"Certificate ARN '{certificates[0]}' is not valid"
        raise ELBClientError("CertificateNotFound", said)
    if ssl_policy and ssl_policy not in SSL_POLICIES:
        raise ELBClientError("SSLPolicyNotFound", f"SSL policy '{ssl_policy}' not found")


def _too_many_certificates() -> ELBClientError:
    return ELBClientError("TooManyCertificates", "A listener has one default certificate")
