"""``python -m tools.samlocal.namespace FOLDER``: process 1 of a private engine's namespaces.

It runs dockerd until standard input is closed, which happens when the process that started it ends,
however it ends. With process 1, the kernel ends all other processes and removes the interfaces and the
mounts. The engine's data are in memory, so they go, too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

DATA_SIZE = "3g"  # an upper bound; unused memory stays free
STOP_SECONDS = 20


def main(folder: Path) -> int:
    """Run the engine in ``folder`` until the input is closed, remove the folder, and return 0.

    If the engine ends before that, leave its log there for the process that started it, and return 1.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    data = folder / "data"
    data.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={DATA_SIZE},mode=711", "slipway", str(data))
    # A containerd of the machine runs outside and does not see these mounts. Hide it, so that dockerd
    # starts its own. Hide the machine's settings of dockerd as well.
    if Path("/run/containerd").exists():
        _run("mount", "-t", "tmpfs", "slipway", "/run/containerd")
    (folder / "daemon.json").write_text("{}")
    _run("ip", "link", "set", "lo", "up")
    with (folder / "dockerd.log").open("w") as log:
        engine = subprocess.Popen(
            _dockerd(folder, data), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    closed = threading.Event()
    watch = threading.Thread(target=_stop_at_the_end_of_input, args=(engine.pid, closed))
    watch.daemon = True
    watch.start()
    while os.wait()[0] != engine.pid:
        pass  # Process 1 inherits processes whose parents have ended, and has to wait for them.
    _run("umount", "--lazy", str(data))
    _remove_control_groups(folder.name)
    if not closed.is_set():
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _dockerd(folder: Path, data: Path) -> list[str]:
    return [
        "dockerd",
        f"--host=unix://{folder}/docker.sock",
        f"--data-root={data}/root",
        f"--exec-root={data}/exec",
        f"--pidfile={data}/dockerd.pid",
        f"--config-file={folder}/daemon.json",
        # Not systemd's cgroups: systemd does not know these namespaces and refuses such a parent.
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/{folder.name}",
        # No packet leaves these namespaces, so there is nothing to filter, translate or forward.
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _stop_at_the_end_of_input(engine: int, closed: threading.Event) -> None:
    while os.read(0, 1):
        pass
    closed.set()
    os.kill(engine, signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os.kill(engine, signal.SIGKILL)


def _remove_control_groups(name: str) -> None:
    """Remove the containers' cgroups, which no namespace does: in every hierarchy (v1 has several)."""
    root = Path("/sys/fs/cgroup")
    for top in (root / name, *root.glob(f"*/{name}")):
        for place, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):  # one of its processes has not ended yet
                Path(place).rmdir()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
