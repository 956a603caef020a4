"""What is deployed: one small artifact for every function, with boto3 in it."""

from __future__ import annotations

import io
import zipfile

from moto.awslambda.models import lambda_backends

from localaws.aws import ACCOUNT, REGION
from tests.support.account import Account

MOST_BYTES = 20_000_000


def test_the_artifact_has_less_than_20_mb_and_its_own_boto3(account: Account) -> None:
    functions = account.aws.client("lambda").list_functions()["Functions"]
    assert max(each["CodeSize"] for each in functions) < MOST_BYTES
    (code,) = {each.code_bytes for each in lambda_backends[ACCOUNT][REGION].list_functions()}
    with zipfile.ZipFile(io.BytesIO(code)) as artifact:
        names = artifact.namelist()
    assert {"boto3/__init__.py", "botocore/__init__.py"} <= set(names)
