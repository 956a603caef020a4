"""``python -m tools.pack``: what `make build` does to what `sam build` packed; functions start sooner.

What `sam build` alone packs works as well. botocore carries the API models of every AWS service, three
quarters of the artifact: those that no client of functions/slipway/aws.py is made for go. And a function's
code is read-only, so that Python can't keep what it compiles: without the compiled modules it would do so
at every cold start, for more than half of its time.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
from pathlib import Path

BUILD = Path(__file__).parent.parent / ".aws-sam" / "build"
# The services of functions/slipway/aws.py. tests/unit/tools/test_pack.py reads them there.
KEPT = {
    "cloudwatch",
    "dynamodb",
    "ecr",
    "ecs",
    "elbv2",
    "logs",
    "secretsmanager",
    "sns",
    "ssm",
    "stepfunctions",
}


def pack(build: Path) -> None:
    """Prune and compile every artifact under ``build``; doing so again is fine.

    The interpreter is the one that `sam build` used. Another one's modules would be compiled anew.
    """
    for artifact in sorted(path for path in build.glob("*/") if any(path.glob("*.py"))):
        prune(artifact)
        # Unchecked: the times of files in a package are not those of the files that were compiled.
        compileall.compile_dir(
            artifact,
            quiet=2,
            stripdir=str(artifact),
            workers=1,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def prune(artifact: Path) -> None:
    """Remove the models of services that are never called."""
    data = artifact / "botocore" / "data"
    for service in data.iterdir() if data.is_dir() else ():
        if service.is_dir() and service.name not in KEPT:
            shutil.rmtree(service)


if __name__ == "__main__":
    pack(BUILD)
    sys.exit(0)
