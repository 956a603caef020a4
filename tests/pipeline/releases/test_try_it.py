"""The commands of docs/try-it.md lead from nothing to a service that was deployed, broken and rolled back."""

from __future__ import annotations

from localaws.sns import sns
from tests.support.account import ENDED_SECONDS, Account
from tests.support.commands import Page
from tests.support.waiting import wait_for

PAGE = Page("try-it.md")


def email(*parts: str) -> str:
    """Wait until the subject of the newest email has all of this in it; what the page's command prints."""

    def came() -> bool:
        mails = [m for m in sns.mails() if m["attributes"].get("service") == "staging/hello"]
        return bool(mails) and all(part in mails[-1]["subject"] for part in parts)

    wait_for(came, f"an email: {' ... '.join(parts)}", ENDED_SECONDS)
    text = PAGE.run("the newest email")
    assert all(part in text.splitlines()[0] for part in parts)
    return text


def unwrapped(text: str) -> str:
    """The text of an email without its line breaks."""
    return " ".join(text.split())


def digest(printed: str) -> str:
    """The digest that ``push`` has printed."""
    return printed.split('"imageDigest": "')[1].partition('"')[0]


def test_a_service_of_ones_own_is_made_deployed_broken_and_rolled_back(account: Account) -> None:
    first = digest(PAGE.run("a repository with a first image"))
    assert PAGE.run("the newest email") == "no email yet\n"
    PAGE.run("a cluster, and a service with two tasks that run this image")
    (release,) = account.releases_of("team/hello", "v1")
    assert release.outcome == "IGNORED"
    PAGE.run("the plan")

    second = digest(PAGE.run("a second image"))
    email("SUCCEEDED: staging/hello, team/hello:v2")
    assert PAGE.run("what the service runs now").strip().endswith(f"team/hello@{second}")

    PAGE.run("an image whose containers exit as soon as they have started")
    crashed = email("ROLLED_BACK: staging/hello, team/hello:v3")
    assert "tasks of container app exited with code 1" in crashed
    assert PAGE.run("what the service runs now").strip().endswith(f"team/hello@{second}")

    PAGE.run("deploy the quarantined image once more")
    assert "is quarantined on service staging/hello" in unwrapped(
        email("REJECTED: staging/hello, team/hello:v3")
    )
    assert PAGE.run("what the service runs now").strip().endswith(f"team/hello@{second}")

    PAGE.run("back to v1")
    email("ROLLED_BACK: manual rollback of staging/hello, from team/hello:v2 to v1 (hello:4)")
    started = [mail["subject"] for mail in sns.mails() if "STARTED: manual" in mail["subject"]]
    assert "STARTED: manual rollback of staging/hello, from team/hello:v2 to v1" in started
    assert PAGE.run("what the service runs now").strip().endswith(f"team/hello@{first}")


def test_every_command_of_the_page_was_run() -> None:
    assert PAGE.not_run == set()
