"""Taking a file in: size, type, bytes to a content-addressed blob, then the document and its job."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from api.bootstrap import Services
from domain.documents import Document, DuplicatePolicy
from domain.errors import EmptyFile, FileTooLarge, InvalidInput
from domain.jobs import Job
from domain.text import normalise
from ingest.parsers import detect_media_type

_MAX_SOURCE_CHARS = 200
_MAX_COLLECTION_CHARS = 64
_BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F])


def store_upload(
    services: Services,
    source: str,
    chunks: Iterable[bytes],
    collection: str,
    policy: DuplicatePolicy = DuplicatePolicy.REPLACE,
) -> tuple[Document, Job | None]:
    """Store one file and queue its ingestion; the job is None when these bytes are already known under this name.

    Raises:
        FileTooLarge, EmptyFile, UnsupportedFileType, DuplicateDocument: nothing of the file is kept.
    """
    source = safe_source(source)
    collection = safe_collection(collection)
    limit = services.settings.ingest.max_file_bytes
    with services.blobs.stage() as staged:
        for chunk in chunks:
            if staged.size_bytes + len(chunk) > limit:
                raise FileTooLarge(
                    f"{source} is larger than {limit / 2**20:.0f} MB.",
                    "Split it, or raise ANSWERDESK_INGEST__MAX_FILE_BYTES.",
                )
            staged.write(chunk)
        if staged.size_bytes == 0:
            raise EmptyFile(f"{source} has no bytes.", "Upload the file again; it may have been saved while open.")
        media_type = detect_media_type(source, staged.head)
        sha256 = staged.commit()
        return services.documents.accept_upload(
            collection=collection,
            source=source,
            title=PurePosixPath(source).stem,
            media_type=media_type,
            size_bytes=staged.size_bytes,
            sha256=sha256,
            policy=policy,
        )


def safe_source(name: str) -> str:
    """The file name as harmless metadata: no folders, control characters or direction overrides, 200 characters.

    The name is never used as a path: bytes are stored under their hash.
    """
    base = PureWindowsPath(PurePosixPath(normalise(name)).name).name.translate(_BIDI_CONTROLS)
    cleaned = "".join(ch for ch in base if ch.isprintable()).strip()
    if not cleaned:
        raise InvalidInput("The file has no usable name.", "Rename it to something like returns.pdf.")
    path = PurePosixPath(cleaned)
    return path.stem[: _MAX_SOURCE_CHARS - len(path.suffix)] + path.suffix


def safe_collection(name: str) -> str:
    cleaned = normalise(name).strip()
    if not cleaned or len(cleaned) > _MAX_COLLECTION_CHARS or not cleaned.isprintable():
        raise InvalidInput(
            f"A collection's name has 1 to {_MAX_COLLECTION_CHARS} printable characters; this one has {len(cleaned)}.",
            "Use a short name such as shop.",
        )
    return cleaned


def read_chunks(path: Path, chunk_bytes: int = 1 << 20) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(chunk_bytes):
            yield chunk
