"""Keeps what moto works out anew for each request, or for each backend, though it can't change.

Together these take a third of the time in which moto answers a short request. And it makes more key pairs
than it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from moto.core import responses, utils
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.serialize import (
    DEFAULT_ALIAS_PROVIDERS,
    AttributePicker,
    AttributePickerContext,
    XFormedAttributePicker,
)
from moto.kms import models as kms
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sns.models import Subscription
from typing_extensions import override

from localaws import aws

_possible_keys = AttributePicker.get_possible_keys
_possible_xformed_keys = XFormedAttributePicker.get_possible_keys
_create_account = BackendDict._create_account_specific_backend
_generate_key_pair = kms.generate_private_key  # type: ignore[attr-defined]


class Dispatcher(DomainDispatcherApplication):
    """Finds the backend of a host once.

    moto lists its own directory and tries the patterns of all services for each request.
    """

    def __init__(self, create_app: Any) -> None:
        super().__init__(create_app)
        # A host has a service and a region, but a client may send any region.
        self._backend_for_host = lru_cache(maxsize=256)(super().get_backend_for_host)

    @override
    def get_backend_for_host(self, host: str | None) -> Any:
        return self._backend_for_host(host)


def install() -> None:
    """Put the caches into moto."""
    # inspect.getmembers() sorts some hundred members. The other modules add their methods in install(),
    # before the first request.
    responses.method_names_from_class = cache(  # type: ignore[attr-defined]
        utils.method_names_from_class
    )
    AttributePicker.get_possible_keys = _keys  # type: ignore[method-assign, assignment]
    XFormedAttributePicker.get_possible_keys = _xformed_keys  # type: ignore[method-assign, assignment]
    BackendDict._create_account_specific_backend = _create_if_missing  # type: ignore[method-assign, assignment]
    AccountSpecificBackend._generate_regions = lambda _, service: _regions(service)  # type: ignore[method-assign, assignment]
    Subscription.private_key = lambda _: _signing_key()  # type: ignore[assignment, method-assign]
    kms.generate_private_key = _key_pair_of  # type: ignore[assignment, attr-defined]


def _keys(self: AttributePicker, context: AttributePickerContext) -> Iterable[str]:
    return _kept_keys(self, context, _possible_keys)


def _xformed_keys(self: XFormedAttributePicker, context: AttributePickerContext) -> Iterable[str]:
    return _kept_keys(self, context, _possible_xformed_keys)


def _kept_keys(
    picker: AttributePicker, context: AttributePickerContext, find: Callable[..., Iterable[str]]
) -> Iterable[str]:
    """The names under which an object may hold a member of an answer, kept with the member's shape.

    moto asks six classes for each member of each object. They look at the member and the object's
    class only; other classes than these may look at more.
    """
    if picker.alias_providers is not DEFAULT_ALIAS_PROVIDERS:
        return find(picker, context)
    kept = context.shape.__dict__.setdefault("localaws_keys", {})
    which = find, type(context.obj), context.key
    if which not in kept:
        kept[which] = tuple(find(picker, context))
    return kept[which]  # type: ignore[no-any-return]


def _create_if_missing(self: BackendDict[Any], account: str) -> None:
    # moto takes a lock and looks for self among all backends. Those that hold an account are among them.
    if not dict.__contains__(self, account):
        _create_account(self, account)


@cache
def _regions(service: str) -> list[str]:
    # moto's own cache holds them for one backend, and keeps it alive. All backends of all local AWSs
    # share them here.
    session = aws.session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition_name=partition)
    ]


@cache
def _signing_key() -> RSAPrivateKey:
    # moto makes one for each subscription, which takes a tenth of a second; SNS has one in a region.
    return generate_private_key(public_exponent=65537, key_size=2048)


def _key_pair_of(spec: str) -> Any:
    # moto makes an RSA key for a symmetric key, too, and nothing ever uses it.
    return None if spec == "SYMMETRIC_DEFAULT" else _generate_key_pair(spec)
