"""JSONata as Step Functions evaluates it: expressions alone, and in running state machines."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.server import LocalAws
from localaws.stepfunctions.jsonata import JSONataError, evaluate
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("aws")

ROLE = "arn:aws:iam::123456789012:role/states"

_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def of_input(expression: str, value: Any) -> Any:
    return evaluate(expression, {"states": {"input": value}})


@given(_json_values)
def test_any_value_passes_unchanged_through_an_expression(value):
    assert of_input("$states.input", value) == value
    assert of_input("{'kept': $states.input}", value) == {"kept": value}


@pytest.mark.parametrize(
    "text", ['it\'s "quoted"', "a\nb", "c:\\dir", "{% $x %}", "{braces}", "é 漢 🎉", "$states", ""]
)
def test_no_text_breaks_the_expression_that_uses_it(text):
    assert of_input("'<' & $states.input.text & '>'", {"text": text}) == f"<{text}>"


def test_an_array_of_one_stays_an_array_and_a_sequence_of_one_collapses():
    value = {"one": ["a"], "none": [], "objects": [{"name": "a"}]}
    assert of_input("$states.input.one", value) == ["a"]
    assert of_input("$states.input.none", value) == []
    assert of_input("{'r': $states.input.one}", value) == {"r": ["a"]}
    assert of_input("$states.input.objects.name", value) == "a"
    assert of_input("[$states.input.objects.name]", value) == ["a"]
    assert of_input("$map($states.input.one, function($v) { $v })", value) == "a"
    assert of_input("$append($states.input.none, $states.input.one)", value) == ["a"]


def test_null_is_a_value_and_not_undefined():
    value = {"nothing": None, "list": [None, 1]}
    assert of_input("$states.input.nothing", value) is None
    assert of_input("$exists($states.input.nothing)", value) is True
    assert of_input("$states.input.nothing = null", value) is True
    assert of_input("$type($states.input.nothing)", value) == "null"
    assert of_input("$states.input.list", value) == [None, 1]
    assert evaluate("$x", {"x": None}) is None
    assert evaluate("{'x': $x}", {"x": None}) == {"x": None}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$states.input.count > 2 ? 'many' : 'few'", "many"),
        ("$merge([$states.input, {'b': 2}]).b", 2),
        ("$filter([1, 2, 3], function($v) { $v > 1 })", [2, 3]),
        ("$reduce([1, 2, 3], function($a, $b) { $a + $b })", 6),
        ("$exists($states.input.missing)", False),
        ("($double := function($x) { $x * 2 }; $double($states.input.count))", 6),
        ("$toMillis('2026-11-22T10:00:00Z')", 1795341600000),
        ("$fromMillis(1795341600000)", "2026-11-22T10:00:00.000Z"),
        ("$number('5')", 5),
        ("$string({'é': 1})", '{"é":1}'),
        ("$states.input.big", 12345678901234567890),
        ("$split('a/b', '/')[0]", "a"),
        ("$match('v1.2', /v(\\d+)/).groups[0]", "1"),
    ],
)
def test_the_language(expression, result):
    assert of_input(expression, {"count": 3, "big": 12345678901234567890}) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([1], 2)", [[1]]),
        ("$range(0, 10, 5)", [0, 5, 10]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$hash('text', 'SHA-256')", hashlib.sha256(b"text").hexdigest()),
        ("$parse('{\"a\": [null, 1]}').a", [None, 1]),
        ("$random(7) = $random(7)", True),
        ("$random() < 1", True),
        ("$length($uuid())", 36),
    ],
)
def test_the_functions_that_step_functions_adds(expression, result):
    assert evaluate(expression, {}) == result


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.missing",
        "missing",
        "$",
        "$nobody",
        "$states.input.count + 'a'",
        "1 / 0",
        "$eval('1')",
        "$hash('text', 'CRC')",
        "$error('no')",
        "function($x) { $x }",
        "$filter([1], function($v) { $v > 1 })",
        "$states.(",
    ],
)
def test_an_expression_without_a_json_value_is_an_error_that_names_the_expression(expression):
    with pytest.raises(JSONataError) as error:
        of_input(expression, {"count": 3})
    assert expression in str(error.value)


def test_now_is_the_time_of_the_evaluation_also_of_an_expression_used_before():
    first = evaluate("$millis()", {})
    wait_for(lambda: evaluate("$millis()", {}) > first, "a later time")
    assert evaluate("$now()", {}).endswith("Z")


def test_evaluations_in_many_threads_do_not_see_each_other():
    start = threading.Barrier(8)

    def evaluate_many(number: int) -> list[Any]:
        start.wait()
        expression = "($add := function($x) { $x + $n }; {'r': $add(1), 'l': $map($l, $add)})"
        return [evaluate(expression, {"n": number, "l": [number, 0]}) for _ in range(200)]

    with ThreadPoolExecutor(8) as pool:
        for number, results in enumerate(pool.map(evaluate_many, range(8))):
            expected = {"r": number + 1, "l": [2 * number, number]}
            assert all(result == expected for result in results)


# --- in state machines ----------------------------------------------------------------------------


def run(aws: LocalAws, name: str, states: dict[str, Any], value: Any = None) -> dict[str, Any]:
    client = aws.client("stepfunctions")
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    machine = client.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    arn = client.start_execution(stateMachineArn=machine, input=json.dumps(value))["executionArn"]
    execution: dict[str, Any] = wait_for(
        lambda: (e := client.describe_execution(executionArn=arn))["status"] != "RUNNING" and e,
        f"the end of {name}",
    )
    if "output" in execution:
        execution["output"] = json.loads(execution["output"])
    return execution


def test_a_definition_may_hold_quotes_newlines_and_emoji(aws):
    expression = '{%\n "say \\"hi\\" 🎉\\n" & $states.input & \'\\\\\' \n%}'
    state = {"Type": "Pass", "Assign": {"text": expression}, "Output": expression, "Next": "B é"}
    both = {"Type": "Pass", "Output": "{% [$states.input, $text] %}", "End": True}
    ended = run(aws, "jsonata-escapes", {"A": state, "B é": both}, "x")
    assert ended["output"] == ['say "hi" 🎉\nx\\'] * 2


def test_output_and_assign_see_the_variables_as_the_state_found_them(aws):
    ended = run(
        aws,
        "jsonata-assign",
        {
            "Set": {"Type": "Pass", "Assign": {"n": 1, "list": [1], "no": None}, "Next": "Add"},
            "Add": {
                "Type": "Pass",
                "Assign": {"n": "{% $n + 1 %}", "before": "{% $n %}"},
                "Output": "{% $n %}",
                "Next": "Show",
            },
            "Show": {
                "Type": "Pass",
                "Output": {
                    "input": "{% $states.input %}",
                    "n": "{% $n %}",
                    "before": "{% $before %}",
                    "list": "{% $list %}",
                    "no": "{% $no %}",
                },
                "End": True,
            },
        },
    )
    assert ended["output"] == {"input": 1, "n": 2, "before": 1, "list": [1], "no": None}


def test_the_history_has_the_assigned_variables_as_json(aws):
    state = {"Type": "Pass", "Assign": {"text": 'a "quoted" word', "no": None}, "End": True}
    ended = run(aws, "jsonata-assigned", {"A": state})
    history = aws.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])
    [exited] = [event for event in history["events"] if event["type"] == "PassStateExited"]
    assigned = exited["stateExitedEventDetails"]["assignedVariables"]
    assert {name: json.loads(text) for name, text in assigned.items()} == state["Assign"]


def test_the_context_object_names_the_execution_the_state_and_the_item(aws):
    show = {
        "Type": "Pass",
        "Output": {
            "index": "{% $states.context.Map.Item.Index %}",
            "value": "{% $states.context.Map.Item.Value %}",
            "input": "{% $states.input %}",
            "outer": "{% $outer %}",
        },
        "End": True,
    }
    ended = run(
        aws,
        "jsonata-context",
        {
            "Set": {"Type": "Pass", "Assign": {"outer": "o'ne"}, "Next": "Each"},
            "Each": {
                "Type": "Map",
                "Items": "{% $states.input.items %}",
                "ItemSelector": {"of": "{% $states.input.name %}"},
                "ItemProcessor": {"StartAt": "Show", "States": {"Show": show}},
                "Output": {
                    "items": "{% $states.result %}",
                    "name": "{% $states.context.Execution.Name %}",
                    "input": "{% $states.context.Execution.Input.name %}",
                    "times": "{% [$states.context.Execution.StartTime, "
                    "$states.context.State.EnteredTime] %}",
                },
                "End": True,
            },
        },
        {"name": "n", "items": ["a"]},
    )
    output = ended["output"]
    assert output["items"] == [{"index": 0, "value": "a", "input": {"of": "n"}, "outer": "o'ne"}]
    assert output["name"] == ended["name"]
    assert output["input"] == "n"
    assert output["times"] == sorted(output["times"])
    assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", time) for time in output["times"])


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("undefined-output", {"Type": "Pass", "Output": "{% $states.input.no %}", "End": True}),
        ("pass-has-no-result", {"Type": "Pass", "Output": "{% $states.result %}", "End": True}),
        (
            "no-result",
            {"Type": "Wait", "Seconds": 0, "Output": "{% $states.result %}", "End": True},
        ),
        ("negative-wait", {"Type": "Wait", "Seconds": "{% -1 %}", "End": True}),
        ("text-wait", {"Type": "Wait", "Seconds": "{% '1' %}", "End": True}),
        ("condition", {"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "B"}]}),
    ],
)
def test_an_expression_that_cannot_be_evaluated_fails_the_state(aws, name, state):
    first = {"Type": "Pass", "Next": "A"}
    states = {"First": first, "A": state, "B": {"Type": "Succeed"}}
    ended = run(aws, f"jsonata-{name}", states, {})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    history = aws.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])
    types = [event["type"] for event in history["events"]]
    assert types[-2:] == ["EvaluationFailed", "ExecutionFailed"]
