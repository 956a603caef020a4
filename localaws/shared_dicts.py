"""Lets a thread walk what moto keeps in dicts while other threads change them.

moto's backends loop over their dicts in more than 250 places: CreateListener over all target groups,
DescribeSubnets over all subnets, each check of a role over all roles. Here requests, the schedulers of ECS
and EventBridge, and deliveries run on threads of their own, and each of these loops failed ("OrderedDict
mutated during iteration") if another thread added something meanwhile. A walk over one of the dicts of
this module is a walk over a list, which the interpreter fills before it runs another thread. S3's keys are
such a dict in moto itself.

A lock held for each request would not do: threads that answer no request walk the same dicts, and requests
that wait for other requests (Invoke, SetAlarmState, CreateChangeSet) would have to let go of it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, KeysView
from typing import Any

from moto.awslambda.models import LambdaStorage
from moto.core.base_backend import BaseBackend
from moto.core.common_models import BaseModel
from moto.secretsmanager.models import SecretsStore
from moto.ssm.models import ParameterDict
from moto.utilities.tagging_service import TaggingService


def _iter(self: dict[Any, Any]) -> Iterator[Any]:
    return iter([*_base(self).__iter__(self)])


def _keys(self: dict[Any, Any]) -> KeysView[Any]:
    return dict.fromkeys([*_base(self).__iter__(self)]).keys()  # which may be asked for a key, too


def _values(self: dict[Any, Any]) -> list[Any]:
    return [*_base(self).values(self)]


def _items(self: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return [*_base(self).items(self)]


def _base(shared: dict[Any, Any]) -> type[dict[Any, Any]]:
    return OrderedDict if isinstance(shared, OrderedDict) else dict


_WALKS = {"__iter__": _iter, "keys": _keys, "values": _values, "items": _items}


class SharedDict(dict[Any, Any]):
    """A dict that a thread may walk while others change it."""


class SharedOrderedDict(OrderedDict[Any, Any]):
    """The same of an OrderedDict."""


class SharedDefaultDict(defaultdict[Any, Any]):
    """The same of a defaultdict."""


def install() -> None:
    """Put shared dicts in the place of those that moto's backends and their resources keep."""
    for kind in (SharedDict, SharedOrderedDict, SharedDefaultDict, ParameterDict, SecretsStore):
        for name, walk in _WALKS.items():
            setattr(kind, name, walk)
    for owner in (BaseBackend, BaseModel, LambdaStorage, TaggingService):
        owner.__setattr__ = _set  # type: ignore[method-assign]


def _set(self: object, name: str, value: Any) -> None:
    # A resource may be given a dict that its maker goes on to fill. One that is empty is its own.
    if isinstance(value, dict) and (not value or isinstance(self, BaseBackend)):
        value = _shared(value)
    object.__setattr__(self, name, value)


def _shared(value: dict[Any, Any]) -> dict[Any, Any]:
    if type(value) is dict:
        return SharedDict(value)
    if type(value) is OrderedDict:
        return SharedOrderedDict(value)
    if type(value) is defaultdict:
        factory = SharedDict if value.default_factory is dict else value.default_factory
        return SharedDefaultDict(factory, value)
    return value
