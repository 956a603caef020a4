"""What `sam local start-lambda` gets of the functions: a template made of what is deployed.

With the project's own template, all functions would have one role: the SAM CLI takes values only for
the variables that a template declares, so none could sign with an access key of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from moto.awslambda.models import LambdaFunction

from localaws.lambda_ import code, pool
from localaws.signature import function_access_key

TEMPLATE, ENV_VARS = "template.json", "env.json"


def write(folder: Path, functions: Iterable[LambdaFunction], url: str) -> None:
    """What start-lambda reads about the functions, which are to find AWS at ``url``.

    A variable of our own environment would have the last word, but for those of ``--env-vars``.
    """
    variables = {logical_id(each): _variables(each, url) for each in functions}
    resources = {
        logical_id(each): {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": each.run_time,
                "Architectures": each.architectures,
                "Code": str(code.task_folder(each.code_bytes, each.code_sha_256)),
                "Handler": each.handler,
                "MemorySize": each.memory_size,
                "Timeout": int(each.timeout),
                "Environment": {"Variables": variables[logical_id(each)]},
            },
        }
        for each in functions
    }
    (folder / ENV_VARS).write_text(json.dumps(variables))
    (folder / TEMPLATE).write_text(json.dumps({"Resources": resources}))


def _variables(function: LambdaFunction, url: str) -> dict[str, str]:
    logging = pool.logging_config(function)
    return {
        **function.environment_vars,
        "AWS_ACCESS_KEY_ID": function_access_key(function.function_name),
        "AWS_SECRET_ACCESS_KEY": "localaws",
        "AWS_ENDPOINT_URL": url,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
    }


def logical_id(function: LambdaFunction) -> str:
    """What the template calls a function."""
    return re.sub("[^A-Za-z0-9]", "", function.function_name)
