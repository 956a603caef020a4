"""Why something is so: the cause behind every verdict, every gate and every end that is not as wished.

It is carried as data, beside the sentence that people read: nothing is decided by the sentence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Cause(StrEnum):
    """Why."""

    meaning: str
    """In a few words."""

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member with its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    IMAGE = "IMAGE", "its tasks exit, fail their health checks, or can't start"
    CONFIGURATION = "CONFIGURATION", "a plan, a manual start or a setting in AWS is wrong"
    ALARM = "ALARM", "an alarm fired"
    UNREADABLE = "UNREADABLE", "an alarm can't be read, which is neither good nor bad"
    TIMEOUT = "TIMEOUT", "it was not healthy in time"
    ECS = "ECS", "ECS marked its service deployment as failed, and no task says why"
    PERSON = "PERSON", "a person or a stack changed the service, or a person asked for it"
    NEWER_RELEASE = (
        "NEWER_RELEASE",
        "another deployment, of a newer release, has claimed the service",
    )
    QUARANTINED = "QUARANTINED", "the image is quarantined on the service"
    FROZEN = "FROZEN", "a freeze is in force"
    NO_TARGET = "NO_TARGET", "there is nothing to roll back to"
    INTERRUPTED = "INTERRUPTED", "its execution was stopped, ran out of time, or crashed"
    ERROR = "ERROR", "a call to AWS failed, or a step of Slipway's own"
