"""Knobs of the retriever package."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RetrieverSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    embedder_path: Path | None = Field(
        default=None, description="Folder of a sentence-transformers model; unset means the MiniLM of the pip wheel."
    )
    universal_weight: float = Field(
        default=0.2, ge=0, lt=1, description="Share of the multilingual embedder in a cosine; 0 leaves it out."
    )
    reader: bool = Field(
        default=True,
        description="Let the reader judge which English sentences answer; without it words and vectors do, sooner.",
    )
    precision: Literal["bf16", "fp32"] = Field(
        default="bf16", description="Arithmetic of the embedder; bf16 where the processor has it."
    )
    threads: int = Field(default=0, ge=0, description="CPU threads of the embedder; 0 takes every core.")
    top_k: int = Field(default=5, ge=1, le=50, description="Passages a search returns unless it asks for others.")
    candidates: int = Field(default=50, ge=5, description="Passages that each half of the search hands to fusion.")
    dense_weight: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="Share of the meaning (vectors) in a hit's score; words (BM25) have the rest.",
    )
    max_query_chars: int = Field(default=4000, ge=1, description="Longest query, in characters.")
    keep_generations: int = Field(default=3, ge=1, description="Index generations kept on disk, the live one included.")
    max_delta: int = Field(default=10_000, ge=1, description="Passages outside the index that call for a re-index.")
    golden: Path | None = Field(
        default=None, description="File of golden questions that a new index generation is tested on before it is live."
    )
    golden_floor: float = Field(default=0.5, ge=0, le=1, description="Least recall@5 on the golden questions.")
    golden_margin: float = Field(
        default=0.03, ge=0, le=1, description="Drop in recall@5 on them that is accepted against the live generation."
    )
