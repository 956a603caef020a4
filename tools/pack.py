"""``python -m tools.pack``: makes the package of `sam build` smaller, so that functions start faster.

The package works without this, too. botocore has the API models of every AWS service, three quarters of
the artifact; this removes those for which functions/slipway/aws.py makes no client. It also adds the
compiled modules. A function's code is read-only, so otherwise Python would compile every module at each
cold start, which takes more than half of its time.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
from pathlib import Path

BUILD = Path(__file__).parent.parent / ".aws-sam" / "build"
# The services of functions/slipway/aws.py; tests/unit/tools/test_pack.py compares the two.
KEPT = {
    "cloudwatch",
    "dynamodb",
    "ecr",
    "ecs",
    "elbv2",
    "lambda",
    "logs",
    "secretsmanager",
    "sns",
    "ssm",
    "stepfunctions",
}


def pack(build: Path) -> None:
    """Prune and compile every artifact under ``build``. It may be repeated.

    The interpreter must be the one of `sam build`; another one can't use the compiled modules.
    """
    for artifact in sorted(path for path in build.glob("*/") if any(path.glob("*.py"))):
        prune(artifact)
        # Python does not check these against the sources, because packing changes the files' times.
        compileall.compile_dir(
            artifact,
            quiet=2,
            stripdir=str(artifact),
            workers=1,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def prune(artifact: Path) -> None:
    """Remove the API models of services that Slipway does not call."""
    data = artifact / "botocore" / "data"
    for service in data.iterdir() if data.is_dir() else ():
        if service.is_dir() and service.name not in KEPT:
            shutil.rmtree(service)


if __name__ == "__main__":
    pack(BUILD)
    sys.exit(0)
