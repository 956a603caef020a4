"""Every parameter of Slipway is below the prefix of its stack."""

from __future__ import annotations

import pytest

from slipway.release import parameter_names

NAMES = {
    "plans": parameter_names.plans_path,
    "plan": lambda: parameter_names.plan_parameter("shop/api"),
    "service": lambda: parameter_names.service_parameter("production/api"),
    "freeze": parameter_names.freeze_parameter,
    "image": lambda: parameter_names.image_parameter("production/api"),
}


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("plans", "/team-b/repositories"),
        ("plan", "/team-b/repositories/shop/api"),
        ("service", "/team-b/services/production/api"),
        ("freeze", "/team-b/freeze"),
        ("image", "/team-b/images/production/api"),
    ],
)
def test_a_parameter_is_below_the_prefix_of_the_stack(monkeypatch, what, name):
    monkeypatch.setenv("PARAMETER_PREFIX", "/team-b")

    assert NAMES[what]() == name
