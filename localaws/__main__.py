"""``python -m localaws``, which is ``make local``: the local AWS with the pipeline deployed to it.

Listens on LOCALAWS_PORT (4566) until Ctrl-C or SIGTERM, and then ends with exit code 0. Ends with 2
when it can't listen there, with 1 when the pipeline can't be built or deployed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from localaws import aws, sam
from localaws.server import LocalAws

_REPO = Path(__file__).resolve().parents[1]
_MANIFEST = (
    '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",'
    ' "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest":'
    ' "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, "layers": [],'
    ' "annotations": {"localaws.behaviour": "healthy"}}'
)
_GUIDE = """
The local AWS is ready. In another terminal:

export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={region}
export AWS_ACCESS_KEY_ID=localaws AWS_SECRET_ACCESS_KEY=localaws
{outputs}

# look around
aws stepfunctions list-state-machines
# say where a repository's images go: plan.json as docs/plan.schema.json describes
aws ssm put-parameter --name /slipway/repositories/api --type String --value file://plan.json
# push an image
aws ecr create-repository --repository-name api
aws ecr put-image --repository-name api --image-tag main-1 --image-manifest '{manifest}'
# or deploy by hand
aws stepfunctions start-execution --state-machine-arn "$ReleaseStateMachineArn" \\
    --input '{{"repository": "api", "tag": "main-1"}}'
# see what became of it
aws stepfunctions list-executions --state-machine-arn "$ReleaseStateMachineArn"
curl {url}/_localaws/mails

Ctrl-C ends it.
"""


def main() -> int:
    """Run until a signal; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = LocalAws(int(os.environ.get("LOCALAWS_PORT", "4566")))
    try:
        running.start()
    except OSError as error:
        sys.stderr.write(f"localaws: can't listen on {running.url}: {error.strerror}\n")
        return 2
    try:
        _serve(running)
    except KeyboardInterrupt:
        pass
    except sam.SamError as error:
        sys.stderr.write(f"localaws: {error}\n")
        return 1
    finally:
        running.stop()
    return 0


def _serve(running: LocalAws) -> None:
    sys.stdout.write(f"{running.url} listens; building and deploying the pipeline ...\n")
    sys.stdout.flush()
    sam.build(_REPO)
    outputs = sam.deploy(running, _REPO)
    guide = _GUIDE.format(
        url=running.url,
        region=aws.REGION,
        outputs="\n".join(f"export {name}={value}" for name, value in outputs.items()),
        manifest=_MANIFEST,
    )
    sys.stdout.write(guide)
    sys.stdout.flush()
    running.ready(outputs)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
