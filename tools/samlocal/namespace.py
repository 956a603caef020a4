"""``python -m tools.samlocal.namespace FOLDER``: process 1 of a private engine's namespaces.

Runs dockerd until standard input is closed, which is when whoever started it ends, however that
happens. Then all of this ends: with process 1 the kernel ends every other one, and takes along the
interfaces and the mounts, and so the engine's data, which are in memory.
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

DATA_SIZE = "3g"  # an upper bound; what is not used is not taken
STOP_SECONDS = 20


def main(folder: Path) -> int:
    """Run the engine in ``folder`` until the input is closed, and remove the folder; 0.

    Where the engine ends before that, its log is left there for who started it; 1.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
    data = folder / "data"
    data.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={DATA_SIZE},mode=711", "slipway", str(data))
    # A containerd of the machine's lives outside and sees none of these mounts: out of sight, so that
    # dockerd starts its own. Nor do the machine's settings of dockerd count here.
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
        pass  # whose parent has ended comes to process 1, and is waited for here
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
        # Not systemd's, which knows nothing of these namespaces, and takes no such parent.
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/{folder.name}",
        # No packet leaves these namespaces: there is nothing to filter, to translate or to forward.
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
    """Those of the containers, which no namespace takes along: in each hierarchy (v1) or the one (v2)."""
    root = Path("/sys/fs/cgroup")
    for top in (root / name, *root.glob(f"*/{name}")):
        for place, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):  # a process of it ends later
                Path(place).rmdir()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
