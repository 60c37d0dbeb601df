from __future__ import annotations

from api.sample import SAMPLE_COLLECTION, install_sample, remove_sample
from tests.api.conftest import RETURNS, Desk


def test_removing_the_sample_keeps_what_was_added_or_replaced_in_its_collection(desk: Desk) -> None:
    installed = install_sample(desk.services)
    desk.upload(("mine.md", RETURNS), collection=SAMPLE_COLLECTION)
    desk.upload(("returns.md", RETURNS), collection=SAMPLE_COLLECTION)
    assert remove_sample(desk.services) == installed - 1
    kept = {document.source for document in desk.services.documents.list_documents()}
    assert kept == {"mine.md", "returns.md"}
