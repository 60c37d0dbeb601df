"""Every error that a user of Answerdesk can meet.

    AnswerdeskError
    ├── NotFound                 DocumentNotFound, ConversationNotFound, AnswerNotFound, JobNotFound, ...
    ├── InvalidInput             the caller can mend it
    │   ├── UnsupportedFileType, EmptyFile, FileTooLarge, DocumentUnreadable, ...
    │   ├── QuestionInvalid      empty, too long, or not text
    │   └── PromptTooLong
    ├── Conflict                 the state forbids it now
    │   ├── AlreadyRunning       carries ``running_id``
    │   ├── DuplicateDocument, DocumentNotReady, PromotionConflict
    │   └── LeaseLost            another worker took the job over
    ├── NotAllowed               KeyUnknown (401), RoleTooLow (403)
    ├── Corrupt                  ArtifactCorrupt, QuoteMismatch: bytes are not what was written
    └── Unavailable              ModelMissing, ModelUnsuitable, StorageBusy, StorageFull: try again, or mend it

Each message says what happened, with its numbers; ``remedy`` says what to do about it.
"""

from __future__ import annotations


class AnswerdeskError(Exception):
    """Base of the tree. ``title`` is constant for a class, ``detail`` is of this case, ``remedy`` is the way out."""

    title = "Something went wrong"

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(f"{detail} {remedy}")
        self.detail = detail
        self.remedy = remedy


class NotFound(AnswerdeskError):
    title = "Not found"


class DocumentNotFound(NotFound):
    title = "Document not found"


class ConversationNotFound(NotFound):
    title = "Conversation not found"


class AnswerNotFound(NotFound):
    title = "Answer not found"


class JobNotFound(NotFound):
    title = "Job not found"


class KeyNotFound(NotFound):
    title = "Key not found"


class GenerationNotFound(NotFound):
    title = "Generation not found"


class ModelNotFound(NotFound):
    title = "Model not found"


class InvalidInput(AnswerdeskError):
    title = "Invalid input"


class UnsupportedFileType(InvalidInput):
    title = "Unsupported file type"


class EmptyFile(InvalidInput):
    title = "Empty file"


class FileTooLarge(InvalidInput):
    title = "File too large"


class DocumentUnreadable(InvalidInput):
    """The file was stored but its text cannot be had: broken, encrypted, scanned, or too costly to parse."""

    title = "Document unreadable"


class QuestionInvalid(InvalidInput):
    title = "Question invalid"


class PromptTooLong(InvalidInput):
    title = "Prompt too long"


class Conflict(AnswerdeskError):
    title = "Conflict"


class AlreadyRunning(Conflict):
    title = "Already running"

    def __init__(self, detail: str, remedy: str, running_id: str) -> None:
        super().__init__(detail, remedy)
        self.running_id = running_id


class DuplicateDocument(Conflict):
    title = "Document exists"


class DocumentNotReady(Conflict):
    title = "Document not ready"


class PromotionConflict(Conflict):
    title = "Another generation was promoted meanwhile"


class GateFailed(Conflict):
    """The new generation or model is worse than the live one; the live one stays."""

    title = "Gate failed"


class LeaseLost(Conflict):
    title = "Lease lost"


class NotAllowed(AnswerdeskError):
    title = "Not allowed"


class KeyUnknown(NotAllowed):
    title = "Key missing or unknown"


class RoleTooLow(NotAllowed):
    title = "Role too low"


class Corrupt(AnswerdeskError):
    title = "Corrupt data"


class ArtifactCorrupt(Corrupt):
    title = "Artifact corrupt"


class QuoteMismatch(Corrupt):
    title = "Quote does not match its document"


class Unavailable(AnswerdeskError):
    title = "Temporarily unavailable"


class ModelMissing(Unavailable):
    title = "Model missing"


class ModelUnsuitable(Unavailable):
    """A model is there but must not be used for this: another architecture, a foreign tokenizer, never fine-tuned."""

    title = "Model unsuitable"


class StorageBusy(Unavailable):
    title = "Database busy"


class StorageFull(Unavailable):
    title = "Disk full"


class StorageUnreachable(Unavailable):
    title = "Database unreachable"


class SettingsInvalid(AnswerdeskError):
    title = "Settings invalid"
