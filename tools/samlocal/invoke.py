"""The two ways to invoke a function: by the local AWS's own Lambda, and by `sam local invoke`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localaws.signature import function_access_key
from tools import sam
from tools.demo import story
from tools.samlocal import forwarder
from tools.samlocal.account import EVENTS, PARAMETERS, Account
from tools.samlocal.path import Invoke

# The name of the host in containers of Docker Desktop. For other engines, --add-host adds it.
HOST = "host.docker.internal"
LOCAL_URL = f"http://{HOST}:4566"
"""The address of `make local` for containers, and for answers in the recorded events."""
VARIABLES = EVENTS / "local-env.json"


def by_the_local_aws(account: Account) -> Invoke:
    """Invokes functions as processes of the local AWS (localaws/lambda_/awslambda.py)."""
    functions = account.functions()
    names = {name: each["FunctionName"] for name, each in functions.items()}
    variables = functions["NotifySlack"]["Environment"]["Variables"]
    variables["SLACK_API_URL"] = f"http://127.0.0.1:{account.slack.port}/api/"
    account.aws.client("lambda").update_function_configuration(
        FunctionName=names["NotifySlack"], Environment={"Variables": variables}
    )

    def invoke(function: str, event: Any) -> Any:
        payload = json.dumps(event).replace(LOCAL_URL, account.aws.url)
        answer = account.aws.client("lambda").invoke(FunctionName=names[function], Payload=payload)
        return json.loads(answer["Payload"].read())

    return invoke


@contextmanager
def by_sam_local(account: Account, image: str, gateway: str) -> Iterator[Invoke]:
    """Invokes functions in the SAM CLI's containers, with their deployed variables and roles."""
    functions = account.functions()
    port = int(account.aws.url.rpartition(":")[2])
    url = f"http://{HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="slipway-sam-local-") as folder:
        variables = Path(folder) / "env.json"
        given = env_vars(functions, url)
        given["NotifySlack"]["SLACK_API_URL"] = f"http://{HOST}:{account.slack.port}/api/"
        variables.write_text(json.dumps(given))
        command = [str(Path(sys.executable).parent / "sam"), "local", "invoke", "--template"]
        command += [str(sam.copy_build(story.REPO, Path(folder) / "build"))]
        options = ["--env-vars", str(variables), "--skip-pull-image", "--invoke-image", image]
        options += sam.as_arguments(sam.parameters(story.REPO, "build", PARAMETERS))
        if forwarder.is_here(gateway):
            options += ["--add-host", f"{HOST}:{gateway}"]

        def invoke(function: str, event: Any) -> Any:
            payload = json.dumps(event).replace(LOCAL_URL, url)
            key = function_access_key(functions[function]["FunctionName"])
            return _run([*command, function, "--event", "-", *options], payload, key)

        with (
            forwarder.forwarded(gateway, port),
            forwarder.forwarded(gateway, account.slack.port),
        ):
            yield invoke


def env_vars(functions: Mapping[str, Any], url: str) -> dict[str, dict[str, str]]:
    """The value of ``--env-vars``: each function's variables when deployed, and the address of AWS.

    The SAM CLI does not resolve the template's references to resources, and sets only variables that the
    template declares.
    """
    return {
        name: {**configuration["Environment"]["Variables"], "AWS_ENDPOINT_URL": url}
        for name, configuration in sorted(functions.items())
    }


def _run(command: list[str], payload: str, access_key: str) -> Any:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_ACCESS_KEY_ID": access_key}
    run = subprocess.run(
        command,
        cwd=story.REPO,
        env=environment,
        input=payload,
        capture_output=True,
        text=True,
        check=False,
    )
    # It exits with 0 even if the handler raised an exception; the answer says so.
    lines = run.stdout.splitlines()
    if run.returncode != 0 or not lines:
        raise sam.SamError(f"sam local invoke ended with {run.returncode}:\n{run.stderr[-4000:]}")
    return json.loads(lines[-1])
