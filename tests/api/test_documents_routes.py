from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from domain.ids import sha256_hex
from tests.api.conftest import FAQ, MAX_FILE_BYTES, RETURNS, Desk, OpenDesk
from tests.api.test_middleware import HANG_UP, call_app


def _stored_files(desk: Desk) -> list[Path]:
    return [path for path in (desk.services.settings.data_dir / "blobs").rglob("*") if path.is_file()]


def test_upload_gives_202_with_document_and_job_and_becomes_ready(desk: Desk) -> None:
    response = desk.upload(("returns.md", RETURNS), collection="shop")
    assert response.status_code == 202
    [entry] = response.json()["documents"]
    assert entry["document"]["status"] == "queued"
    assert entry["document"]["source"] == "returns.md"
    assert entry["document"]["collection"] == "shop"
    assert entry["job"]["kind"] == "ingest"
    desk.work()
    document = desk.staff("GET", f"/v1/documents/{entry['document']['document_id']}").json()
    assert document["status"] == "ready"
    assert document["passage_count"] >= 1
    assert document["reason"] is None


def test_several_files_get_an_entry_each_and_default_is_the_collection(desk: Desk) -> None:
    entries = desk.upload(("returns.md", RETURNS), ("faq.csv", FAQ)).json()["documents"]
    assert [entry["document"]["source"] for entry in entries] == ["returns.md", "faq.csv"]
    assert {entry["document"]["collection"] for entry in entries} == {"default"}


def test_same_bytes_again_change_nothing_and_have_no_job(desk: Desk) -> None:
    [first] = desk.ingest(("returns.md", RETURNS))
    [again] = desk.upload(("returns.md", RETURNS), collection="shop").json()["documents"]
    assert again["job"] is None
    assert again["document"] == first


def test_one_refused_file_refuses_the_request_and_is_named(shared_desk: Desk) -> None:
    response = shared_desk.upload(("returns.md", RETURNS), ("setup.exe", b"MZ\x90\x00" * 100), ("faq.csv", FAQ))
    assert response.status_code == 415
    assert "setup.exe" in response.json()["detail"]
    assert shared_desk.staff("GET", "/v1/documents").json()["total"] == 0
    assert _stored_files(shared_desk) == []


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("program.exe", b"MZ\x90\x00" * 100, 415),
        ("renamed.pdf", b"MZ\x90\x00" * 100, 415),
        ("no-extension", RETURNS, 415),
        ("empty.md", b"", 422),
        ("blank.txt", b" \n\t\n", 422),
        ("big.txt", b"word " * MAX_FILE_BYTES, 413),
    ],
)
def test_bad_file_is_refused_with_its_name_and_a_remedy(shared_desk: Desk, name: str, data: bytes, status: int) -> None:
    response = shared_desk.upload((name, data))
    problem = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert name in problem["detail"]
    assert problem["remedy"]
    assert _stored_files(shared_desk) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("/absolute/path/terms.txt", "terms.txt"),
        ("C:\\docs\\terms.txt", "terms.txt"),
        ("CON.txt", "CON.txt"),
        ("gpj\u202etxt.txt", "gpjtxt.txt"),
        ("Rückgabe 返品.md", "Rückgabe 返品.md"),
        (f"{'x' * 4000}.txt", f"{'x' * 196}.txt"),
    ],
)
def test_file_name_is_only_metadata(desk: Desk, name: str, source: str) -> None:
    [entry] = desk.upload((name, RETURNS)).json()["documents"]
    assert entry["document"]["source"] == source
    assert [path.name for path in _stored_files(desk)] == [entry["document"]["sha256"]]


def test_upload_without_length_is_cut_off_at_the_limit_and_leaves_nothing(shared_desk: Desk) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="endless.txt"\r\n\r\n'
        while True:
            taken += 1000
            yield b"x" * 1000

    content_type = "multipart/form-data; boundary=b"
    status, body = anyio.run(call_app, shared_desk, "POST", "/v1/documents", endless(), content_type)
    assert status == 413
    assert b"endless.txt is larger than 0.0625 MB" in body
    assert taken <= MAX_FILE_BYTES + 1000
    assert _stored_files(shared_desk) == []


