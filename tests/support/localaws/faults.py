"""A Lambda function, in processes of its own, that makes one call to AWS."""

from __future__ import annotations

import io
import json
import sys
import textwrap
import uuid
import zipfile
from typing import Any

from localaws.server import LocalAws
from localaws.sns import sns
from tests.support.localaws.iam import TRUST, allow, document

# It signs the request itself, because its artifact contains no boto3.
PUBLISH = """
    import os, socket, urllib.error, urllib.parse, urllib.request

    def handler(event, context):
        if event.get("port"):  # connecting says that it runs; the byte lets it go on
            with socket.create_connection(("127.0.0.1", event["port"])) as line:
                line.recv(1)
        key = os.environ["AWS_ACCESS_KEY_ID"]
        scope = f"Credential={key}/20261122/us-east-1/sns/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=a, Signature=b",
            "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"],
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = {"Action": "Publish", "Version": "2010-03-31"}
        form |= {"TopicArn": event["topic"], "Message": event["text"]}
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)
        try:
            return str(urllib.request.urlopen(request).status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except ConnectionError:
            return "no answer"
"""


def artifact(source: str) -> bytes:
    """A zip file with a function's code."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", textwrap.dedent(source))
    return packed.getvalue()


class Publisher:
    """A function that publishes texts to a topic of its own, and the texts that the topic received."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.sns = aws, aws.client("sns")
        self.name = f"publisher-{uuid.uuid4()}"
        self.topic: str = self.sns.create_topic(Name=self.name)["TopicArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="a@example.com")
        iam = aws.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=TRUST)["Role"]
        iam.put_role_policy(
            RoleName=self.name,
            PolicyName="inline",
            PolicyDocument=document(allow("sns:Publish", self.topic)),
        )
        aws.client("lambda").create_function(
            FunctionName=self.name,
            Role=role["Arn"],
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Code={"ZipFile": artifact(PUBLISH)},
            Timeout=30,
        )

    def event(self, text: str, port: int | None = None) -> dict[str, Any]:
        return {"topic": self.topic, "text": text, "port": port}

    def invoke(self, text: str, port: int | None = None) -> Any:
        """The status of its call, "no answer" if none came, or the error that the function raised."""
        payload = json.dumps(self.event(text, port))
        answer = self.aws.client("lambda").invoke(FunctionName=self.name, Payload=payload)
        return json.loads(answer["Payload"].read())

    @property
    def published(self) -> list[str]:
        return [mail["text"] for mail in sns.mails() if mail["topic"] == self.topic]
