"""Running schemathesis against the API, the same way over fakes and on the running system."""

from __future__ import annotations

from collections.abc import Callable

from schemathesis import BaseSchema
from schemathesis.config import (
    CacheConfig,
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

SEED = 20_240_601


def disagreements(load: Callable[[SchemathesisConfig], BaseSchema], examples: int) -> tuple[list[str], int]:
    """Requests whose answer is not what the document says, and how many requests were made.

    400 counts as accepting: it says that a service refuses a request of the right form, such as one with a
    feature that the dataset does not have. A request of the wrong form gets 422.

    Args:
        load: makes the schema with the given configuration.
        examples: random requests by operation and phase, beside those at the edges of every limit.
    """
    project = ProjectConfig(
        checks=ChecksConfig(
            positive_data_acceptance=PositiveDataAcceptanceConfig(
                expected_statuses=["2xx", "304", "400", "404"]
            )
        ),
        generation=GenerationConfig(max_examples=examples, deterministic=True),
    )
    config = SchemathesisConfig(
        seed=SEED, projects=ProjectsConfig(default=project), cache=CacheConfig(enabled=False)
    )
    found: list[str] = []
    requests = 0
    for event in from_schema(load(config)).execute():
        if isinstance(event, ScenarioFinished):
            requests += len(event.recorder.cases)
            if event.status in {Status.FAILURE, Status.ERROR}:
                for case_id, checks in event.recorder.checks.items():
                    for check in checks:
                        if check.failure_info is not None:
                            line = check.failure_info.code_sample or case_id
                            found.append(f"{event.label}: {check.failure_info.failure}\n  {line}")
        elif isinstance(event, FatalError):
            raise event.exception
        elif isinstance(event, NonFatalError):
            found.append(f"{event.info.title}: {event.info.message}")
    return found, requests
