"""``ingest``, ``documents``, ``search``, ``ask`` and ``verify``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from api import console_output as output
from api import deletion
from api.bootstrap import Services
from api.commands.context import CollectionOption, JsonOption, open_services, working
from api.schemas import AnswerView, DocumentView, PassageView
from api.turns import answer_once
from api.uploads import read_chunks, safe_source, store_upload
from api.verification import verify_answer
from domain.documents import Document, DocumentStatus
from domain.errors import InvalidInput
from ingest.parsers import SUPPORTED_EXTENSIONS

documents = typer.Typer(help="The ledger of documents.", no_args_is_help=True)


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Collection to put them in.")] = "default",
    wait: Annotated[bool, typer.Option("--wait", help="Ingest them now and report; exit 1 if any failed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Upload files or folders. Without --wait a running server or worker ingests them."""
    with open_services() as services:
        ledger, refused = [], []
        sources: dict[str, Path] = {}
        for path in _files(paths):
            try:
                _refuse_twin(sources, path)
                ledger.append(store_upload(services, path.name, read_chunks(path), collection)[0])
            except InvalidInput as error:
                refused.append(error)
        if wait and ledger:
            ledger = _ingest_now(services, [document.document_id for document in ledger], quiet=as_json)
    for refusal in refused:
        output.problem(refusal)
    _print_ledger(ledger, as_json)
    if refused or any(document.status is DocumentStatus.FAILED for document in ledger):
        raise typer.Exit(1)


def search(
    query: str,
    top_k: Annotated[int, typer.Option(min=1, max=50, help="How many passages.")] = 5,
    collection: CollectionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the passages that the retriever finds."""
    with open_services() as services:
        services.load_searching()
        result = services.retriever.search(query, top_k, collection)
    if as_json:
        passages = [PassageView.from_scored(hit).model_dump(mode="json") for hit in result.passages]
        output.emit_json({"passages": passages, "generation": result.generation})
        return
    for hit in result.passages:
        output.say(f"{hit.score:.3f}  {hit.stored.source}  {hit.passage.question or hit.passage.heading}")
        output.say(f"       {hit.passage.text}\n")
    if not result.passages:
        output.say("Nothing found: the knowledge base is empty. `answerdesk ingest PATH --wait` fills it.")


def ask(
    question: str,
    collection: CollectionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer one question as the chat would."""
    with open_services() as services:
        services.load_answering()
        answer = answer_once(services, question, collection=collection)
    if as_json:
        output.emit_json(AnswerView.from_domain(answer).model_dump(mode="json"))
        return
    output.say(answer.text)
    for citation in answer.citations:
        output.say(f"  [{citation.n}] {citation.source} (version {citation.version}): {citation.quote}")


def verify(answer_id: str, as_json: JsonOption = False) -> None:
    """Check an answer's quotes against the stored document versions."""
    with open_services() as services:
        checks = verify_answer(services, answer_id)
    if as_json:
        output.emit_json({"answer_id": answer_id, "citations": [check.to_dict() for check in checks]})
    else:
        output.table(("n", "source", "result"), [(c.n, c.source, c.result) for c in checks], empty="No citations.")
    if not all(check.intact for check in checks):
        raise typer.Exit(1)


@documents.command("list")
def list_documents(
    collection: CollectionOption = None,
    status: Annotated[DocumentStatus | None, typer.Option(help="Only documents in this state.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the ledger."""
    with open_services() as services:
        rows = services.documents.list_documents(collection=collection, status=status, limit=1000)
    _print_ledger(rows, as_json)


@documents.command("show")
def show_document(document_id: str, as_json: JsonOption = False) -> None:
    """Show one document and its passages."""
    with open_services() as services:
        document = services.documents.get(document_id)
        passages = services.documents.passages(document_id)
    view = DocumentView.from_domain(document).model_dump(mode="json")
    if as_json:
        rows = [PassageView.from_passage(passage, document).model_dump(mode="json") for passage in passages]
        output.emit_json({**view, "passages": rows})
        return
    output.facts_table(view)
    for passage in passages:
        output.say(f"\n{passage.question or passage.heading}\n{passage.text}")


@documents.command("delete")
def delete_document(document_id: str) -> None:
    """Stop answering from a document, from the next question on."""
    with open_services() as services:
        output.say(f"Deleted {deletion.delete_document(services, document_id).source}.")


@documents.command("retry")
def retry_document(document_id: str) -> None:
    """Queue a failed document again."""
    with open_services() as services:
        output.say(f"Queued {services.documents.retry(document_id)[0].source} again.")


def _files(paths: list[Path]) -> Iterator[Path]:
    """Files as given; of a folder, every file below it of a supported type, hidden ones left out."""
    for path in paths:
        if path.is_dir():
            found = sorted(
                p for p in path.rglob("*") if p.suffix.lower() in SUPPORTED_EXTENSIONS and _is_shown(p, path)
            )
            if not found:
                supported = ", ".join(sorted(SUPPORTED_EXTENSIONS))
                raise InvalidInput(f"{path} holds no file of a supported type.", f"Supported: {supported}.")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise InvalidInput(f"{path} does not exist.", "Check the path.")


def _is_shown(path: Path, folder: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _refuse_twin(sources: dict[str, Path], path: Path) -> None:
    """A file's name is its identity in the collection: the second of two would replace the first."""
    first = sources.setdefault(safe_source(path.name), path)
    if first != path:
        raise InvalidInput(f"{path} has the same name as {first}.", "Rename it, or ingest it into another collection.")


def _ingest_now(services: Services, document_ids: list[str], *, quiet: bool) -> list[Document]:
    with working(services), output.progress_bar("Ingesting", visible=not quiet) as progress:
        while True:
            ledger = [services.documents.get(document_id) for document_id in document_ids]
            done = sum(document.status.is_final for document in ledger)
            progress(done, len(ledger))
            if done == len(ledger):
                return ledger
            time.sleep(services.settings.ingest.poll_seconds / 2)


def _print_ledger(ledger: list[Document], as_json: bool) -> None:
    if as_json:
        output.emit_json({"documents": [DocumentView.from_domain(d).model_dump(mode="json") for d in ledger]})
        return
    output.table(
        ("document", "source", "collection", "status", "passages", "reason"),
        [(d.document_id, d.source, d.collection, d.status, d.passage_count, d.reason) for d in ledger],
        empty="No documents. `answerdesk ingest PATH --wait` adds some.",
    )
