"""The WSGI application in front of moto: clear errors, and checks of the calls that functions make.

moto answers an action that it does not implement with an HTML traceback and status 500. SDKs retry
that and then can't parse it. Here the answer is the error NotImplemented in the protocol of the
service, with status 501, which no SDK retries. A crash of the local AWS is answered in the same way,
as InternalFailure.

A Lambda function signs its calls with an access key that contains its name (signature.py), and AssumeRole
gives each session an access key of its own, so these callers are known. The role of the function or of the
session has to allow the call (iam/iam.py). ``GET /_localaws/calls`` lists the calls of functions, refused
ones too, with the permissions that each needed and its duration in milliseconds. A fault may then hit a
call that is allowed (faults/faults.py).
"""

from __future__ import annotations

import io
import json
import logging
import time
import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.moto_server.werkzeug_app import (
    BackendRequest,
    create_backend_app,
)
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from localaws import action_names, changes
from localaws.caching import Dispatcher
from localaws.cloudformation.types import custom
from localaws.events import schedules
from localaws.faults import api, effects, faults
from localaws.iam import iam, required_permissions
from localaws.signature import Signature
from localaws.sns import sns

_log = logging.getLogger(__name__)

_QUESTIONS = (b"BatchGet", b"Describe", b"Get", b"List", b"Query", b"Receive", b"Scan")

# moto logs a warning for each error that is neither in the model of the service nor in this list.
COMMON_ERROR_CODES.extend(
    ("NotImplemented", "InternalFailure", "AccessDenied", "AccessDeniedException")
)


def _create_app(service: Any) -> Any:
    """moto's application of a service, without what each request pays for in Flask's debug mode."""
    app = create_backend_app(service)
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


class _LocalAwsError(ServiceException):
    """An error that belongs to no service. moto looks for the shape of an error in the service of
    its module.
    """


class Application:
    """The WSGI application: the endpoints of the local AWS, and moto behind the checks of this
    module.
    """

    def __init__(self) -> None:
        self.outputs: dict[str, str] | None = None  # of the stack; None until it is deployed
        self.calls: list[dict[str, Any]] = []  # of functions
        self._moto = Dispatcher(_create_app)
        faults.reset()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        answer = self._own if path.startswith("/_localaws/") else self._aws
        return answer(environ)(environ, start_response)

    def _own(self, environ: dict[str, Any]) -> Response:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = _buffered(environ)  # whole, so that the connection can be used again
        if path == "/_localaws/ready":
            return _json(self.outputs or {}, 503 if self.outputs is None else 200)
        if path == "/_localaws/emails":
            return _json(sns.mails())
        if path == "/_localaws/calls":
            return _json(self.calls)
        if path.startswith(custom.ENDPOINT) and method == "PUT":
            return _json(*custom.answer(path.removeprefix(custom.ENDPOINT), body))
        if path.startswith(schedules.ENDPOINT) and method == "POST":
            return _json(*schedules.fire(path.removeprefix(schedules.ENDPOINT)))
        if f"{path}/".startswith(f"{api.PATH}/"):
            return _json(*api.answer(method, path, body))
        return _json({"message": f"no such endpoint: {method} {path}"}, 404)

    def _aws(self, environ: dict[str, Any]) -> Response:
        began = time.perf_counter()
        body = _buffered(environ)
        signature = Signature.of(environ)
        call: dict[str, Any] = {"ms": None}  # until the call is answered
        try:
            if refused := self._refused(signature, environ, body, call):
                return refused
            response = self._answered(signature, environ, body)
        except effects.DroppedError:
            raise
        except NotImplementedError as missing:
            return _failure(signature, environ, body, "NotImplemented", str(missing))
        except Exception as crash:  # noqa: BLE001 - the caller gets an error that it can read
            _log.exception("the local AWS failed")
            return _failure(signature, environ, body, "InternalFailure", repr(crash))
        finally:
            call["ms"] = (time.perf_counter() - began) * 1000
            if not _asks(environ, body):
                changes.announce()
        if response.status_code == 404 and response.data.startswith(b"<!doctype html>"):
            return _failure(signature, environ, body, "NotImplemented", "moto has no such route")
        return response

    def _answered(
        self, signature: Signature | None, environ: dict[str, Any], body: bytes
    ) -> Response:
        """Answer a request that its caller may make, with the effect of a fault if one hits it."""
        do = partial(Response.from_app, self._moto, environ, buffered=True)
        service = action_names.prefix(signature.service) if signature else ""
        operation = _operation(signature, environ, body) if faults.concern(service) else None
        if signature is None or operation is None:
            return do()
        met = effects.call(f"{service}:{operation.name}", signature.function, environ, body)
        parameters = partial(_parameters, operation, environ, body)
        answer = effects.answer(met, environ, operation, parameters, do)
        return answer if isinstance(answer, Response) else _error(operation, environ, *answer)

    def _refused(
        self,
        signature: Signature | None,
        environ: dict[str, Any],
        body: bytes,
        call: dict[str, Any],
    ) -> Response | None:
        """Record a function's call, and return the refusal if the role of the function, or of a
        session, does not allow a call.
        """
        caller = iam.caller(signature) if signature else None
        if signature is None or caller is None:
            return None
        operation = _operation(signature, environ, body)
        if operation is None:
            raise NotImplementedError("moto has no such route")
        service = action_names.prefix(signature.service)
        permissions: list[str] = []
        if signature.function:
            call.update(
                function=signature.function,
                service=service,
                action=operation.name,
                permissions=permissions,
            )
            self.calls.append(call)
        action = f"{service}:{operation.name}"
        needed = required_permissions.rule_for(action)(
            action, _parameters(operation, environ, body)
        )
        permissions += [access.action for access in needed]
        try:
            iam.check_role(caller.role, caller.session, service, needed)
        except iam.AccessDeniedError as refusal:
            return _error(operation, environ, refusal.code, str(refusal), refusal.status)
        return None


