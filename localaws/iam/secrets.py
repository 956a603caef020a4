"""The permissions to read a secret: for the secret itself, and for the key that encrypts it.

AWS's own keys (``aws/secretsmanager``, ``aws/ssm``) may be used by everybody who may read the secret;
their key policies say so. Any other key needs kms:Decrypt, which Secrets Manager and Systems Manager
request on behalf of the caller.
"""

from __future__ import annotations

from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from localaws.aws import ACCOUNT, REGION
from localaws.iam.access import Access, Parameters, arn


def get_secret_value(action: str, parameters: Parameters) -> list[Access]:
    """A secret is one resource under each of its names: its full ARN."""
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
