"""Prints what the environment costs in a month, as docs/environment.md shows it.

The prices and their sources are in environment/prices.json; the quantities here are those of the templates.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

PRICES = Path(__file__).parent.parent / "environment" / "prices.json"
HOURS = 730
ZONES = 2
TASKS = 2
TASK_VCPU, TASK_GB = Decimal("0.25"), Decimal("0.5")
# ECR has two, CloudWatch Logs one.
ENDPOINTS = 3
WEB_ACL_RULES = 2
DISK_GB = 30
METRICS_OF_DETAILED_MONITORING = 7
# Errors has three metrics, TasksMissing and the load balancer's BadGateway two each; Slow,
# UnhealthyHosts, Busy and Idle one each.
ALARM_METRICS = 3 + 2 + 2 + 1 + 1 + 1 + 1
# InstancesBusy has one, InstancesIdle two, and the two alarms by which a capacity provider scales one each.
ALARM_METRICS_OF_INSTANCES = 1 + 2 + 2


@dataclass(frozen=True)
class Setup:
    """The parameters that change the price, and the name of their column."""

    name: str
    nat_gateways: int = 2
    interface_endpoints: bool = False
    web_acl: bool = False
    instances: int = 0
    """EC2 instances, which take the place of Fargate."""


SETUPS = (
    Setup("try-out", nat_gateways=1),
    Setup("production", nat_gateways=2),
    Setup("production, endpoints and WAF", interface_endpoints=True, web_acl=True),
    Setup("production on EC2", instances=2),
)

BY_USE = {
    "a GB through a NAT gateway": "NAT gateway GB",
    "a GB through an interface endpoint": "interface endpoint GB",
    "through a gateway endpoint": "gateway endpoint",
    "an hour of an LCU (what the load balancer carries)": "LCU hour",
    "a GB to the Internet": "data transfer out GB",
    "a GB between zones, each way": "data transfer between zones GB",
    "a GB to another region (images, replicas)": "data transfer between regions GB",
    "a million requests that WAF inspects": "web ACL request",
    "a GB of logs (containers, ECS Exec, Container Insights)": "logs GB",
    "a GB of flow logs": "flow logs GB",
    "storing a GB of logs for a month": "logs GB month",
    "storing a GB of access logs for a month (S3)": "S3 GB month",
    "storing a GB of images for a month (ECR)": "ECR GB month",
    "a metric that containers send, for a month": "custom metric",
    "an hour of a vCPU beyond the credits of t3 instances": "T3 CPU credit",
    "a million replicated writes of the ledger, in each region": "DynamoDB replicated write request unit",
}


def price(name: str) -> Decimal:
    """The price of one unit, in dollars."""
    entry: dict[str, Any] = json.loads(PRICES.read_text())["prices"][name]
    return Decimal(str(entry["price"]))


def container_insights_metrics(on_instances: bool) -> int:
    """The number of metrics of one service whose tasks have two containers, one with a restart policy.

    AWS's table names the metrics and their dimensions; each metric counts once for each set of dimensions.
    The result is an upper bound, because a task counts both for its service and for its family.
    """
    containers = 2
    by_container = 7 * (1 + 2 * containers + 2 * TASKS * containers)
    # On Fargate, three of them are about its disk.
    by_task = (13 if on_instances else 16) * (3 + 2 * TASKS)
    restarts = 3 + 2 * TASKS + 2 + 2 * TASKS
    of_service, of_cluster = 5, 3 if on_instances else 2
    return by_container + by_task + restarts + of_service + of_cluster


def rows(setup: Setup) -> dict[str, Decimal]:
    """What each row of the first table costs in a month."""
    if setup.instances:
        compute = setup.instances * (
            HOURS * price("t3.small hour")
            + DISK_GB * price("gp3 GB month")
            + METRICS_OF_DETAILED_MONITORING * price("custom metric")
        )
    else:
        vcpu, gb = price("Fargate vCPU hour, Linux/X86"), price("Fargate GB hour, Linux/X86")
        compute = TASKS * HOURS * (TASK_VCPU * vcpu + TASK_GB * gb)
    endpoints = ENDPOINTS * ZONES if setup.interface_endpoints else 0
    alarms = ALARM_METRICS + (ALARM_METRICS_OF_INSTANCES if setup.instances else 0)
    insights = container_insights_metrics(on_instances=bool(setup.instances))
    acl = price("web ACL month") + WEB_ACL_RULES * price("web ACL rule month")
    # The load balancer has one address in each zone; a NAT gateway has one.
    addresses = ZONES + setup.nat_gateways
    amounts = {
        "NAT gateways": setup.nat_gateways * HOURS * price("NAT gateway hour"),
        "public addresses": addresses * HOURS * price("public IPv4 address hour"),
        "load balancer": HOURS * price("Application Load Balancer hour"),
        "compute": compute,
        "interface endpoints": endpoints * HOURS * price("interface endpoint hour"),
        "WAF": acl if setup.web_acl else Decimal(0),
        "KMS key": price("KMS key month"),
        "secret": price("secret month"),
        "alarms": alarms * price("alarm metric"),
        "Container Insights": insights * price("Container Insights metric"),
        "hosted zone": price("hosted zone month"),
    }
    return {
        name: amount.quantize(Decimal("0.01"), ROUND_HALF_UP) for name, amount in amounts.items()
    }


def render() -> str:
    """Both tables: what the environment costs all the time, and what its use costs on top."""
    bills = [rows(setup) for setup in SETUPS]
    lines = [
        _line("$ a month", *(setup.name for setup in SETUPS)),
        "| --- |" + " ---: |" * len(SETUPS),
        *(_line(name, *(_amount(bill[name]) for bill in bills)) for name in bills[0]),
        _line("**total**", *(f"**{sum(bill.values()):,.2f}**" for bill in bills)),
        "",
        _line("on top, for what you use", "$"),
        "| --- | ---: |",
        *(_line(what, _unit_price(price(name))) for what, name in BY_USE.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _unit_price(amount: Decimal) -> str:
    cents = amount.quantize(Decimal("0.01"))
    return str(cents if cents == amount else amount) if amount else "free"


def _amount(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount else ""


if __name__ == "__main__":
    sys.stdout.write(render())
