"""Knobs of the generator package."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GeneratorSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        default="", description="Folder or hub name of a GPT-2; empty means the checkpoint that ships with Answerdesk."
    )
    allow_download: bool = Field(default=False, description="Allow a hub name to be fetched; otherwise local only.")
    threads: int = Field(default=0, ge=0, description="CPU threads of one generation; 0 takes every core.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the GPT-2 runs; auto takes CUDA if torch finds it."
    )
    max_new_tokens: int = Field(default=128, ge=8, description="Longest composed answer, in tokens.")
    max_sentences: int = Field(
        default=7, ge=1, description="Most sentences of a composed answer, rows of a table among them."
    )
    passages: int = Field(default=9, ge=1, le=50, description="Passages that a question's evidence is chosen from.")
    evidence_words: int = Field(default=150, ge=20, description="Words of evidence shown to the model.")
    max_question_chars: int = Field(default=4000, ge=1, description="Longest question, in characters.")
    curated_at: float = Field(
        default=0.8, ge=0, le=1, description="Cosine of question and FAQ question from which the FAQ answer is given."
    )
    max_wrong: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Accepted share of answers for which nothing was found; the confidence to answer follows from it.",
    )
    refuse_below: float | None = Field(
        default=None, ge=0, le=1, description="Confidence under which no answer is attempted, instead of max_wrong."
    )
