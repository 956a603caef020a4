"""The signature of a request.

A Lambda function signs with an access key that contains its name and the version that runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ACCESS_KEY_PREFIX = "function."


def function_access_key(function_name: str, version: str = "$LATEST") -> str:
    """The access key id that the process of a function's version signs its calls with."""
    return f"{_ACCESS_KEY_PREFIX}{function_name}:{version}"


@dataclass(frozen=True)
class Signature:
    """Who signed a request, and for which service."""

    access_key: str
    service: str

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Signature | None:
        """Read it from ``Credential=key/date/region/service/aws4_request`` in Authorization."""
        _, found, scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
        if not found:
            return None
        access_key, _date, _region, service, _ = scope.split(",")[0].split("/")
        return cls(access_key, service)

    @property
    def function(self) -> str | None:
        """The Lambda function that signed the request, or None."""
        version = self.function_version
        return version.partition(":")[0] if version else None

    @property
    def function_version(self) -> str | None:
        """The function's name with the version whose process signed the request, or None."""
        if self.access_key.startswith(_ACCESS_KEY_PREFIX):
            return self.access_key.removeprefix(_ACCESS_KEY_PREFIX)
        return None
