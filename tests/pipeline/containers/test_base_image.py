"""The base image that is made of this machine, without an engine."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tools.samlocal import base_image


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_image.build(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return set(tar.getnames())


def test_the_base_image_is_laid_out_as_the_runtime_has_it(names: set[str]) -> None:
    python = base_image.RUNTIME
    assert {f"var/lang/bin/{python}", f"var/lang/lib/{python}/json/__init__.py"} <= names
    assert {"var/runtime/bootstrap", "var/runtime/awslambdaric/__main__.py", "var/task"} <= names


def test_the_base_image_has_no_package_but_the_runtime_client(names: set[str]) -> None:
    assert not [name for name in names if "site-packages" in name or "dist-packages" in name]
    packages = {name.split("/")[2] for name in names if name.startswith("var/runtime/")}
    assert not packages & {"boto3", "botocore", "moto", "pydantic", "pytest", "slipway"}


def test_the_base_image_is_made_once(archive: Path) -> None:
    made = archive.stat().st_mtime_ns
    assert base_image.build(archive.parent) == archive
    assert archive.stat().st_mtime_ns == made


def test_the_base_image_is_made_anew_when_its_content_has_changed(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_image, "COMMANDS", (*base_image.COMMANDS, "cat"))
    other = base_image.build(tmp_path)
    assert other.name != archive.name
    with tarfile.open(other) as tar:
        assert "bin/cat" in tar.getnames()


def test_an_older_one_is_removed(tmp_path: Path) -> None:
    old = tmp_path / "lambda-python3.13-0123456789ab.tar"
    old.touch()
    base_image.build(tmp_path)
    assert not old.exists()
