"""The container engine for `sam local`: the one that answers, or a private one.

A private engine runs in network, mount and process namespaces of its own (namespace.py), and so do the
containers, the SAM CLI and the local AWS. They see one another there, and nothing outside sees them. A
private engine needs root on Linux, and Debian's docker.io.

SAM_LOCAL_BASE chooses: ``aws`` is the engine that answers (DOCKER_HOST, or the default socket), with
AWS's base image; ``build`` is a private one, with an image made of this machine (base_image.py). The
default is ``aws`` if an engine answers.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from tools.samlocal import base_image

REPO = Path(__file__).parent.parent.parent
CACHE = REPO / ".cache" / "base-image"
AWS_IMAGE = "public.ecr.aws/lambda/python"
START_SECONDS = 60
NEEDED = ("docker", "dockerd", "ip", "mount", "nsenter", "unshare")
DEFAULT_HOST = "unix:///var/run/docker.sock"


class NoEngineError(Exception):
    """There is no container engine, and none can be made. The message says in one line what is missing."""


@dataclass(frozen=True)
class Engine:
    """A container engine with a base image for the functions."""

    image: str
    host: str
    """The engine's address, in the form of DOCKER_HOST."""
    gateway: str
    """The address of the engine's host in the network of its containers."""
    private: bool
    _enter: tuple[str, ...] = ()

    def command(self, command: Sequence[str]) -> list[str]:
        """The command, changed so that it runs where the engine is."""
        return [*self._enter, *command]

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment, with the engine's address."""
        return {**environment, "DOCKER_HOST": self.host}


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """An engine while the context lasts. NoEngineError if there is none."""
    base = os.environ.get("SAM_LOCAL_BASE") or ("aws" if _answers() else "build")
    if base not in ("aws", "build"):
        raise NoEngineError(f"SAM_LOCAL_BASE is aws or build, not {base!r}")
    with _reachable() if base == "aws" else _private() as found:
        yield found


def answering_gateway() -> str | None:
    """The address of this host in the network of the containers, if an engine answers."""
    try:
        with _client() as client:
            return _gateway(client)
    except (docker.errors.DockerException, requests.RequestException):
        return None


@contextlib.contextmanager
def _reachable() -> Iterator[Engine]:
    image = f"{AWS_IMAGE}:{base_image.RUNTIME.removeprefix('python')}"
    what = "no container engine answers"
    try:
        with _client() as client:
            what = "its engine can't be used"
            if any("rootless" in option for option in client.info()["SecurityOptions"] or ()):
                raise NoEngineError(
                    "the engine is rootless: its containers can't reach this machine's loopback"
                )
            gateway = _gateway(client)
            what = f"{image} can't be pulled"
            if not client.images.list(name=image):
                client.images.pull(image)
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = str(error).splitlines()[0]
        raise NoEngineError(f"{what}, and SAM_LOCAL_BASE is not build: {reason}") from error
    yield Engine(image, os.environ.get("DOCKER_HOST") or DEFAULT_HOST, gateway, private=False)


@contextlib.contextmanager
def _private() -> Iterator[Engine]:
    _check()
    folder = Path(tempfile.mkdtemp(prefix="slipway-engine-"))
    spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    process = subprocess.Popen(
        [
            *spaces,
            "--propagation",
            "private",
            sys.executable,
            "-m",
            "tools.samlocal.namespace",
            folder,
        ],
        cwd=REPO,
        stdin=subprocess.PIPE,  # it closes when this process ends, and that ends the engine
        stdout=subprocess.DEVNULL,
        stderr=(folder / "namespace.log").open("w"),
        start_new_session=True,
    )
    try:
        host = f"unix://{folder}/docker.sock"
        with _started(process, folder, host) as client:
            namespaces = Path(f"/proc/{process.pid}/ns")
            enter = ["nsenter", f"--net={namespaces}/net", f"--mount={namespaces}/mnt"]
            enter += [f"--pid={namespaces}/pid_for_children", f"--wdns={Path.cwd()}"]
            image = base_image.load(client, CACHE)
            yield Engine(image, host, _gateway(client), private=True, _enter=tuple(enter))
    finally:
        process.communicate()  # closes the engine's input, and waits
        shutil.rmtree(folder, ignore_errors=True)


def _check() -> None:
    """Raise NoEngineError if something is missing for a private engine."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NoEngineError("only root on Linux can start a private container engine")
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        raise NoEngineError(
            f"a private container engine needs {', '.join(missing)}:"
            " apt-get install --no-install-recommends docker.io iptables iproute2"
        )


@contextlib.contextmanager
def _started(process: subprocess.Popen[bytes], folder: Path, host: str) -> Iterator[Any]:
    """A client of the engine, as soon as the engine answers."""
    deadline = time.monotonic() + START_SECONDS
    while not _answers(host):
        if process.poll() is not None or time.monotonic() > deadline:
            logs = [folder / name for name in ("dockerd.log", "namespace.log")]
            lines = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
            last = lines[-1:]
            raise NoEngineError(f"a private container engine did not start: {''.join(last)}")
        time.sleep(0.05)
    with _client(host) as client:
        yield client


@contextlib.contextmanager
def _client(host: str | None = None) -> Iterator[Any]:
    settings = {"base_url": host} if host else {}
    client = docker.DockerClient(**settings) if host else docker.from_env()
    with contextlib.closing(client):
        yield client


def _answers(host: str | None = None) -> bool:
    try:
        with _client(host) as client:
            return bool(client.ping())
    except (docker.errors.DockerException, requests.RequestException):
        return False


def _gateway(client: Any) -> str:
    """The gateway of the default network, or the network's first address if it names none."""
    config = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    return str(config.get("Gateway") or ipaddress.ip_network(config["Subnet"])[1])