def _asks(environ: dict[str, Any], body: bytes) -> bool:
    """Whether a request changes nothing, by the name of its action."""
    if environ["REQUEST_METHOD"] == "GET":
        return True
    if body.startswith(b"Action="):
        return body.removeprefix(b"Action=").startswith(_QUESTIONS)
    named = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    path = environ["PATH_INFO"].rpartition("/")[2]  # CBOR's ends with the action
    return str(named or path).encode().startswith(_QUESTIONS)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")


def _buffered(environ: dict[str, Any]) -> bytes:
    """Read the body and replace it by a copy, so that it can be read again."""
    if environ.get("wsgi.input_terminated"):  # chunked
        body: bytes = environ["wsgi.input"].read()
        environ["CONTENT_LENGTH"] = str(len(body))
        del environ["wsgi.input_terminated"], environ["HTTP_TRANSFER_ENCODING"]
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _operation(
    signature: Signature | None, environ: dict[str, Any], body: bytes
) -> OperationModel | None:
    """The operation in botocore's model that a request calls."""
    if signature is None:
        return None
    service = action_names.model_name(signature.service)
    request = BackendRequest({**environ, "wsgi.input": io.BytesIO(body)})
    try:
        operation, _ = get_service_router(service).match(request)
    except NotFound:
        return None
    return operation


def _parameters(operation: OperationModel, environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The parameters of a request."""
    request = BackendRequest({**environ, "wsgi.input": io.BytesIO(body)})
    _, url_params = get_service_router(operation.service_model.service_name).match(request)
    parser = PROTOCOL_PARSERS[_protocol(operation, environ)](operation)
    parsed: dict[str, Any] = parser.parse(
        {
            "method": request.method,
            "url_path": request.path,
            "values": request.values,
            "headers": request.headers,
            "url_params": url_params,
            "body": body,
        }
    )
    return parsed


def _protocol(operation: OperationModel, environ: dict[str, Any]) -> str:
    return determine_request_protocol(operation.service_model, environ.get("CONTENT_TYPE", ""))


def _failure(
    signature: Signature | None, environ: dict[str, Any], body: bytes, code: str, reason: str
) -> Response:
    """The answer to a request that the local AWS can't handle."""
    operation = _operation(signature, environ, body)
    if operation is None:
        request = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO')}"
        return _json({"__type": code, "message": f"the local AWS: {request}: {reason}"}, 501)
    name = f"{operation.service_model.service_name} {operation.name}"
    return _error(operation, environ, code, f"the local AWS: {name}: {reason}", 501)


def _error(
    operation: OperationModel, environ: dict[str, Any], code: str, message: str, status: int
) -> Response:
    """An error in the protocol of the service."""
    service = operation.service_model.service_name
    serializer = get_serializer_class(service, _protocol(operation, environ))(
        operation_model=operation
    )
    answer = serializer.serialize(_LocalAwsError(code, message))
    # Every answer of AWS has a request id.
    headers = {**answer["headers"], "x-amzn-RequestId": str(uuid.uuid4())}
    return Response(answer["body"], status, headers)
