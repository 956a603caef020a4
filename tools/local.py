"""``python -m tools.local``, which is ``make local``: the local AWS with Slipway and its environment.

It listens on LOCALAWS_PORT (4566) until Ctrl-C or SIGTERM, and then exits with 0. It exits with 2 if it
can't listen there, and with 1 if the pipeline can't be built or deployed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from localaws import aws, seed
from localaws.server import LocalAws
from tools import sam
from tools.demo import story

_GUIDE = """
The local AWS is ready. Its service {service} runs nginx, and the plan has short times. In another terminal:

export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={region}
export AWS_ACCESS_KEY_ID=localaws AWS_SECRET_ACCESS_KEY=localaws
export PATH={binaries}:$PATH

# push two healthy images, then one that crashes; before each push, wait until the deployment before has ended
aws ecr put-image --repository-name {repository} --image-tag v1 \\
    --image-manifest '{first}'
aws ecr put-image --repository-name {repository} --image-tag v2 \\
    --image-manifest '{second}'
aws ecr put-image --repository-name {repository} --image-tag v3 \\
    --image-manifest '{crashing}'
# see how the deployments end, what the service runs, and the emails
aws stepfunctions list-executions --state-machine-arn {DeploymentStateMachineArn}
aws ecs describe-services --cluster {cluster} --services {name} \\
    --query 'services[0].deployments'
curl -s {url}/_localaws/emails
# roll back manually
aws stepfunctions start-execution --state-machine-arn {RollbackStateMachineArn} \\
    --input '{{"service": "{service}"}}'
# see the plan
aws ssm get-parameter --name /slipway/repositories/{repository} \\
    --query Parameter.Value --output text

Ctrl-C ends the local AWS.
"""


Around = Callable[[LocalAws], AbstractContextManager[None]]
"""A context manager that is entered after Slipway is deployed, and left before the local AWS stops."""


def port() -> int:
    """The port to listen on."""
    return int(os.environ.get("LOCALAWS_PORT", "4566"))


def cannot_listen(url: str, error: OSError) -> int:
    """Say that nothing can listen there, and how to choose another port; return the exit code."""
    sys.stderr.write(
        f"localaws: can't listen on {url}: {error.strerror}; LOCALAWS_PORT sets another port\n"
    )
    return 2


def main(around: Around = lambda _running: nullcontext()) -> int:
    """Run until a signal, and return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = LocalAws(port())
    try:
        running.start()
    except OSError as error:
        return cannot_listen(running.url, error)
    try:
        _serve(running, around)
    except KeyboardInterrupt:
        pass
    except sam.SamError as error:
        sys.stderr.write(f"localaws: {error}\n")
        return 1
    finally:
        running.stop()
    return 0


def _serve(running: LocalAws, around: Around) -> None:
    sys.stdout.write(f"{running.url} is the local AWS. Building and deploying Slipway ...\n")
    sys.stdout.flush()
    sam.build(story.REPO)
    outputs = story.deploy(running)
    cluster, _, name = story.SERVICE.partition("/")
    guide = _GUIDE.format(
        url=running.url,
        region=aws.REGION,
        binaries=Path(sys.executable).parent,
        repository=story.REPOSITORY,
        service=story.SERVICE,
        cluster=cluster,
        name=name,
        first=seed.manifest("v1"),
        second=seed.manifest("v2"),
        crashing=seed.manifest("v3", {"localaws.behaviour": "crash"}),
        **outputs,
    )
    with around(running):
        sys.stdout.write(guide)
        sys.stdout.flush()
        running.ready(outputs)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
