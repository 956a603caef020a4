"""ECR: PutImage as a push, and the events of pushes and deletions."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.ecr import manifest
from localaws.server import LocalAws
from tests.support.waiting import wait_for

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def image(name: str, **more: Any) -> str:
    """A manifest that no other image has."""
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": 1, "digest": "sha256:" + "0" * 64},
        "layers": [],
        "annotations": {"name": name, **more},
    }
    return json.dumps(content, indent=1)


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def push(aws: LocalAws, repository: str, text: str, tag: str | None = None, **more: Any) -> str:
    tagged = {"imageTag": tag} if tag else {}
    put = aws.client("ecr").put_image(
        repositoryName=repository, imageManifest=text, **tagged, **more
    )
    return str(put["image"]["imageId"]["imageDigest"])


def tags(aws: LocalAws, repository: str) -> dict[str, list[str]]:
    """The tags of each image, as all three ways to ask agree on."""
    ecr = aws.client("ecr")
    described = {
        item["imageDigest"]: sorted(item.get("imageTags", []))
        for item in ecr.describe_images(repositoryName=repository)["imageDetails"]
    }
    listed: dict[str, list[str]] = {}
    for item in ecr.list_images(repositoryName=repository)["imageIds"]:
        found_tags = listed.setdefault(item["imageDigest"], [])
        found_tags += [item["imageTag"]] if "imageTag" in item else []
        asked = {"imageTag": item["imageTag"]} if "imageTag" in item else item
        got = ecr.batch_get_image(repositoryName=repository, imageIds=[asked])["images"]
        assert [found["imageId"] for found in got] == [item]
    assert {digest: sorted(found) for digest, found in listed.items()} == described
    return described


@pytest.fixture
def repository(aws, request):
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-60:].strip("-")
    aws.client("ecr").create_repository(repositoryName=name)
    return name


@pytest.fixture
def events(aws, repository):
    """Read the events of the repository, in the order they came."""
    sqs, rules = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName=repository)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    rules.put_rule(
        Name=repository,
        EventPattern=json.dumps(
            {"source": ["aws.ecr"], "detail": {"repository-name": [repository]}}
        ),
    )
    rules.put_targets(Rule=repository, Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])

    def read(count: int) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []

        def enough() -> bool:
            for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                received.append(json.loads(message["Body"]))
            return len(received) >= count

        wait_for(enough, f"{count} events of {repository}")
        return received

    return read


def test_a_push_emits_the_event_that_ecr_publishes(aws, repository, events):
    digest = push(aws, repository, image("a"), "v1")
    [event] = events(1)
    assert event["source"] == "aws.ecr"
    assert event["detail-type"] == "ECR Image Action"
    assert event["resources"] == []
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": "v1",
        "manifest-media-type": MANIFEST,
        "artifact-media-type": CONFIG,
    }


def test_a_push_without_a_tag_emits_an_event_without_a_tag(aws, repository, events):
    push(aws, repository, image("a"))
    [event] = events(1)
    assert "image-tag" not in event["detail"]
    assert list(tags(aws, repository).values()) == [[]]


def test_the_digest_is_that_of_the_manifest_as_it_was_given(aws, repository):
    text = image("a")
    assert push(aws, repository, text, "v1") == digest_of(text)
    assert manifest(repository, digest_of(text)) == json.loads(text)
    assert manifest(repository, "sha256:none") is None
    assert manifest("no-such-repository", digest_of(text)) is None


def test_a_tag_moves_to_the_image_that_is_pushed_with_it(aws, repository):
    first = push(aws, repository, image("first"), "latest")
    second = push(aws, repository, image("second"), "latest")
    assert tags(aws, repository) == {first: [], second: ["latest"]}
    push(aws, repository, image("first"), "latest")
    assert tags(aws, repository) == {first: ["latest"], second: []}


def test_an_image_can_have_many_tags(aws, repository):
    digest = push(aws, repository, image("a"), "v1")
    assert push(aws, repository, image("a"), "v2") == digest
    assert tags(aws, repository) == {digest: ["v1", "v2"]}


def pushed_at(aws: LocalAws, repository: str, tag: str) -> datetime:
    asked = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    [found] = aws.client("ecr").describe_images(**asked)["imageDetails"]
    return found["imagePushedAt"]


def test_an_image_was_pushed_at_a_millisecond_and_its_event_at_a_second(aws, repository, events):
    earliest = datetime.now(UTC) - timedelta(milliseconds=1)
    push(aws, repository, image("a"), "v1")
    assert earliest < pushed_at(aws, repository, "v1") <= datetime.now(UTC)
    [event] = events(1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])


def test_another_tag_leaves_the_time_of_the_push(aws, repository):
    push(aws, repository, image("a"), "v1")
    first = pushed_at(aws, repository, "v1")
    push(aws, repository, image("b"), "v2")
    push(aws, repository, image("a"), "v2")
    assert pushed_at(aws, repository, "v2") == first


def refused(aws: LocalAws, repository: str, text: str, tag: str | None, **more: Any) -> str:
    with pytest.raises(ClientError) as error:
        push(aws, repository, text, tag, **more)
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("tag", ["v1", None])
def test_the_same_push_twice_is_refused(aws, repository, tag):
    push(aws, repository, image("a"), tag)
    assert refused(aws, repository, image("a"), tag) == "ImageAlreadyExistsException"


def test_an_immutable_tag_does_not_move(aws, repository):
    first = push(aws, repository, image("first"), "v1")
    aws.client("ecr").put_image_tag_mutability(
        repositoryName=repository, imageTagMutability="IMMUTABLE"
    )
    assert refused(aws, repository, image("second"), "v1") == "ImageTagAlreadyExistsException"
    assert refused(aws, repository, image("first"), "v1") == "ImageAlreadyExistsException"
    assert tags(aws, repository) == {first: ["v1"]}


def test_a_digest_that_is_not_the_manifests_is_refused(aws, repository):
    code = refused(aws, repository, image("a"), "v1", imageDigest=digest_of("other"))
    assert code == "ImageDigestDoesNotMatchException"
    assert push(aws, repository, image("a"), "v1", imageDigest=digest_of(image("a")))


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        json.dumps({"mediaType": MANIFEST}),
        json.dumps({"schemaVersion": 2}),
        json.dumps({"schemaVersion": 2, "mediaType": "text/plain"}),
    ],
    ids=["text", "array", "no-schema", "no-type", "type"],
)
def test_a_text_that_is_no_manifest_is_refused(aws, repository, text):
    assert refused(aws, repository, text, "v1") == "InvalidParameterException"


def test_the_media_type_may_come_beside_the_manifest(aws, repository, events):
    push(aws, repository, json.dumps({"schemaVersion": 2}), "v1", imageManifestMediaType=MANIFEST)
    assert events(1)[0]["detail"]["manifest-media-type"] == MANIFEST


@pytest.mark.parametrize(
    "tag",
    ["a b", ".v1", "-v1", "v1+2", "v1/2", "ü", "a" * 129],
    ids=["space", "dot", "hyphen", "plus", "slash", "umlaut", "long"],
)
def test_a_tag_that_is_none_is_refused(aws, repository, tag):
    assert refused(aws, repository, image("a"), tag) == "InvalidParameterException"


@pytest.mark.parametrize(
    "tag", ["_", "1.0.0-rc.1", "A_b-c.", "a" * 128], ids=["least", "digits", "letters", "longest"]
)
def test_a_tag_may_have_letters_digits_and_three_signs(aws, repository, tag):
    push(aws, repository, image("a"), tag)
    assert list(tags(aws, repository).values()) == [[tag]]


@pytest.mark.parametrize("tag", ["a b", "v1+2", "a" * 301], ids=["space", "plus", "long"])
def test_images_with_a_tag_that_is_none_are_not_described(aws, repository, tag):
    with pytest.raises(ClientError, match=r"InvalidParameterException.*imageTag"):
        described(aws, repository, imageIds=[{"imageTag": tag}])


def artifact(config: str, **more: Any) -> str:
    return json.dumps(json.loads(image("a")) | {"config": {"mediaType": config}} | more)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"config": "application/vnd.buildkit.cacheconfig.v0"}, "buildkit.cacheconfig.v0"),
        ({"config": "application/vnd.cncf.helm.config.v1+json"}, "cncf.helm.config.v1+json"),
        (
            {
                "config": "application/vnd.oci.empty.v1+json",
                "artifactType": "application/vnd.cncf.notary.signature",
            },
            "cncf.notary.signature",
        ),
        ({"config": CONFIG}, "oci.image.config.v1+json"),
    ],
    ids=["cache", "chart", "signature", "image"],
)
def test_the_type_of_an_artifact_is_in_its_event_and_its_description(
    aws, repository, events, more, kind
):
    push(aws, repository, artifact(**more), "v1")
    [event] = events(1)
    [detail] = described(aws, repository)["imageDetails"]
    assert (
        event["detail"]["artifact-media-type"]
        == detail["artifactMediaType"]
        == (f"application/vnd.{kind}")
    )
    assert detail["imageManifestMediaType"] == MANIFEST


@pytest.mark.parametrize(
    "text",
    [
        artifact(CONFIG, artifactType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        artifact(CONFIG, layers=[{"mediaType": "application/x;version=1"}]),
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}],
            }
        ),
    ],
    ids=["type", "layer", "a cache that is an index"],
)
def test_an_artifact_whose_types_ecr_does_not_take_is_refused(aws, repository, text):
    assert refused(aws, repository, text, "v1") == "InvalidParameterException"


def test_a_repository_that_does_not_exist_is_refused(aws):
    assert refused(aws, "nowhere", image("a"), "v1") == "RepositoryNotFoundException"


def test_an_index_is_an_image(aws, repository, events):
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    digest = push(aws, repository, text, "v1")
    assert events(1)[0]["detail"]["manifest-media-type"] == INDEX
    [detail] = aws.client("ecr").describe_images(
        repositoryName=repository, imageIds=[{"imageTag": "v1"}]
    )["imageDetails"]
    assert (detail["imageDigest"], detail["imageManifestMediaType"]) == (digest, INDEX)
    assert "artifactMediaType" not in detail


def test_deletions_are_events_and_the_last_tag_takes_the_image_along(aws, repository, events):
    digest = push(aws, repository, image("a"), "v1")
    push(aws, repository, image("a"), "v2")
    ecr = aws.client("ecr")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert tags(aws, repository) == {digest: ["v2"]}
    gone = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    assert gone["imageIds"] == [{"imageDigest": digest, "imageTag": "v2"}]
    assert tags(aws, repository) == {}
    actions = {(e["detail"]["action-type"], e["detail"]["image-tag"]) for e in events(4)}
    assert actions == {("PUSH", "v1"), ("PUSH", "v2"), ("DELETE", "v1"), ("DELETE", "v2")}


def test_an_image_that_does_not_exist_is_a_failure_that_names_the_image(aws, repository):
    wanted = {"imageDigest": digest_of("nothing")}
    ecr = aws.client("ecr")
    for action in (ecr.batch_get_image, ecr.batch_delete_image):
        [failure] = action(repositoryName=repository, imageIds=[wanted])["failures"]
        assert (failure["imageId"], failure["failureCode"]) == (wanted, "ImageNotFound")


def test_an_image_that_was_deleted_is_not_described_any_more(aws, repository):
    digest = push(aws, repository, image("a"), "v1")
    ecr = aws.client("ecr")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    for wanted in ({"imageDigest": digest}, {"imageTag": "v1"}):
        with pytest.raises(ecr.exceptions.ImageNotFoundException):
            ecr.describe_images(repositoryName=repository, imageIds=[wanted])
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_images(repositoryName="none", imageIds=[{"imageDigest": digest}])


def settings(mode: str, *filters: str) -> dict[str, Any]:
    listed = [{"filterType": "WILDCARD", "filter": item} for item in filters]
    return {
        "imageTagMutability": mode,
        **({"imageTagMutabilityExclusionFilters": listed} if listed else {}),
    }


@pytest.mark.parametrize(
    ("mode", "moving", "fixed"),
    [
        ("IMMUTABLE_WITH_EXCLUSION", ["latest", "dev-", "dev-1"], ["latest2", "v1-dev-1", "Dev-1"]),
        ("MUTABLE_WITH_EXCLUSION", ["latest2", "v1-dev-1", "Dev-1"], ["latest", "dev-", "dev-1"]),
    ],
)
def test_tags_that_a_filter_matches_are_excluded_from_the_mode(
    aws, repository, mode, moving, fixed
):
    excluding = settings(mode, "latest", "dev-*")
    aws.client("ecr").put_image_tag_mutability(repositoryName=repository, **excluding)
    for tag in (*moving, *fixed):
        first = push(aws, repository, image("first"), tag)
    for tag in moving:
        second = push(aws, repository, image("second"), tag)
    codes = {refused(aws, repository, image("second"), tag) for tag in fixed}
    assert codes == {"ImageTagAlreadyExistsException"}
    assert tags(aws, repository) == {first: sorted(fixed), second: sorted(moving)}


def test_the_mutability_mode_and_its_filters_are_kept_and_described(aws, repository):
    ecr = aws.client("ecr")

    def told(name: str) -> dict[str, Any]:
        [found] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
        return {key: value for key, value in found.items() if key.startswith("imageTagMutability")}

    made = settings("IMMUTABLE_WITH_EXCLUSION", "a*", "b")
    created = ecr.create_repository(repositoryName=f"{repository}-2", **made)["repository"]
    assert created.items() >= told(f"{repository}-2").items() == made.items()
    for wanted in (settings("MUTABLE_WITH_EXCLUSION", "*"), settings("IMMUTABLE")):
        answer = ecr.put_image_tag_mutability(repositoryName=repository, **wanted)
        assert answer.items() >= told(repository).items() == wanted.items()


@pytest.mark.parametrize(
    "wrong",
    [
        settings("IMMUTABLE", "a"),
        settings("MUTABLE_WITH_EXCLUSION"),
        settings("MUTABLE_WITH_EXCLUSION", "?"),
    ],
    ids=["filters", "no-filters", "pattern"],
)
def test_a_mode_and_filters_that_do_not_go_together_are_refused(aws, repository, wrong):
    ecr = aws.client("ecr")
    for name, call in ((repository, ecr.put_image_tag_mutability), ("new", ecr.create_repository)):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            call(repositoryName=name, **wrong)


def test_an_invalid_lifecycle_policy_is_refused(aws, repository):
    put = aws.client("ecr").put_lifecycle_policy
    for wrong in ("no JSON", '{"rules": [{}]}', "[]"):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            put(repositoryName=repository, lifecyclePolicyText=wrong.ljust(100))


# --- pages of DescribeImages ------------------------------------------------------------------------


def described(aws: LocalAws, repository: str, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("ecr").describe_images(repositoryName=repository, **asked)
    return answer


def test_images_are_described_in_pages_of_the_size_that_was_asked_for(aws, repository):
    pushed = {push(aws, repository, image(f"page-{n}"), f"page-{n}") for n in range(5)}
    first = described(aws, repository, maxResults=2)
    second = described(aws, repository, maxResults=2, nextToken=first["nextToken"])
    third = described(aws, repository, maxResults=2, nextToken=second["nextToken"])

    pages = [page["imageDetails"] for page in (first, second, third)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {detail["imageDigest"] for page in pages for detail in page} == pushed
    assert "nextToken" not in third


def test_a_page_of_images_has_a_hundred_unless_more_are_asked_for(aws, repository):
    for number in range(101):
        push(aws, repository, image(f"many-{number}"), f"many-{number}")

    by_default, more = described(aws, repository), described(aws, repository, maxResults=1000)
    assert (len(by_default["imageDetails"]), len(more["imageDetails"])) == (100, 101)
    assert "nextToken" in by_default
    assert "nextToken" not in more


@pytest.mark.parametrize(
    ("status", "expected"),
    [("TAGGED", ["tagged"]), ("UNTAGGED", ["untagged"]), ("ANY", ["tagged", "untagged"])],
)
def test_images_are_filtered_by_whether_they_have_a_tag(aws, repository, status, expected):
    digests = {
        push(aws, repository, image("filtered-1"), "v1"): "tagged",
        push(aws, repository, image("filtered-2")): "untagged",
    }
    found = described(aws, repository, filter={"tagStatus": status})["imageDetails"]
    assert sorted(digests[detail["imageDigest"]] for detail in found) == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"maxResults": 5, "imageIds": [{"imageTag": "v1"}]}, "maxResults"),
        ({"nextToken": "x", "imageIds": [{"imageTag": "v1"}]}, "nextToken"),
        ({"nextToken": "made up"}, "nextToken"),
    ],
    ids=["ids in pages", "ids on a page", "a token that was not given"],
)
def test_a_page_of_images_that_does_not_exist_is_refused(aws, repository, asked, message):
    push(aws, repository, image("refused"), "v1")
    with pytest.raises(ClientError, match=f"InvalidParameterException.*{message}"):
        described(aws, repository, **asked)


def test_an_image_filter_that_is_not_simulated_fails(aws, repository):
    with pytest.raises(ClientError, match="NotImplemented"):
        described(aws, repository, filter={"imageStatus": "ARCHIVED"})