def test_too_large_file_of_a_declared_length_is_read_to_its_end_so_that_the_reason_arrives(shared_desk: Desk) -> None:
    """A browser that is still sending when the connection closes shows a network error instead of the reason."""
    pieces = [b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n', *([b"x" * 1000] * 200)]
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for piece in pieces:
            sent += len(piece)
            yield piece

    length, content_type = sum(map(len, pieces)), "multipart/form-data; boundary=b"
    status, _ = anyio.run(
        lambda: call_app(shared_desk, "POST", "/v1/documents", body(), content_type, **{"content-length": str(length)})
    )
    assert (status, sent) == (413, length)


def test_upload_that_breaks_off_is_400_and_leaves_nothing(shared_desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="half.txt"\r\n\r\nhalf of it'
        yield HANG_UP

    content_type = "multipart/form-data; boundary=b"
    status, _ = anyio.run(call_app, shared_desk, "POST", "/v1/documents", half(), content_type)
    assert status == 400
    assert _stored_files(shared_desk) == []
    assert "unexpected error" not in caplog.text


def test_upload_declared_larger_than_any_request_is_refused_unread(open_desk: OpenDesk) -> None:
    desk = open_desk(max_upload_files=1)
    response = desk.staff(
        "POST",
        "/v1/documents",
        headers={"Content-Length": str(10**12), "Content-Type": "multipart/form-data; boundary=b"},
        content=b"--b--",
    )
    assert response.status_code == 413
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf', 400, "ended before"),
        (b"not multipart at all", 400, "cannot be read"),
        (b"", 400, "ended before"),
        (b'--b\r\nContent-Disposition: form-data; name="collection"\r\n\r\nshop\r\n--b--\r\n', 422, "no file"),
        (b'--b\r\nContent-Disposition: form-data; name="role"\r\n\r\nadmin\r\n--b--\r\n', 422, "'role'"),
        (
            b'--b\r\nContent-Disposition: form-data; name="collection"\r\n\r\n' + b"x" * 5000 + b"\r\n--b--\r\n",
            413,
            "form field",
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.txt"\r\n\r\nhi\r\n--b--\r\n',
            422,
            "'picture'",
        ),
        (b"--b\r\n" + b"X: y\r\n" * 200 + b"\r\n\r\n--b--\r\n", 400, "cannot be read"),
    ],
)
def test_malformed_form_data_is_refused(shared_desk: Desk, body: bytes, status: int, words: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = shared_desk.staff("POST", "/v1/documents", headers=headers, content=body)
    assert (response.status_code, words in response.json()["detail"]) == (status, True), response.text
    assert _stored_files(shared_desk) == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "", "multipart/form-data; boundary="]
)
def test_upload_that_is_not_form_data_is_400(shared_desk: Desk, content_type: str) -> None:
    response = shared_desk.staff("POST", "/v1/documents", headers={"Content-Type": content_type}, content=b"{}")
    assert response.status_code == 400
    assert "multipart/form-data" in response.json()["detail"]


def test_more_files_than_allowed_and_twins_are_refused(open_desk: OpenDesk) -> None:
    desk = open_desk(max_upload_files=2)
    many = desk.upload(*((f"{n}.txt", RETURNS) for n in range(3)))
    twins = desk.upload(("a.txt", RETURNS), ("folder/a.txt", FAQ))
    assert (many.status_code, twins.status_code) == (413, 422)
    assert "a.txt" in twins.json()["detail"]
    assert desk.staff("GET", "/v1/documents").json()["total"] == 0


@pytest.mark.parametrize("collection", ["", " ", "x" * 65, "line\nbreak"])
def test_unusable_collection_name_is_422(shared_desk: Desk, collection: str) -> None:
    response = shared_desk.upload(("returns.md", RETURNS), collection=collection)
    assert response.status_code == 422
    assert _stored_files(shared_desk) == []


