"""An index generation on disk: an immutable folder that explains itself and refuses the wrong partner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain.documents import PASSAGE_FORMAT
from domain.errors import ArtifactCorrupt, ModelUnsuitable
from domain.indexing import GenerationRecord
from domain.protocols import Embedder
from retriever.arrays import load_array, save_array
from retriever.dense import DenseIndex
from retriever.lexical import LexicalIndex
from retriever.segment import Segment
from retriever.settings import RetrieverSettings
from storage.artifacts import ArtifactStore

SCHEMA_VERSION = 2
ID_PREFIX = "gen-"
_REBUILD = "Run 'answerdesk reindex' to build a new generation."
_ARRAYS = ("passage_ids", "collection_codes", "row_passages")
_EMBEDDER_SETTINGS = ("embedder_path", "universal_weight", "precision")


def embedder_recipe(settings: RetrieverSettings) -> dict[str, Any]:
    """What the embedder of a generation is built from, as JSON: enough to open it after the settings have changed."""
    recipe = settings.model_dump(mode="json", include=set(_EMBEDDER_SETTINGS))
    if settings.embedder_path is not None:
        recipe["embedder_path"] = str(settings.embedder_path.resolve())
    return recipe


def describe(
    segment: Segment, embedder: Embedder, revision: int, recipe: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The facts of the folder's manifest; ``recipe`` as ``embedder_recipe`` makes it."""
    return {
        "kind": "index-generation",
        "schema_version": SCHEMA_VERSION,
        "passage_format": PASSAGE_FORMAT,
        "embedder": None if recipe is None else dict(recipe),
        "revision": revision,
        "passages": len(segment),
        "collections": len(segment.collections),
        "terms": len(segment.lexical.vocabulary),
        "vector_fields": [
            {
                "name": "text_and_question",
                "embedder_fingerprint": embedder.fingerprint,
                "dimension": segment.dense.dimension,
                "rows": segment.dense.rows,
                "metric": "inner_product",
            }
        ],
    }


def write_segment(segment: Segment, directory: Path) -> None:
    segment.dense.write(directory / "dense.faiss")
    segment.lexical.write(directory)
    for name in _ARRAYS:
        save_array(directory / f"{name}.npy", getattr(segment, name))
    (directory / "collections.json").write_text(json.dumps(segment.collections), encoding="utf-8")


def open_generation(artifacts: ArtifactStore, record: GenerationRecord, embedder: Embedder) -> Segment:
    """Every hash is verified before a file is parsed: a flipped bit in a FAISS file may answer wrongly or crash.

    Raises:
        ArtifactCorrupt: a file is missing, was changed, or does not fit the others.
        ModelUnsuitable: the generation was built with another embedder or by another schema.
    """
    return open_segment(artifacts, record.generation_id, record.manifest_sha256, embedder)


def verify_generation(artifacts: ArtifactStore, record: GenerationRecord, embedder: Embedder) -> None:
    """Every hash and the embedder, without reading the index into memory.

    Raises:
        ArtifactCorrupt, ModelUnsuitable: as ``open_generation``.
    """
    artifact = artifacts.open(record.generation_id, record.manifest_sha256)
    _check_facts(record.generation_id, artifact.facts, embedder)


def open_segment(artifacts: ArtifactStore, generation_id: str, manifest_sha256: str, embedder: Embedder) -> Segment:
    artifact = artifacts.open(generation_id, manifest_sha256)
    field = _check_facts(generation_id, artifact.facts, embedder)
    passages = int(artifact.facts["passages"])
    arrays = {name: load_array(artifact.path / f"{name}.npy") for name in _ARRAYS}
    segment = Segment(
        collections=tuple(json.loads((artifact.path / "collections.json").read_text(encoding="utf-8"))),
        dense=DenseIndex.read(artifact.path / "dense.faiss"),
        lexical=LexicalIndex.read(artifact.path, passages),
        **arrays,
    )
    counts = {len(segment.passage_ids), len(segment.collection_codes), passages}
    rows = {segment.dense.rows, len(segment.row_passages), int(field["rows"])}
    if len(counts) > 1 or len(rows) > 1 or segment.dense.dimension != embedder.dimension:
        raise ArtifactCorrupt(
            f"The files of generation {generation_id} do not fit together: passages {sorted(counts)}, "
            f"vector rows {sorted(rows)}, dimension {segment.dense.dimension} for {embedder.dimension}.",
            _REBUILD,
        )
    return segment


def _check_facts(generation_id: str, facts: Mapping[str, Any], embedder: Embedder) -> Mapping[str, Any]:
    schema = facts.get("schema_version")
    if schema != SCHEMA_VERSION:
        raise ModelUnsuitable(
            f"Generation {generation_id} has schema version {schema}, this program reads {SCHEMA_VERSION}.", _REBUILD
        )
    field: Mapping[str, Any] = facts["vector_fields"][0]
    theirs = (field["embedder_fingerprint"], field["dimension"])
    ours = (embedder.fingerprint, embedder.dimension)
    if theirs != ours:
        raise ModelUnsuitable(
            f"Generation {generation_id} was built with embedder {theirs[0]} ({theirs[1]} dimensions), "
            f"but {ours[0]} ({ours[1]} dimensions) is loaded.",
            f"{_REBUILD} Or configure the former embedder again.",
        )
    return field
