"""The gates: each ends a deployment that must not begin, and `passed` says which ones it passed."""

from __future__ import annotations

from slipway.deployment.beginning import Beginning, Case, World
from slipway.errors import InvalidInput
from slipway.health.alarms import Alarm
from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.ledger.records import ServiceRecord, timestamp
from slipway.release.freeze import frozen_until, parse_freeze
from slipway.release.parameter_names import freeze_parameter, service_parameter
from slipway.release.parameters import read_parameter


def quarantined(case: Case, record: ServiceRecord) -> Beginning | None:
    """END if the release's image is quarantined on the service, and no force overrides that; else None."""
    release = case.deployment.release
    found = record.refusal(release)
    if found is None:
        return None
    return case.end(
        Outcome.REJECTED,
        Cause.QUARANTINED,
        f"image {release.image} is quarantined on service {case.service} since {timestamp(found.at)}: "
        f'{found.reason}; start it manually with "force": true, or release the quarantine',
    )


def frozen(case: Case, record: ServiceRecord, world: World) -> Beginning | None:
    """END if the pipeline or the service is frozen now; else None.

    Raises:
        InvalidInput: the parameter with the freeze of the whole pipeline is invalid.
        AwsUnavailable, AwsRefused, Unreadable: from SSM and the ledger.
    """
    for freeze, whose in (
        (record.freeze, f"service {case.service}"),
        (world.ledger.freeze(), "the whole pipeline"),
    ):
        if freeze and (freeze.until is None or case.now < freeze.until):
            until = (
                f"until {timestamp(freeze.until)}"
                if freeze.until
                else "until somebody unfreezes it"
            )
            return case.end(
                Outcome.REJECTED,
                Cause.FROZEN,
                f"{freeze.by} has frozen {whose} {until} ({freeze.why}); start it manually after that",
            )
    parameter = read_parameter(freeze_parameter(), world.ssm)
    whole = parse_freeze(parameter) if parameter is not None else ()
    end = frozen_until((*whole, *case.deployment.policy.freeze), case.now)
    if end is None:
        return None
    return case.end(
        Outcome.REJECTED,
        Cause.FROZEN,
        f"deployments to service {case.service} are frozen until {timestamp(end)} "
        f'(see {freeze_parameter()}, and "freeze" in the plans of the images that the service runs and in '
        f"{service_parameter(case.service)}); "
        "start it manually after that",
    )


def blocked(case: Case, alarms: dict[str, Alarm]) -> Beginning | None:
    """END if an alarm of the policy is in ALARM and set to block; else None.

    Args:
        alarms: the policy's alarms that exist, by name.

    Raises:
        InvalidInput: an alarm of the policy does not exist.
    """
    policy = case.deployment.policy
    if missing := [name for name in policy.alarm_names if name not in alarms]:
        raise InvalidInput(
            f"a plan of an image that service {case.service} runs, or {service_parameter(case.service)}, "
            f"names alarms that CloudWatch does not have in this account and region: {', '.join(missing)}"
        )
    firing = [alarms[name] for name in policy.blocking if alarms[name].state == "ALARM"]
    if not firing:
        return None
    names = ", ".join(alarm.name for alarm in firing)
    return case.end(
        Outcome.REJECTED,
        Cause.ALARM,
        f"nothing is deployed to service {case.service} while {names} is in ALARM "
        f'("when_firing": "block" in a plan of an image that the service runs, or in '
        f"{service_parameter(case.service)})",
        evidence=tuple(f"alarm {alarm.name} is in ALARM: {alarm.reason}" for alarm in firing),
        alarms_fired=tuple(alarm.name for alarm in firing),
    )


def passed(case: Case, record: ServiceRecord, alarms: dict[str, Alarm]) -> tuple[str, ...]:
    """The gates that the deployment passed, now or in an earlier try of the same execution, as sentences."""
    release = case.deployment.release
    if release.image.digest not in record.quarantined:
        quarantine = "its image is not quarantined"
    else:  # if the release is not forced, a person has quarantined the image since it passed the gate
        quarantine = "its image is quarantined; it was started by force" if release.force else ""
    gates = (
        "no newer release has claimed the service",
        quarantine,
        "no freeze is in force",
        _quiet_alarms(alarms),
    )
    return tuple(gate for gate in gates if gate)


def _quiet_alarms(alarms: dict[str, Alarm]) -> str:
    quiet, known = sum(alarm.state != "ALARM" for alarm in alarms.values()), len(alarms)
    if quiet == 0:
        return ""
    if quiet < known:
        return f"{quiet} of its {known} alarms {'is' if quiet == 1 else 'are'} not firing"
    return "its alarm is not firing" if known == 1 else f"its {known} alarms are not firing"
