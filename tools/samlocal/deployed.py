"""The template for `sam local start-lambda`, made from the functions that are deployed.

With the project's own template, all functions would share one role. The SAM CLI sets only variables that
a template declares, so no function could sign with an access key of its own.
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
    """Write the template, and the variables with which the functions find AWS at ``url``.

    Variables of this process's environment would override the template's, but not those of
    ``--env-vars``.
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
    """The name of a function in the template."""
    return re.sub("[^A-Za-z0-9]", "", function.function_name)