def test_ledger_pages_filters_and_tells_the_revision(desk: Desk) -> None:
    desk.ingest(("returns.md", RETURNS), ("faq.csv", FAQ), collection="shop")
    desk.upload(("later.txt", RETURNS), collection="other")
    everything = desk.staff("GET", "/v1/documents").json()
    assert everything["total"] == 3
    assert everything["revision"] == desk.services.documents.revision() > 0
    page = desk.staff("GET", "/v1/documents?limit=1&offset=1").json()
    assert (len(page["documents"]), page["total"]) == (1, 3)
    assert desk.staff("GET", "/v1/documents?status=queued").json()["total"] == 1
    assert desk.staff("GET", "/v1/documents?collection=shop").json()["total"] == 2


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", f"offset={10**30}", "status=odd", "limit=x"])
def test_ledger_refuses_bad_parameters(shared_desk: Desk, query: str) -> None:
    response = shared_desk.staff("GET", f"/v1/documents?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == f"query.{query.partition('=')[0]}"


def test_unreadable_document_fails_with_a_reason_and_can_be_retried(desk: Desk) -> None:
    [document] = desk.ingest(("broken.pdf", b"%PDF-1.7\nthis is not a PDF after all\n%%EOF"))
    assert document["status"] == "failed"
    assert document["reason"]
    address = f"/v1/documents/{document['document_id']}"
    retried = desk.staff("POST", f"{address}/retry")
    assert retried.status_code == 202
    assert retried.json()["document"]["status"] == "queued"
    assert retried.json()["job"]["status"] == "queued"
    assert desk.customer("GET", f"{address}/text").status_code in (404, 409)


def test_retrying_a_ready_document_is_a_conflict(desk: Desk) -> None:
    [document] = desk.ingest(("returns.md", RETURNS))
    assert desk.staff("POST", f"/v1/documents/{document['document_id']}/retry").status_code == 409


def test_passages_carry_offsets_into_the_text_that_customers_may_read(desk: Desk) -> None:
    [document] = desk.ingest(("returns.md", RETURNS))
    address = f"/v1/documents/{document['document_id']}"
    passages = desk.staff("GET", f"{address}/passages").json()["passages"]
    text = desk.customer("GET", f"{address}/text?version=1").json()
    assert passages
    assert all(text["text"][p["start_char"] : p["end_char"]] == p["text"] for p in passages)
    assert text["source"] == "returns.md"
    assert text["version"] == 1
    assert desk.customer("GET", f"{address}/text?version=2").status_code == 404


def test_deleted_document_is_gone_from_search_text_and_disk(desk: Desk) -> None:
    [document] = desk.ingest(("returns.md", RETURNS))
    address = f"/v1/documents/{document['document_id']}"
    assert desk.customer("POST", "/v1/search", json={"query": "send an item back"}).json()["passages"]
    assert desk.staff("DELETE", address).json()["status"] == "deleted"
    assert desk.customer("POST", "/v1/search", json={"query": "send an item back"}).json()["passages"] == []
    assert desk.customer("GET", f"{address}/text").status_code == 404
    assert _stored_files(desk) == []
    assert desk.staff("DELETE", address).status_code == 200


def test_vector_of_a_faq_question_goes_with_the_last_document_that_asks_it(desk: Desk) -> None:
    one, other = desk.ingest(("faq.csv", FAQ), ("copy.csv", FAQ))
    hashes = [sha256_hex("How long is the warranty on a lamp?")]

    def stored() -> int:
        return len(desk.services.vectors.get_many(desk.services.embedder.fingerprint, hashes))

    desk.staff("DELETE", f"/v1/documents/{one['document_id']}")
    assert stored() == 1
    desk.staff("DELETE", f"/v1/documents/{other['document_id']}")
    assert stored() == 0


def test_replaced_version_leaves_no_bytes_behind(desk: Desk) -> None:
    desk.ingest(("returns.md", RETURNS))
    [newer] = desk.ingest(("returns.md", RETURNS + b"\nNow with a ribbon."))
    assert [path.name for path in _stored_files(desk)] == [newer["sha256"]]


def test_old_version_sent_along_under_another_name_keeps_its_bytes(desk: Desk) -> None:
    desk.ingest(("prices.md", RETURNS))
    newer = desk.ingest(("prices.md", RETURNS + b"\nNow with a ribbon."), ("prices-2024.md", RETURNS))
    assert {path.name for path in _stored_files(desk)} == {document["sha256"] for document in newer}


def test_bytes_that_another_document_has_too_stay(desk: Desk) -> None:
    first, _ = desk.ingest(("one.md", RETURNS), ("two.md", RETURNS))
    desk.staff("DELETE", f"/v1/documents/{first['document_id']}")
    assert [path.name for path in _stored_files(desk)] == [first["sha256"]]


def test_deleting_a_collection_removes_its_documents_only(desk: Desk) -> None:
    desk.ingest(("returns.md", RETURNS), ("faq.csv", FAQ), collection="shop")
    desk.ingest(("kept.md", RETURNS + b"\nKept."), collection="other")
    assert desk.staff("DELETE", "/v1/collections/shop").json() == {"collection": "shop", "deleted": 2}
    assert [row["source"] for row in desk.staff("GET", "/v1/documents").json()["documents"]] == ["kept.md"]
    assert len(_stored_files(desk)) == 1
    assert desk.staff("DELETE", "/v1/collections/shop").json()["deleted"] == 0


@pytest.mark.parametrize("method_and_path", ["GET ", "DELETE ", "POST /retry", "GET /passages", "GET /text"])
def test_unknown_document_is_404_everywhere(shared_desk: Desk, method_and_path: str) -> None:
    method, _, rest = method_and_path.partition(" ")
    response = shared_desk.staff(method, f"/v1/documents/0199-nothing{rest}")
    assert response.status_code == 404
    assert response.json()["title"] == "Document not found"


@pytest.mark.parametrize("document_id", ["a%00b", "a%2Fb", "x" * 65, "%F0%9F%98%80"])
def test_id_that_no_document_can_have_is_refused(shared_desk: Desk, document_id: str) -> None:
    assert shared_desk.staff("GET", f"/v1/documents/{document_id}").status_code in (404, 422)
