"""Turns objects of moto and of the local AWS into bytes and back, across processes and ports.

pickle alone would lose or refuse some of what they hold:

* an object that a module has as a global (a backend of moto's, a resource type of ours) is saved as its
  name, so that it is the same object after loading, not a copy;
* a text with the address of the local AWS (a queue's URL) gets the address of the one that loads it;
* the bytes of an artifact are saved once, however many functions share them;
* a dict of a class of its own is saved as what is in it, not as what its methods make of that;
* a free lock, a weak reference, a lambda and a private key have no pickle of their own, and get one here.

Whatever else has none (a thread, an open file, a lock that is held) is an error.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import marshal
import pickle
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from typing_extensions import override

_OWNERS = ("moto", "localaws")
"""The packages whose globals are the same after loading."""
_BLOB_BYTES = 64 * 1024
_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_VALUES: tuple[type, ...] = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
_VALUES += (str, bytes, int, float, tuple, frozenset, types.NoneType, _LOCK, _RLOCK)
"""Globals that pickle saves right by itself, or that have no identity of interest."""


class SnapshotError(Exception):
    """The state can't be saved as it is."""


def dump(value: Any, url: str) -> tuple[bytes, dict[str, bytes]]:
    """The value without its large bytes, and these by their names."""
    file = io.BytesIO()
    pickler = _Pickler(file, url)
    try:
        pickler.dump(value)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise SnapshotError(f"the state holds what can't be saved: {error}") from error
    return file.getvalue(), pickler.blobs


def load(data: bytes, blobs: dict[str, bytes], url: str) -> Any:
    """The value, for the local AWS that listens there."""
    return _Unpickler(io.BytesIO(data), blobs, url).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, url: str) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.blobs: dict[str, bytes] = {}
        self._globals = dict(_globals())
        self._host = url.partition("//")[2]

    @override
    def persistent_id(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is str:
            return ("text", obj.split(self._host)) if self._host in obj else None
        if kind is bytes:
            return self._bytes(obj)
        if name := self._globals.get(id(obj)):
            return ("global", *name)
        if kind is object:
            raise pickle.PicklingError("an object() that no module has as a global")
        return None

    def _bytes(self, value: bytes) -> Any:
        host = self._host.encode()
        if host in value:
            return ("bytes", value.split(host))
        if len(value) < _BLOB_BYTES:
            return None
        name = hashlib.sha256(value).hexdigest()
        self.blobs[name] = value
        return ("blob", name)

    @override
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, types.FunctionType):
            return NotImplemented if _importable(obj) else _reduced_function(obj)
        if isinstance(obj, dict) and type(obj) not in (dict, OrderedDict, defaultdict):
            return _reduced_mapping(obj)
        for kind, reduced in _REDUCED.items():
            if isinstance(obj, kind):
                return reduced(obj)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, blobs: dict[str, bytes], url: str) -> None:
        super().__init__(file)
        self._blobs = blobs
        self._host = url.partition("//")[2]

    @override
    def persistent_load(self, pid: Any) -> Any:
        kind, *parts = pid
        if kind == "text":
            return self._host.join(*parts)
        if kind == "bytes":
            return self._host.encode().join(*parts)
        if kind == "blob":
            return self._blobs[parts[0]]
        module, name, *key = parts
        found = getattr(importlib.import_module(module), name)
        return found[key[0]] if key else found


def _globals() -> Iterator[tuple[int, tuple[str, ...]]]:
    """The name of each global by the object's id: module, variable, and the key in a dict of objects."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] not in _OWNERS:
            continue
        for variable, value in vars(module).items():
            if isinstance(value, _VALUES) or variable.startswith("__"):
                continue
            if isinstance(value, dict):
                for key, item in value.items():
                    if isinstance(key, str) and type(item).__module__.startswith(_OWNERS):
                        yield id(item), (name, variable, key)
            yield id(value), (name, variable)


# --- what pickle can't do -------------------------------------------------------------------------


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
    """A dict of a class of its own, past what the class makes of its items."""
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
    # pickle would look the method up by its function's name, which a patch need not have kept.
    return _bound, (method.__func__, method.__self__)


def _bound(function: Callable[..., Any], owner: Any) -> types.MethodType:
    return types.MethodType(function, owner)


def _reduced_key(key: RSAPrivateKey) -> Any:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _key, (der,)


def _key(der: bytes) -> Any:
    return load_der_private_key(der, None)


_REDUCED: dict[Any, Callable[[Any], Any]] = {
    _LOCK: _reduced_lock,
    _RLOCK: _reduced_rlock,
    weakref.ref: _reduced_reference,
    weakref.WeakValueDictionary: _reduced_values,
    weakref.WeakKeyDictionary: _reduced_keys,
    types.MethodType: _reduced_method,
    RSAPrivateKey: _reduced_key,
}


def _importable(function: types.FunctionType) -> bool:
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def _reduced_function(function: types.FunctionType) -> Any:
    """By its code: a lambda or an inner function has no name to be found by."""
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
