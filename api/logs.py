"""Log lines: standard logging, formatted by structlog, on standard error."""

from __future__ import annotations

import logging

import structlog

from api.settings import Settings

_NOISY = ("httpx", "httpcore", "sentence_transformers", "transformers", "alembic", "urllib3")


def _drop_colours(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """uvicorn repeats each message with terminal colours."""
    event.pop("color_message", None)
    return event


def configure_logging(settings: Settings, default_level: str = "INFO") -> None:
    """Send every logger through one handler; values given in ``extra`` become fields of the line.

    ``default_level`` holds unless ANSWERDESK_LOG_LEVEL is set: a command that prints a table logs less than a server.
    """
    level = settings.log_level if "log_level" in settings.model_fields_set else default_level
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if settings.log_json else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            _drop_colours,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
