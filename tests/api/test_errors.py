from __future__ import annotations

import inspect

import pytest

from api import errors
from domain import errors as domain


def _all_errors() -> list[type[domain.AnswerdeskError]]:
    members = [*vars(domain).values(), *vars(errors).values()]
    return [cls for cls in members if inspect.isclass(cls) and issubclass(cls, domain.AnswerdeskError)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (domain.DocumentNotFound, 404),
        (domain.ConversationNotFound, 404),
        (domain.QuestionInvalid, 422),
        (domain.EmptyFile, 422),
        (domain.UnsupportedFileType, 415),
        (domain.FileTooLarge, 413),
        (domain.DuplicateDocument, 409),
        (domain.DocumentNotReady, 409),
        (domain.PromotionConflict, 409),
        (domain.GateFailed, 409),
        (domain.KeyUnknown, 401),
        (domain.RoleTooLow, 403),
        (domain.ArtifactCorrupt, 500),
        (domain.ModelMissing, 503),
        (domain.StorageBusy, 503),
        (domain.StorageUnreachable, 503),
        (domain.StorageFull, 507),
        (errors.ServerBusy, 503),
        (errors.HostRefused, 421),
        (errors.RequestMalformed, 400),
    ],
)
def test_status_of_each_error(error: type[domain.AnswerdeskError], status: int) -> None:
    assert errors.status_of(error("What.", "Do.")) == status


def test_every_error_of_the_tree_has_a_status_and_a_title_of_its_own() -> None:
    for error in _all_errors():
        made = error("What.", "Do.", "id") if error is domain.AlreadyRunning else error("What.", "Do.")
        assert 400 <= errors.status_of(made) < 600
    titles = [error.title for error in _all_errors() if error is not domain.AlreadyRunning]
    assert len(set(titles)) >= len(set(_all_errors())) - 1


def test_problem_of_a_running_job_carries_its_id_and_the_five_promised_fields() -> None:
    body = errors.problem(domain.AlreadyRunning("One runs.", "Wait.", "job-7"), "request-1")
    assert body == {
        "type": "urn:answerdesk:problem:already-running",
        "title": "Already running",
        "status": 409,
        "detail": "One runs.",
        "remedy": "Wait.",
        "request_id": "request-1",
        "running_id": "job-7",
    }


def test_problem_of_a_bug_says_nothing_of_its_inside() -> None:
    assert errors.unexpected_problem("request-1")["detail"] == "The request failed for a reason that is not yours."
