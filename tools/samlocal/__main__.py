"""``python -m tools.samlocal``, which is ``make sam-local``: every function by `sam local invoke`.

Exits with 0 if every answer is as recorded, with 1 if one is not or the build fails, and with 3 if there
is no container engine and none can be made.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tools import sam
from tools.samlocal.engine import REPO, NoEngineError, engine

NO_ENGINE = 3


def main() -> int:
    """Build, find or make an engine, and check the functions where it is; return the exit code."""
    try:
        with engine() as found:
            where = "a private container engine" if found.private else f"the engine on {found.host}"
            sys.stdout.write(f"sam build; then sam local invoke with {found.image} in {where}\n")
            sys.stdout.flush()
            sam.build(REPO)
            check = [sys.executable, "-m", "tools.samlocal.check", found.image, found.gateway]
            return subprocess.run(
                found.command(check), cwd=REPO, env=found.environment(os.environ), check=False
            ).returncode
    except NoEngineError as missing:
        sys.stderr.write(f"sam-local: {missing}\n")
        return NO_ENGINE
    except sam.SamError as error:
        sys.stderr.write(f"sam-local: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
