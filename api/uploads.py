"""Taking a file in: size, type, bytes to a content-addressed blob, then the document and its job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from api.bootstrap import Services
from api.deletion import drop_blob
from domain.documents import Document
from domain.errors import FileTooLarge, InvalidInput
from domain.jobs import Job
from domain.text import normalise
from ingest.parsers import detect_media_type
from storage.blobs import StagedBlob

_MAX_SOURCE_CHARS = 200
_MAX_COLLECTION_CHARS = 64
_BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F])


@dataclass(slots=True)
class Upload:
    """A file on its way in. ``source`` is its safe name; ``media_type`` is known once every byte has arrived."""

    source: str
    blob: StagedBlob
    media_type: str = ""

    def write(self, data: bytes, limit: int) -> None:
        """
        Raises:
            FileTooLarge: it would grow beyond ``limit`` bytes.
            StorageFull
        """
        if self.blob.size_bytes + len(data) > limit:
            raise FileTooLarge(
                f"{self.source} is larger than {limit / 2**20:.4g} MB.",
                "Split it, or raise ANSWERDESK_INGEST__MAX_FILE_BYTES.",
            )
        self.blob.write(data)

    def detect_type(self) -> None:
        """
        Raises:
            EmptyFile, UnsupportedFileType, DocumentUnreadable
        """
        self.media_type = detect_media_type(self.source, self.blob.head)


def store_upload(
    services: Services, source: str, chunks: Iterable[bytes], collection: str
) -> tuple[Document, Job | None]:
    """Store one file and queue its ingestion; the job is None when these bytes are already known under this name.

    Raises:
        FileTooLarge, EmptyFile, UnsupportedFileType: nothing of the file is kept.
    """
    collection = safe_collection(collection)
    with services.blobs.stage() as blob:
        upload = Upload(safe_source(source), blob)
        for chunk in chunks:
            upload.write(chunk, services.settings.ingest.max_file_bytes)
        upload.detect_type()
        blob.commit()
        return enter_uploads(services, [upload], collection)[0]


def enter_uploads(services: Services, uploads: Sequence[Upload], collection: str) -> list[tuple[Document, Job | None]]:
    """Enter files whose blobs are committed; the bytes of the versions that they replace are not kept.

    Those go last: a file may have the bytes that one before it replaces, as when the old version is sent along under
    another name.
    """
    accepted: list[tuple[Document, Job | None]] = []
    replaced: list[str] = []
    for upload in uploads:
        before = services.documents.get_by_source(collection, upload.source)
        if before is not None:
            replaced.append(before.sha256)
        accepted.append(
            services.documents.accept_upload(
                collection=collection,
                source=upload.source,
                title=PurePosixPath(upload.source).stem,
                media_type=upload.media_type,
                size_bytes=upload.blob.size_bytes,
                sha256=upload.blob.sha256,
            )
        )
    for sha256 in replaced:
        drop_blob(services, sha256)
    return accepted


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
    """
    Raises:
        InvalidInput: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            while chunk := file.read(chunk_bytes):
                yield chunk
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
