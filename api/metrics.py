"""Figures for Prometheus. A registry of its own per application, so that two in one process do not collide."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from domain.chat import Answer

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Metrics:
    """Counted since this process started; with several HTTP processes each reports its own share."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "answerdesk_requests", "Requests by route and status.", ("method", "route", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "answerdesk_request_seconds",
            "Time to the end of a response.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._answers = Counter(
            "answerdesk_answers", "Finished answers by status and path.", ("status", "path"), registry=registry
        )
        self._answer_seconds = Histogram(
            "answerdesk_answer_seconds", "Time of a stage of a turn.", ("stage",), buckets=_SECONDS, registry=registry
        )
        self._facts = Gauge(
            "answerdesk_fact", "Sizes read from the database when scraped.", ("name",), registry=registry
        )

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method if method in _METHODS else "OTHER", route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def observe_answer(self, answer: Answer) -> None:
        self._answers.labels(answer.status.value, answer.path.value).inc()
        for stage, milliseconds in answer.timings_ms.items():
            self._answer_seconds.labels(stage).observe(milliseconds / 1000)

    def set_fact(self, name: str, value: float) -> None:
        self._facts.labels(name).set(value)

    def forget_facts(self) -> None:
        self._facts.clear()

    def exposition(self) -> bytes:
        return generate_latest(self._registry)
