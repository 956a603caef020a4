"""Measures a cold start in a container: each function's init time and its peak memory.

``python -m tools.bench.containers IMAGE GATEWAY`` runs where the engine is and writes JSON. Each function
gets its events of events/ in an account of its own (tools/samlocal/account.py), in a container with its
memory limit; in_container.py measures there. Starts of the function and of a bare one, which only imports
boto3, take turns.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moto.awslambda.models import lambda_backends

from localaws.aws import ACCOUNT, REGION
from localaws.server import LocalAws
from localaws.signature import function_access_key
from tools.bench import UnexpectedError
from tools.bench.spread import spread
from tools.samlocal import forwarder, path
from tools.samlocal.account import Account
from tools.samlocal.base_image import RUNTIME
from tools.samlocal.check import answer_to
from tools.samlocal.compare import differences, normalised
from tools.samlocal.engine import REPO, NoEngineError, engine
from tools.samlocal.invoke import HOST, LOCAL_URL, env_vars

STARTS = 7  # starts of each function
BARE = "import boto3\n\n\ndef handler(event, context):\n    pass\n"
PYTHON = f"/var/lang/bin/{RUNTIME}"


def measure() -> dict[str, Any]:
    """The artifact's size and each function's numbers; or the reason why there are none, as ``none``."""
    try:
        with engine() as found:
            inside = [sys.executable, "-m", "tools.bench.containers", found.image, found.gateway]
            run = subprocess.run(
                found.command(inside),
                cwd=REPO,
                env=found.environment(os.environ),
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
    except NoEngineError as missing:
        return {"none": str(missing)}
    if run.returncode != 0:
        raise UnexpectedError("the functions could not be measured in containers")
    measured: dict[str, Any] = json.loads(run.stdout)
    return measured


def main(image: str, gateway: str) -> int:
    """Measure every function; return 0."""
    measured: dict[str, list[dict[str, Any]]] = {}
    one_at_a_time = threading.Lock()
    with LocalAws() as aws, Account.seeded(aws) as account, tempfile.TemporaryDirectory() as folder:
        size = _unpack(Path(folder))
        run = _container(account, image, gateway, folder)

        def invoke(function: str, event: Any) -> Any:
            with one_at_a_time:
                earlier = measured.setdefault(function, [])
                earlier.append(run(function, event, 0 if earlier else STARTS))
                return earlier[-1]["answer"]

        port = int(aws.url.rpartition(":")[2])
        with (
            forwarder.forwarded(gateway, port),
            forwarder.forwarded(gateway, account.slack.port),
        ):
            for name, answer in path.answers(account, invoke):
                if list(differences(answer_to(name), normalised(answer))):
                    raise UnexpectedError(f"{name} was answered with {answer}")
    functions = {name: _summary(runs) for name, runs in sorted(measured.items())}
    json.dump({"zipped bytes": size, "functions": functions}, sys.stdout)
    return 0


def _unpack(folder: Path) -> int:
    """Unpack the artifact into ``task``, write the bare function to ``layer``; return the zip's bytes.

    The folder that the local AWS unpacked won't do: its processes leave compiled modules there.
    """
    (code,) = {each.code_bytes for each in lambda_backends[ACCOUNT][REGION].list_functions()}
    with zipfile.ZipFile(io.BytesIO(code)) as artifact:
        artifact.extractall(folder / "task")
    (folder / "layer").mkdir()
    (folder / "layer" / "bare.py").write_text(BARE)
    return len(code)


def _container(
    account: Account, image: str, gateway: str, folder: str
) -> Callable[[str, Any, int], dict[str, Any]]:
    """Returns what runs a function in a container: some starts that are only timed, then an event."""
    functions = account.functions()
    url = f"http://{HOST}:{account.aws.url.rpartition(':')[2]}"
    variables = env_vars(functions, url)
    variables["NotifySlack"]["SLACK_API_URL"] = f"http://{HOST}:{account.slack.port}/api/"
    command = ["docker", "run", "--rm", "--interactive", f"--entrypoint={PYTHON}"]
    # Python finds the modules of layers in /opt/python.
    command += [f"--volume={folder}/task:/var/task:ro", f"--volume={folder}/layer:/opt/python:ro"]
    command += [f"--volume={REPO}/tools/bench:/bench:ro"]
    if forwarder.is_here(gateway):
        command += [f"--add-host={HOST}:{gateway}"]

    def run(function: str, event: Any, starts: int) -> dict[str, Any]:
        configuration = functions[function]
        name = configuration["FunctionName"]
        environment = {
            **variables[function],
            "_HANDLER": configuration["Handler"],
            "AWS_ACCESS_KEY_ID": function_access_key(name),
            "AWS_SECRET_ACCESS_KEY": "localaws",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        }
        options = [f"--env={key}={value}" for key, value in environment.items()]
        options += [f"--memory={configuration['MemorySize']}m"]
        given = {"starts": starts, "event": event, "timeout": configuration["Timeout"]}
        text = json.dumps(given).replace(LOCAL_URL, url)
        done = subprocess.run(
            [*command, *options, image, "/bench/in_container.py"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise UnexpectedError(f"{function} in a container:\n{done.stderr[-4000:]}")
        measured: dict[str, Any] = json.loads(done.stdout)
        return measured

    return run


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The starts of the first run, which has many, and the peak memory of all runs."""
    inits, bare = spread(runs[0]["init_ms"]), spread(runs[0]["bare_ms"])
    return {
        "init_ms": asdict(inits),
        "bare_ms": asdict(bare),
        "times bare": inits.median / bare.median,
        "peak_mb": max(run["peak_mb"] for run in runs),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
