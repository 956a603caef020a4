"""What it takes to read a secret: the secret itself, and the key that it is encrypted with.

AWS's own keys (``aws/secretsmanager``, ``aws/ssm``) may be used by whoever may read the secret: their key
policies say so. Of any other key the caller needs kms:Decrypt, which Secrets Manager and Systems
Manager ask for in the caller's name.
"""

from __future__ import annotations

from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from localaws.aws import ACCOUNT, REGION
from localaws.iam.access import Access, Parameters, arn


def get_secret_value(action: str, parameters: Parameters) -> list[Access]:
    """A secret is one resource, by whichever of its names it is asked for: its whole ARN."""
    given = parameters["SecretId"]
    secret = secretsmanager_backends[ACCOUNT][REGION].secrets.get(given)
    if secret is None:
        return [Access(action, arn("secretsmanager", "secret:", given))]
    key = getattr(secret, "kms_key_id", None)
    context = {"kms:EncryptionContext:SecretARN": secret.arn}
    return [Access(action, secret.arn), *_decrypting("secretsmanager", key, context)]


def get_parameter(action: str, parameters: Parameters) -> list[Access]:
    """A parameter, and the key of a SecureString that is to be decrypted."""
    given = parameters["Name"]
    resource = arn("ssm", "parameter/", given.removeprefix("/"))
    if not parameters.get("WithDecryption"):
        return [Access(action, resource)]
    name = given if given.startswith("arn:") else given.partition(":")[0]  # a version may follow
    parameter = ssm_backends[ACCOUNT][REGION].get_parameter(name)
    key = parameter.keyid if parameter and parameter.parameter_type == "SecureString" else None
    context = {"kms:EncryptionContext:PARAMETER_ARN": resource}
    return [Access(action, resource), *_decrypting("ssm", key, context)]


def _decrypting(service: str, key: str | None, context: dict[str, str]) -> list[Access]:
    if key is None or "alias/aws/" in key:
        return []
    known = kms_backends[ACCOUNT][REGION]
    resource = arn("kms", "key/", known.any_id_to_key_id(key))
    via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
    return [Access("kms:Decrypt", resource, {**via, **context})]
