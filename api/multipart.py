"""Several files in one request, written to staged blobs while they arrive: all of them are taken in, or none."""

from __future__ import annotations

from contextlib import ExitStack

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.bootstrap import Services
from api.errors import RequestMalformed, RequestTooLarge
from api.uploads import Upload, enter_uploads, safe_collection, safe_source
from domain.documents import Document
from domain.errors import InvalidInput
from domain.jobs import Job

_MAX_FIELD_BYTES = 1024
_MAX_OVERHEAD_BYTES = 256 * 1024  # boundaries, part headers and form fields of one request
_MEDIA_TYPE = "multipart/form-data"


class UploadReceiver:
    """Feed it the body, then ``accept``; leaving the ``with`` block removes whatever was not accepted.

    Refusals come as early as they can: a file over its limit while it arrives, a wrong type when it has arrived. One
    refused file refuses the request, and the message names the file.
    """

    def __init__(self, services: Services, content_type: str) -> None:
        media_type, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if media_type.decode("latin-1") != _MEDIA_TYPE or not boundary:
            raise RequestMalformed(
                f"An upload is {_MEDIA_TYPE} with a boundary; this one says {content_type[:100]!r}.",
                "Send the files as form fields named file.",
            )
        self._services = services
        self._settings = services.settings
        self._stack = ExitStack()
        self._files: list[Upload] = []
        self._collection: bytearray | None = None
        self._header_name, self._header_value = bytearray(), bytearray()
        self._disposition = ""
        self._target: Upload | bytearray | None = None
        self._complete = False
        self._parser = _parser(self, boundary)

    def __enter__(self) -> UploadReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def max_bytes(self) -> int:
        """No request can be larger than this, whatever it holds."""
        return self._settings.api.max_upload_files * self._settings.ingest.max_file_bytes + _MAX_OVERHEAD_BYTES

    def feed(self, chunk: bytes) -> None:
        """
        Raises:
            FileTooLarge, EmptyFile, UnsupportedFileType, InvalidInput, RequestMalformed, StorageFull
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RequestMalformed(
                f"The form data cannot be read: {error}.", "Send the files with a standard HTTP client."
            ) from error

    def accept(self) -> list[tuple[Document, Job | None]]:
        """Make every file permanent and queue its ingestion; call it when the whole body was fed.

        The documents are written one transaction each: if the database fails between two, the first ones are in, and
        sending the same request again changes nothing for them.
        """
        if not self._complete:
            raise RequestMalformed("The form data ended before its closing boundary.", "Send the upload again.")
        if not self._files:
            raise InvalidInput("The request holds no file.", "Send at least one form field named file.")
        given = b"default" if self._collection is None else self._collection
        collection = safe_collection(given.decode("utf-8", "replace"))
        for file in self._files:
            file.blob.commit()
        return enter_uploads(self._services, self._files, collection)

    # The parser's callbacks, in the order in which they come.

    def on_part_begin(self) -> None:
        self._disposition = ""
        self._target = None

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value.decode("latin-1")
        self._header_name.clear()
        self._header_value.clear()

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            self._target = self._begin_file(name, options[b"filename"].decode("utf-8", "replace"))
        else:
            self._target = self._begin_field(name)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if isinstance(self._target, Upload):
            self._target.write(data[start:end], self._settings.ingest.max_file_bytes)
        elif self._target is not None:
            if len(self._target) + end - start > _MAX_FIELD_BYTES:
                raise RequestTooLarge(f"A form field is larger than {_MAX_FIELD_BYTES} bytes.", "Shorten it.")
            self._target += data[start:end]

    def on_part_end(self) -> None:
        if isinstance(self._target, Upload):
            self._target.detect_type()

    def on_end(self) -> None:
        self._complete = True

    def _begin_file(self, name: str, filename: str) -> Upload:
        if name != "file":
            raise InvalidInput(f"A file came in the form field {name[:50]!r}.", "Send files in fields named file.")
        limit = self._settings.api.max_upload_files
        if len(self._files) == limit:
            raise RequestTooLarge(f"The request holds more than {limit} files.", "Send them in several requests.")
        source = safe_source(filename)
        if any(file.source == source for file in self._files):
            raise InvalidInput(f"Two files of the request are named {source}.", "Rename one, or send it by itself.")
        file = Upload(source, self._stack.enter_context(self._services.blobs.stage()))
        self._files.append(file)
        return file

    def _begin_field(self, name: str) -> bytearray:
        if name != "collection" or self._collection is not None:
            raise InvalidInput(
                f"The form field {name[:50]!r} is unknown or came twice.", "Send file (repeatable) and collection."
            )
        self._collection = bytearray()
        return self._collection


def _parser(receiver: UploadReceiver, boundary: bytes) -> MultipartParser:
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": receiver.on_part_begin,
                "on_part_data": receiver.on_part_data,
                "on_part_end": receiver.on_part_end,
                "on_header_field": receiver.on_header_field,
                "on_header_value": receiver.on_header_value,
                "on_header_end": receiver.on_header_end,
                "on_headers_finished": receiver.on_headers_finished,
                "on_end": receiver.on_end,
            },
        )
    except FormParserError as error:
        raise RequestMalformed(f"The boundary of the form data is unusable: {error}.", "Use a shorter one.") from error
