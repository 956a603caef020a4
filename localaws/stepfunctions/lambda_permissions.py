"""The permission that a state machine's role needs to invoke a function.

moto invokes every function, whatever the role. On AWS the resource is what the Task names, with its
qualifier, if it has one: permission for a function is none for its versions and aliases
(https://github.com/aws/aws-cdk/issues/19273). A role that does not exist can't be checked: tests of state
machines alone have none, where CreateStateMachine on AWS would refuse it.
"""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError
from moto.iam.exceptions import NotFoundException
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.eval.environment import Environment

from localaws.iam import iam
from localaws.iam.access import Access, arn

_invoke_function = lambda_eval_utils.execute_lambda_function_integration


def invoke(env: Environment, **call: Any) -> None:
    """Invoke the function of a Task if the role of its execution allows it."""
    execution = env.states.context_object.context_object_data["Execution"]
    parameters = call["parameters"]
    resource = arn("lambda", "function:", parameters["FunctionName"])
    if parameters.get("Qualifier"):
        resource = f"{resource}:{parameters['Qualifier']}"
    access = Access("lambda:InvokeFunction", resource)
    try:
        iam.check_role(execution["RoleArn"], execution["Name"], "lambda", [access])
    except NotFoundException:
        pass
    except iam.AccessDeniedError as refusal:
        error: Any = {
            "Error": {"Code": "AccessDeniedException", "Message": str(refusal)},
            "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": str(uuid.uuid4())},
        }
        raise ClientError(error, "Invoke") from refusal
    _invoke_function(env=env, **call)
