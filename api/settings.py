"""Every knob of Answerdesk, and the only reader of the environment.

A setting is named ``ANSWERDESK_`` and its path with ``__`` between levels: ``ANSWERDESK_RETRIEVER__TOP_K=8``.
A misspelt name is an error at start-up, because a setting that silently does nothing is worse than none.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from domain.errors import SettingsInvalid
from generator.settings import GeneratorSettings
from ingest.settings import IngestSettings
from retriever.settings import RetrieverSettings

PREFIX = "ANSWERDESK_"
_DELIMITER = "__"


class ApiSettings(BaseModel):
    """Knobs of the HTTP server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address the server binds to.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the server binds to; 0 takes a free one.")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Host names, beside the bound address, under which the server may be addressed."
    )
    cors_origins: tuple[str, ...] = Field(default=(), description="Exact origins of other sites that may call the API.")
    max_concurrent_answers: int = Field(default=8, ge=1, description="Answers composed at once; more get 503.")
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="Largest JSON request body, in bytes.")
    max_upload_files: int = Field(default=20, ge=1, description="Files in one upload request.")
    session_hours: float = Field(default=12.0, gt=0, description="Life of an anonymous chat session, in hours.")
    metrics_token: SecretStr | None = Field(default=None, description="Bearer token that may read /metrics.")
    shutdown_seconds: int = Field(default=20, ge=1, description="Time open streams get to end after SIGTERM.")


class Settings(BaseSettings):
    """The whole configuration; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=_DELIMITER, frozen=True, extra="forbid", env_ignore_empty=True
    )

    data_dir: Path = Field(default=Path("data"), description="Folder of the database, uploads, indexes and models.")
    database_url: str = Field(
        default="", description="SQLAlchemy URL; empty means SQLite inside the data folder.", repr=False
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level logged.")
    log_json: bool = Field(default=False, description="Log JSON lines instead of text.")
    nightly_at: str = Field(
        default="03:00",
        pattern="^(off|([01][0-9]|2[0-3]):[0-5][0-9])$",
        description="Local time at which a running worker re-indexes, once a day; off leaves that to cron or nobody.",
    )
    api: ApiSettings = Field(default_factory=ApiSettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    retriever: RetrieverSettings = Field(default_factory=RetrieverSettings)
    generator: GeneratorSettings = Field(default_factory=GeneratorSettings)

    @model_validator(mode="before")
    @classmethod
    def _absolute_data_dir(cls, values: dict[str, object]) -> dict[str, object]:
        # Relative to the folder the command was started in, fixed now: a later chdir must not move the data.
        values["data_dir"] = Path(str(values.get("data_dir") or "data")).expanduser().resolve()
        return values

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'answerdesk.db'}"


def load_settings() -> Settings:
    """Read and check the environment.

    Raises:
        SettingsInvalid: an unknown name or a value out of range, with the nearest known name.
    """
    known = setting_names()
    unknown = [name for name in os.environ if name.startswith(PREFIX) and name not in known]
    if unknown:
        nearest = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else "`answerdesk doctor --settings` lists the known ones."
        raise SettingsInvalid(f"Unknown setting {unknown[0]}.", hint)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + _DELIMITER.join(str(part) for part in first["loc"]).upper()
        raise SettingsInvalid(f"{name}: {first['msg']}, got {first['input']!r}.", "Correct or unset it.") from error
    except SettingsError as error:  # pydantic-settings names the section, not the variable
        lists = " and ".join(name for name in known if name.endswith(("_HOSTS", "_ORIGINS")) and name in os.environ)
        raise SettingsInvalid(
            f"{lists or 'A setting'} cannot be read: a list is written as JSON.",
            'Write it like this: ANSWERDESK_API__ALLOWED_HOSTS=["support.example.com"]',
        ) from error


def setting_names() -> dict[str, str]:
    """Every environment variable with its description, in the order of the models."""
    names: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            for inner, inner_field in section.model_fields.items():
                names[f"{PREFIX}{name}{_DELIMITER}{inner}".upper()] = inner_field.description or ""
        else:
            names[f"{PREFIX}{name}".upper()] = field.description or ""
    return names


def override_environment(name: str, value: str) -> None:
    """Let a command-line option win over the environment, in this process and in those it starts."""
    os.environ[PREFIX + name] = value
