"""A function's process is forked, and is what an interpreter of its own would be."""

from __future__ import annotations

import json
import os
import textwrap
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.lambda_ import code
from localaws.lambda_.execution_environment import ExecutionEnvironment
from localaws.lambda_.processes import Zygote, zygote_of

APP = """
    import json, os, sys
    import library
    OWN = os.getpid()
    def handler(event, context):
        return [library.PID, OWN, os.environ.get("COLOUR"), os.environ.get("ZYGOTES"), library.COLOUR]
"""
Start = Callable[..., list[Any]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an environment of an artifact; all have one zygote."""
    started: list[ExecutionEnvironment] = []
    zygotes: list[Zygote] = []

    def begun(library: str, app: str = APP, **own: str) -> list[Any]:
        (tmp_path / "library.py").write_text(textwrap.dedent(library))
        (tmp_path / "app.py").write_text(textwrap.dedent(app))
        path = f"{tmp_path}{os.pathsep}{code.runtime_folder()}"
        variables = {"PYTHONPATH": path, "AWS_LAMBDA_FUNCTION_NAME": "forked"}
        if not zygotes:
            zygotes.append(Zygote(tmp_path, {**variables, "ZYGOTES": "only"}))
        started.append(ExecutionEnvironment(zygotes[0], "app.handler", variables | own, "stream"))
        return list(json.loads(started[-1].invoke(b"{}", "request", "arn", 30).payload))

    yield begun
    for environment in started:
        environment.close()


def test_the_imports_of_a_module_run_once_and_the_module_itself_runs_in_each_fork(
    start: Start,
) -> None:
    first, second = (start("import os\nPID = os.getpid()\nCOLOUR = None") for _ in range(2))
    assert first[0] == second[0]
    assert len({first[0], first[1], second[1]}) == 3


def test_a_fork_has_the_functions_variables_and_no_other(start: Start) -> None:
    assert start("PID = 0\nCOLOUR = None", COLOUR="red")[2:4] == ["red", None]
    assert start("PID = 0\nCOLOUR = None", COLOUR="blue")[2:4] == ["blue", None]


@pytest.mark.parametrize(
    "reading", ["os.environ.get('COLOUR')", "os.getenv('COLOUR')", "dict(os.environ).get('COLOUR')"]
)
def test_a_variable_that_is_read_on_import_has_the_functions_value(
    start: Start, reading: str
) -> None:
    library = f"import os\nPID = os.getpid()\nCOLOUR = {reading}"
    assert start(library, COLOUR="red")[4] == "red"
    pid, own, *_, colour = start(library, COLOUR="blue")
    assert (pid, colour) == (own, "blue")  # an interpreter of its own


def test_the_models_of_the_artifacts_botocore_are_parsed_once_and_a_file_that_is_none_in_the_fork(
    tmp_path: Path, start: Start
) -> None:
    data = tmp_path / "botocore" / "data" / "ecs"
    data.mkdir(parents=True)
    (data / "model.json").write_text("ECS")
    (data.parent / "wrong.json").write_text("")
    (tmp_path / "botocore" / "__init__.py").touch()
    (tmp_path / "botocore" / "loaders.py").write_text(
        textwrap.dedent("""
            import os, pathlib
            class JSONFileLoader:
                def load_file(self, name):
                    return [pathlib.Path(f"{name}.json").read_text() or 1 / 0, os.getpid()]
        """)
    )
    app = """
        import os, pathlib
        import botocore.loaders, library
        def handler(event, context):
            data = pathlib.Path(botocore.loaders.__file__).with_name("data")
            content, parsed_by = botocore.loaders.JSONFileLoader().load_file(str(data / "ecs" / "model"))
            (data / "later.json").write_text("later")
            later, by = botocore.loaders.JSONFileLoader().load_file(str(data / "later"))
            return [content, parsed_by == library.PID, later, by == os.getpid() != library.PID]
    """
    library = "import os\nPID = os.getpid()"
    assert start(library, app) == ["ECS", True, "later", True]


def test_a_module_that_ends_the_interpreter_does_so_in_the_function_only(start: Start) -> None:
    library = "import os\nPID = COLOUR = None\nif 'COLOUR' not in os.environ: raise SystemExit(3)"
    assert start(library, COLOUR="red")[4] is None


def test_a_module_finds_logging_as_the_runtime_client_has_set_it_up(start: Start) -> None:
    library = "import logging, os\nPID, COLOUR = os.getpid(), len(logging.getLogger().handlers)"
    app = """
        import logging
        import library
        def handler(event, context):
            return [library.PID, library.COLOUR, len(logging.getLogger().handlers)]
    """
    first, second = start(library, app), start(library, app)
    assert first == second  # forks of one zygote
    assert first[1:] == [1, 1]


def test_an_interpreter_of_its_own_sets_logging_up_itself(start: Start) -> None:
    library = "import os\nPID = COLOUR = os.environ.get('AWS_LAMBDA_LOG_FORMAT')"
    app = """
        import logging
        import library
        def handler(event, context):
            (only,) = logging.getLogger().handlers
            return [library.PID, type(only.formatter).__name__]
    """
    assert start(library, app, AWS_LAMBDA_LOG_FORMAT="Text") == ["Text", "Formatter"]
    assert start(library, app, AWS_LAMBDA_LOG_FORMAT="JSON") == ["JSON", "JsonFormatter"]


def test_the_zygotes_of_the_last_two_artifacts_are_kept_for_the_next_local_aws(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    first, second, third = folders
    kept = {folder: id(zygote_of(folder, {})) for folder in (first, second)}
    assert id(zygote_of(first, {})) == kept[first]
    zygote = weakref.ref(zygote_of(third, {}))  # in place of the second one
    assert id(zygote_of(first, {})) == kept[first]
    assert zygote_of(third, {}) is zygote()
    zygote_of(second, {})
    zygote_of(first, {})
    assert zygote() is None


def test_a_zygote_that_has_died_is_replaced(tmp_path: Path) -> None:
    dead = zygote_of(tmp_path, {})
    dead._process.kill()
    dead._process.wait()
    assert not dead.alive
    alive = zygote_of(tmp_path, {})
    assert alive is not dead
    assert alive.alive
