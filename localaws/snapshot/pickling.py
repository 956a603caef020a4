"""Converts objects of moto and the local AWS to bytes and back, across processes and ports.

pickle alone would lose or refuse some of them:

* A global object of a module (a backend of moto, a resource type) is saved by its name, so that it is
  the same object after loading and not a copy.
* The address of the local AWS in a string (the URL of a queue) is replaced by that of the local AWS that
  loads it.
* The bytes of an artifact are saved once, even if several functions share them.
* An instance of a subclass of dict is saved by its items, not by the results of its methods.
* Free locks, weak references, lambdas and private keys are reduced by reductions.py.

Any other object that can't be pickled (a thread, an open file, a lock that is held) is an error.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle
import sys
import types
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from localaws.snapshot.reductions import LOCK, RLOCK, reduced

_OWNERS = ("moto", "localaws")
"""The packages whose global objects exist in every process."""
_BLOB_BYTES = 64 * 1024
_VALUES: tuple[type, ...] = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
_VALUES += (str, bytes, int, float, tuple, frozenset, types.NoneType, LOCK, RLOCK)
"""Globals that pickle handles itself, or whose identity does not matter."""


class SnapshotError(Exception):
    """The state can't be saved at present."""


def dump(value: Any, url: str) -> tuple[bytes, dict[str, bytes]]:
    """The pickled value without its large bytes, and these by name."""
    file = io.BytesIO()
    pickler = _Pickler(file, url)
    try:
        pickler.dump(value)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise SnapshotError(f"the state holds what can't be saved: {error}") from error
    return file.getvalue(), pickler.blobs


def load(data: bytes, blobs: dict[str, bytes], url: str) -> Any:
    """The value, for the local AWS at this URL."""
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
        return reduced(obj)


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
    """The name of each global by the id of the object: module, variable, and key if it is in a
    dict.
    """
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
