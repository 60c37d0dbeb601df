"""The staff console in a real browser, against the real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.bootstrap import build_services
from api.settings import Settings
from tests.browser.actions import (
    ANSWER_MS,
    ask,
    drop_file,
    expect_no_sideways_scrolling,
    expect_ready,
    ledger_row,
    open_first_citation,
    stored_answer,
)
from tests.browser.harness import Server, Visit
from tests.fakes import HashEmbedder
from tests.tiny_gpt2 import write_tiny_gpt2

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # the first test waits for the models

FERRY = "The ferry to Gull Island leaves at 7:25 from the north quay.\n\nBicycles travel free of charge.\n"


def _open(page: Page, server: Server) -> None:
    page.goto(server.console)
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()


def _choose(page: Page, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    page.set_input_files("#files", [{"name": name, "mimeType": "application/octet-stream", "buffer": data}])


@pytest.mark.parametrize("way", ["picker", "drop"])
def test_uploaded_document_is_answered_with_its_quote(server: Server, page: Page, way: str) -> None:
    island = {"picker": "Gull", "drop": "Heron"}[way]
    name, text = f"ferry-{way}.txt", FERRY.replace("Gull", island)
    _open(page, server)
    if way == "picker":
        _choose(page, name, text)
    else:
        drop_file(page, name, text)
    expect_ready(page, name)
    page.get_by_role("link", name="Open chat").click()
    turn = ask(page, f"When does the ferry to {island} Island leave?")
    expect(turn.locator(".sentence").first).to_contain_text("7:25")
    mark = open_first_citation(turn)
    assert mark.text_content() == stored_answer(page)["citations"][0]["quote"]


def test_key_leaves_the_address_bar_and_stays_for_a_reload(server: Server, page: Page) -> None:
    _open(page, server)
    assert page.url == f"{server.base}/console"
    page.reload()
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Enter your staff key")).to_be_visible()
    assert server.key not in page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")


def test_wrong_key_and_customer_key_do_not_open_the_console(server: Server, page: Page) -> None:
    customer = server.http.post("/v1/session", headers={"Authorization": ""}).json()["token"]
    page.goto(f"{server.base}/console")
    for key, title in (("ad_wrong", "Key missing or unknown"), (customer, "Role too low")):
        page.get_by_label("Staff key", exact=True).fill(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(title)
    expect(page.locator("#console")).to_be_hidden()


def test_second_of_two_chosen_files_of_one_name_is_refused_instead_of_replacing_the_first(
    server: Server, page: Page
) -> None:
    _open(page, server)
    rows = [{"name": "twin.txt", "mimeType": "text/plain", "buffer": FERRY.encode() + mark} for mark in (b"1", b"2")]
    page.set_input_files("#files", rows)
    expect(page.locator(".upload").get_by_role("alert")).to_contain_text("Two files of one name")
    expect_ready(page, "twin.txt")
    [twin] = [row for row in server.http.get("/v1/documents").json()["documents"] if row["source"] == "twin.txt"]
    assert twin["version"] == 1


def test_program_is_refused_with_the_remedy(server: Server, page: Page) -> None:
    _open(page, server)
    _choose(page, "setup.exe", b"MZ\x90\x00" + b"\x00" * 200)
    notice = page.locator(".upload").get_by_role("alert")
    expect(notice).to_contain_text("Unsupported file type")
    expect(notice).to_contain_text("setup.exe")
    expect(notice.locator(".problem-remedy")).not_to_be_empty()
    notice.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".upload")).to_have_count(0)
    expect(ledger_row(page, "setup.exe")).to_have_count(0)


def test_unreadable_file_fails_with_a_reason_and_can_be_tried_again(server: Server, page: Page) -> None:
    _open(page, server)
    _choose(page, "broken.pdf", b"%PDF-1.7\nthis is not how it goes on\n")
    row = ledger_row(page, "broken.pdf")
    expect(row.locator(".status")).to_have_text("failed", timeout=ANSWER_MS)
    expect(row.locator(".failure")).not_to_be_empty()
    with page.expect_response("**/retry") as response:
        row.get_by_role("button", name="Retry broken.pdf").click()
    assert response.value.ok
    page.get_by_role("button", name="Failed").click()
    expect(row.locator(".status")).to_have_text("failed", timeout=ANSWER_MS)


def test_same_file_again_is_said_to_be_unchanged(server: Server, page: Page) -> None:
    server.upload("twice.txt", "The cellar is closed on Mondays.\n")
    _open(page, server)
    _choose(page, "twice.txt", "The cellar is closed on Mondays.\n")
    expect(page.locator(".upload")).to_contain_text("unchanged")
    expect(ledger_row(page, "twice.txt")).to_have_count(1)


def test_deleting_asks_first_and_works_by_keyboard(server: Server, page: Page) -> None:
    server.upload("old-prices.txt", "The old price of the kite was 19 euros.\n")
    _open(page, server)
    row = ledger_row(page, "old-prices.txt")
    delete = row.get_by_role("button", name="Delete old-prices.txt")
    delete.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row).to_have_count(1)
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(row).to_have_count(0)


def test_filter_and_status_narrow_the_ledger(server: Server, sample_shop: None, page: Page) -> None:
    _open(page, server)
    page.get_by_label("Filter documents").fill("RETURNS")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_label("Filter documents").fill("no such name")
    expect(page.locator("#ledger-empty")).to_contain_text("Nothing matches")
    page.get_by_label("Filter documents").fill("")
    page.get_by_role("button", name="Ready").click()
    expect(ledger_row(page, "returns.md")).to_have_count(1)


def test_search_shows_scores_and_opens_the_passage(server: Server, sample_shop: None, page: Page) -> None:
    _open(page, server)
    page.get_by_label("Search query").fill("How long can I return a lamp?")
    page.keyboard.press("Enter")
    hit = page.locator(".hit").first
    expect(hit).to_contain_text("Score")
    found = hit.locator(".hit-text").text_content()
    hit.click()
    passage = page.locator(".passage.is-found")
    expect(passage).to_be_in_viewport()
    assert passage.locator(".passage-text").text_content() == found


def test_reindex_makes_a_new_generation_live(server: Server, sample_shop: None, page: Page) -> None:
    _open(page, server)
    before = server.http.get("/v1/generations").json()["live"]
    expect(page.locator("#index")).to_contain_text("Every night at 03:00")
    page.get_by_role("button", name="Re-index now").click()
    expect(page.locator("#toasts")).to_contain_text("The new generation is live.", timeout=ANSWER_MS)
    live = server.http.get("/v1/generations").json()["live"]
    assert live != before
    expect(page.locator("#index code").first).to_have_text(live)


def test_model_goes_live_with_its_gate_told_and_is_rolled_back(server: Server, page: Page, tmp_path: Path) -> None:
    model_id = _publish(server, tmp_path, {"recipe": "faq", "gate": {"passed": False, "reasons": ["f1 falls."]}})
    _open(page, server)
    card = page.locator("#model")
    expect(card.locator(".facts")).to_contain_text("answerdesk-gpt2")
    card.get_by_text("Other models (1)").click()
    card.get_by_role("button", name="Make live").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"{model_id} did not pass its gate. f1 falls.")
    page.get_by_role("button", name="Make live all the same").click()
    expect(page.locator("#toasts")).to_contain_text(f"Model {model_id} is live.", timeout=ANSWER_MS)
    expect(card.locator(".facts")).to_contain_text("faq")
    assert server.http.get("/v1/registry/models").json()["live"] == model_id
    card.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(card.locator(".facts code")).to_have_text("answerdesk-gpt2", timeout=ANSWER_MS)
    expect(card.get_by_role("button", name="Roll back")).to_be_hidden()


def _publish(server: Server, folder: Path, facts: dict[str, object]) -> str:
    services = build_services(Settings(data_dir=server.data_dir), embedder=HashEmbedder())
    model_id = services.publish_model(write_tiny_gpt2(folder / "trained"), facts).model_id
    services.close()
    return model_id


def test_console_fits_a_small_phone(server: Server, sample_shop: None, new_visit: Callable[..., Visit]) -> None:
    page = new_visit(360, 640, has_touch=True, is_mobile=True).page
    _open(page, server)
    expect(ledger_row(page, "returns.md")).to_have_count(1)
    page.get_by_label("Search query").fill("return")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    expect_no_sideways_scrolling(page)


def test_sample_shop_is_removed_after_a_question(server: Server, sample_shop: None, page: Page) -> None:
    count = len(server.documents("shop"))
    _open(page, server)
    page.get_by_role("button", name="Remove the sample shop").click()
    page.get_by_role("button", name="Cancel").click()
    expect(ledger_row(page, "returns.md")).to_have_count(1)
    page.get_by_role("button", name="Remove the sample shop").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(ledger_row(page, "returns.md")).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text(f"{count} documents")
    expect(page.locator("#sample")).to_be_hidden()
