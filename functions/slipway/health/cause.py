"""The cause of every verdict, gate and outcome that is not a success.

A cause is data and goes with the sentence that people read. The code decides by the cause, never by the
sentence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from slipway.errors import Superseded, SupersededByPerson


class Cause(StrEnum):
    """Why a verdict was FAILED or SUPERSEDED, a gate was closed, or a deployment did not succeed."""

    meaning: str
    """What the cause means, in a few words for people."""
    quarantines: bool
    """Whether the image of a deployment that failed for it is quarantined."""

    def __new__(cls, value: str, meaning: str) -> Self:
        """Create a member from its value and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.quarantines = value in ("IMAGE", "ALARM")
        return member

    IMAGE = "IMAGE", "the tasks exit, fail their health checks, or can't start"
    INJECTED = (
        "INJECTED",
        "a container that AWS adds to the tasks, such as Service Connect's proxy, ended them",
    )
    CONFIGURATION = (
        "CONFIGURATION",
        "a plan, the input of a manual deployment or rollback, or a setting in AWS is wrong",
    )
    CAPACITY = "CAPACITY", "ECS had no place for the tasks"
    ALARM = "ALARM", "an alarm of the plan, or of the service itself, fired"
    UNREADABLE = (
        "UNREADABLE",
        "the service or an alarm could not be read, so nobody knows whether all was well",
    )
    TIMEOUT = "TIMEOUT", "the service was not healthy in time"
    ECS = (
        "ECS",
        "ECS marked its own deployment as failed, or an essential container ended, and nothing shows why",
    )
    PERSON = (
        "PERSON",
        "a person or a stack changed the service, or a person rolled it back manually or freed it",
    )
    NEWER_RELEASE = (
        "NEWER_RELEASE",
        "a newer release has the service or waits for it, or another one took it from a silent execution",
    )
    QUARANTINED = "QUARANTINED", "the image is quarantined on the service"
    FROZEN = "FROZEN", "a freeze is in force"
    NO_TARGET = "NO_TARGET", "there is no version to roll back to, or `to` may mean several"
    GONE_BACK = (
        "GONE_BACK",
        "the service has rolled back already, and no person has said to go back further",
    )
    INTERRUPTED = (
        "INTERRUPTED",
        "the deployment's execution was stopped, ran out of time, or crashed",
    )
    ERROR = "ERROR", "a call to AWS failed, or a step of Slipway failed"


def cause_of(superseded: Superseded) -> Cause:
    """What has taken the service from a deployment: a person, or another release."""
    return Cause.PERSON if isinstance(superseded, SupersededByPerson) else Cause.NEWER_RELEASE
