"""Immutable folders such as index generations and models: published whole, verified before they are read.

The manifest is written last and names the SHA-256 of every file; the database pins the manifest's own hash. A FAISS
file carries no checksum and a flipped bit can answer wrongly, so nothing is handed out before every byte was hashed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import ArtifactCorrupt, Conflict, InvalidInput
from domain.ids import new_id, sha256_hex
from storage.failures import disk_failures
from storage.files import PRIVATE_FILE, PRIVATE_FOLDER, hold, make_private_folder, remove_abandoned, sync

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
_UNFINISHED = ".unfinished-"  # being built, or on its way out
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified folder; ``facts`` is what its builder wrote down about it."""

    artifact_id: str
    path: Path
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Staging:
    """A folder to fill at ``path``. Set ``facts`` (JSON) inside the block; read ``manifest_sha256`` after it."""

    path: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    manifest_sha256: str = ""


class ArtifactStore:
    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def stage(self, artifact_id: str) -> Iterator[Staging]:
        """Fill ``staging.path``; a clean exit publishes the folder, an error removes it.

        The folder is locked while it is built, so that a sweep tells it from what a killed process left.

        Raises:
            Conflict: the id is taken.
            StorageFull
        """
        final = self._path(artifact_id)
        if final.exists():
            raise Conflict(f"Artifact {artifact_id} exists and artifacts do not change.", "Use a new id.")
        with disk_failures():
            folder, lock = self._make_unfinished(artifact_id)
        staging = Staging(folder)
        try:
            with disk_failures():
                yield staging
                staging.manifest_sha256 = _seal(folder, staging.facts)
                folder.rename(final)
                sync(self._root)
        finally:
            os.close(lock)
            shutil.rmtree(folder, ignore_errors=True)

    def open(self, artifact_id: str, manifest_sha256: str | None) -> Artifact:
        """Hash every file, then hand the folder out. None trusts the manifest as it lies there.

        Raises:
            ArtifactCorrupt: names the first file that is missing, extra, or not what was published.
        """
        folder = self._path(artifact_id)
        manifest = _read_manifest(folder, manifest_sha256)
        expected: Mapping[str, Mapping[str, Any]] = manifest["files"]
        present = _files(folder)
        for name in sorted(set(expected) ^ set(present)):
            raise _corrupt(folder, name, "is missing" if name in expected else "was not published with it")
        for name, facts in expected.items():
            if not _is_intact(present[name], facts):
                raise _corrupt(folder, name, "is not what was published")
        return Artifact(artifact_id, folder, manifest["facts"])

    def facts(self, artifact_id: str, manifest_sha256: str | None) -> Mapping[str, Any]:
        """What the builder wrote down, without a look at the files: ``open`` them before they are used.

        Raises:
            ArtifactCorrupt: the manifest is missing or not what was published.
        """
        facts: Mapping[str, Any] = _read_manifest(self._path(artifact_id), manifest_sha256)["facts"]
        return facts

    def exists(self, artifact_id: str) -> bool:
        return (self._path(artifact_id) / MANIFEST).is_file()

    def list_ids(self) -> list[str]:
        """Published ids, sorted."""
        return sorted(path.parent.name for path in self._root.glob(f"*/{MANIFEST}") if _ID.fullmatch(path.parent.name))

    def remove(self, artifact_id: str) -> None:
        """Renamed first, so that nobody ever opens half of it. A missing one is fine."""
        doomed = self._root / f"{_UNFINISHED}{artifact_id}-{new_id()}"
        try:
            self._path(artifact_id).rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed)

    def sweep(self) -> int:
        """Remove what killed builders and removers left; returns how many. Builds in progress are not touched."""
        return sum(remove_abandoned(folder) for folder in self._root.glob(f"{_UNFINISHED}*"))

    def _path(self, artifact_id: str) -> Path:
        if not _ID.fullmatch(artifact_id):
            raise InvalidInput(f"{artifact_id!r} is not an artifact id.", "Use letters, digits, dots, dashes.")
        return self._root / artifact_id

    def _make_unfinished(self, artifact_id: str) -> tuple[Path, int]:
        make_private_folder(self._root)
        while True:
            folder = self._root / f"{_UNFINISHED}{artifact_id}-{new_id()}"
            folder.mkdir(mode=PRIVATE_FOLDER)
            lock = os.open(folder, os.O_RDONLY)
            if hold(folder, lock):
                return folder, lock
            os.close(lock)


def _seal(folder: Path, facts: Mapping[str, Any]) -> str:
    """Make every file private and durable, then write the manifest; returns the manifest's hash."""
    files = {}
    for name, path in _files(folder).items():
        path.chmod(PRIVATE_FILE)
        sync(path)
        files[name] = {"sha256": _sha256(path), "size": path.stat().st_size}
    for inner in folder.rglob("*/"):
        inner.chmod(PRIVATE_FOLDER)
        sync(inner)
    document = {"schema_version": SCHEMA_VERSION, "facts": dict(facts), "files": files}
    content = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode()
    manifest = folder / MANIFEST
    manifest.write_bytes(content)
    manifest.chmod(PRIVATE_FILE)
    sync(manifest)
    sync(folder)
    return sha256_hex(content)


def _read_manifest(folder: Path, expected_sha256: str | None) -> Mapping[str, Any]:
    path = folder / MANIFEST
    try:
        content = path.read_bytes() if path.is_file() else None  # reading a pipe would wait for ever
    except OSError:
        content = None
    if content is None:
        raise _corrupt(folder, MANIFEST, "is missing or cannot be read")
    if expected_sha256 is not None and sha256_hex(content) != expected_sha256:
        raise _corrupt(folder, MANIFEST, "is not what was published")
    try:
        manifest: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise _corrupt(folder, MANIFEST, "is not JSON") from error
    known = isinstance(manifest, dict) and manifest.get("schema_version") == SCHEMA_VERSION
    if not known or not isinstance(manifest.get("files"), dict) or not isinstance(manifest.get("facts"), dict):
        raise _corrupt(folder, MANIFEST, f"is not of schema version {SCHEMA_VERSION}")
    return manifest


def _files(folder: Path) -> dict[str, Path]:
    """Everything but folders and the manifest, by its name relative to the folder."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    names.pop(MANIFEST, None)
    return names


def _is_intact(path: Path, facts: Mapping[str, Any]) -> bool:
    """False also for what cannot be read: a pipe in the file's place, a bad sector, no permission."""
    try:
        as_published = path.is_file() and not path.is_symlink() and path.stat().st_size == facts["size"]
        return as_published and _sha256(path) == facts["sha256"]
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _corrupt(folder: Path, name: str, what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"File {name} of artifact {folder.name} {what}.", "Build the artifact again or go back to the one before it."
    )
