"""The reductions of objects that pickle can't handle by itself."""

from __future__ import annotations

import importlib
import marshal
import pickle
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509 import Certificate, load_der_x509_certificate

LOCK, RLOCK = type(threading.Lock()), type(threading.RLock())


def reduced(obj: Any) -> Any:
    """The result of __reduce__ for an object; NotImplemented if pickle can handle it by itself."""
    if isinstance(obj, types.FunctionType):
        return NotImplemented if _importable(obj) else _reduced_function(obj)
    if isinstance(obj, dict) and type(obj) not in (dict, OrderedDict, defaultdict):
        return _reduced_mapping(obj)
    for kind, reduce in _REDUCED.items():
        if isinstance(obj, kind):
            return reduce(obj)
    return NotImplemented


def _reduced_lock(lock: Any) -> Any:
    if lock.locked():
        raise pickle.PicklingError("a lock that is held")
    return threading.Lock, ()


def _reduced_rlock(lock: Any) -> Any:
    if lock._is_owned() or not lock.acquire(blocking=False):
        raise pickle.PicklingError("a lock that is held")
    lock.release()
    return threading.RLock, ()


def _reduced_reference(reference: Any) -> Any:
    return weakref.ref, (reference(),)


def _reduced_values(values: Any) -> Any:
    return weakref.WeakValueDictionary, (), None, None, iter(list(values.items()))


def _reduced_keys(keys: Any) -> Any:
    return weakref.WeakKeyDictionary, (), None, None, iter(list(keys.items()))


def _reduced_mapping(mapping: dict[Any, Any]) -> Any:
    """An instance of a subclass of dict, without calling the methods of the subclass."""
    base = OrderedDict if isinstance(mapping, OrderedDict) else dict
    state: dict[str, Any] = {"vars": vars(mapping), "items": list(base.items(mapping))}
    if isinstance(mapping, defaultdict):
        state["default_factory"] = mapping.default_factory
    return _made_mapping, (type(mapping),), state, None, None, _set_mapping


def _made_mapping(kind: type[dict[Any, Any]]) -> dict[Any, Any]:
    return kind.__new__(kind)


def _set_mapping(mapping: dict[Any, Any], state: dict[str, Any]) -> None:
    vars(mapping).update(state["vars"])
    base = OrderedDict if isinstance(mapping, OrderedDict) else dict
    for key, value in state["items"]:
        base.__setitem__(mapping, key, value)
    if isinstance(mapping, defaultdict):
        mapping.default_factory = state["default_factory"]


def _reduced_method(method: Any) -> Any:
    # pickle looks a method up by the name of its function, which a patch may have changed.
    return _bound, (method.__func__, method.__self__)


def _bound(function: Callable[..., Any], owner: Any) -> types.MethodType:
    return types.MethodType(function, owner)


def _reduced_key(key: RSAPrivateKey) -> Any:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _key, (der,)


def _key(der: bytes) -> Any:
    return load_der_private_key(der, None)


def _reduced_certificate(certificate: Certificate) -> Any:
    return _certificate, (certificate.public_bytes(Encoding.DER),)


def _certificate(der: bytes) -> Certificate:
    return load_der_x509_certificate(der)


_REDUCED: dict[Any, Callable[[Any], Any]] = {
    LOCK: _reduced_lock,
    RLOCK: _reduced_rlock,
    weakref.ref: _reduced_reference,
    weakref.WeakValueDictionary: _reduced_values,
    weakref.WeakKeyDictionary: _reduced_keys,
    types.MethodType: _reduced_method,
    RSAPrivateKey: _reduced_key,
    Certificate: _reduced_certificate,
}


def _importable(function: types.FunctionType) -> bool:
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def _reduced_function(function: types.FunctionType) -> Any:
    """A lambda or an inner function by its code, because it can't be found by name."""
    module = sys.modules.get(function.__module__)
    if module is None or function.__globals__ is not vars(module):
        raise pickle.PicklingError(f"{function!r} is of no module")
    cells = function.__closure__ or ()
    state = {
        "cells": [cell.cell_contents for cell in cells],
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__qualname__": function.__qualname__,
    }
    made = marshal.dumps(function.__code__), function.__module__, len(cells)
    return _made_function, made, state, None, None, _set_function


def _made_function(code: bytes, module: str, cells: int) -> types.FunctionType:
    closure = tuple(types.CellType() for _ in range(cells))
    return types.FunctionType(
        marshal.loads(code), vars(importlib.import_module(module)), closure=closure
    )


def _set_function(function: types.FunctionType, state: dict[str, Any]) -> None:
    for cell, value in zip(function.__closure__ or (), state.pop("cells"), strict=True):
        cell.cell_contents = value
    for name, value in state.items():
        setattr(function, name, value)
