"""Knobs of the ingest package."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from domain.documents import MAX_PASSAGE_WORDS


class IngestSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    max_file_bytes: int = Field(default=50 * 1024 * 1024, gt=0, description="Largest upload, in bytes.")
    target_passage_words: int = Field(
        default=MAX_PASSAGE_WORDS,
        ge=20,
        le=MAX_PASSAGE_WORDS,
        description="Sentences and short sections are gathered up to this many words.",
    )
    parse_seconds: float = Field(default=60.0, gt=0, description="CPU and wall time one document may take to parse.")
    parse_memory_mb: int = Field(default=1536, gt=0, description="Address space of the parsing child, in MiB.")
    lease_seconds: float = Field(default=60.0, gt=0, description="A worker silent for this long loses its job.")
    poll_seconds: float = Field(default=0.5, gt=0, description="Pause between looks at an empty job queue.")
