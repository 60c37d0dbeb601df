"""The customer's chat in a real browser, against the real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import (
    ANSWER_MS,
    ask,
    expect_no_sideways_scrolling,
    finished_turn,
    open_first_citation,
    stored_answer,
)
from tests.browser.harness import Server, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # the first test waits for the models

# Characters outside the first Unicode plane stand before the quote: UTF-16 offsets would miss it by seven.
LOCKERS = """# Parcel lockers 🧳🔑

🏝️ 😀 Our lockers stand by the sea, 𝒂𝒍𝒘𝒂𝒚𝒔 in reach.

## Opening hours

The parcel locker at Pier 9 opens at 6:40 in the morning.

## Holding time

We keep a parcel in the locker for eleven days.
"""
QUESTION = "When does the parcel locker at Pier 9 open?"


@pytest.fixture(scope="module")
def lockers(server: Server) -> str:
    return server.upload("parcel-lockers.md", LOCKERS, collection="lockers")


def test_quote_in_the_panel_is_the_citations_quote_behind_emoji(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    turn = ask(page, QUESTION)
    expect(turn.locator(".sentence").first).to_contain_text("6:40")
    mark = open_first_citation(turn)
    citation = stored_answer(page)["citations"][0]
    assert citation["document_id"] == lockers
    assert "6:40" in citation["quote"]
    assert mark.text_content() == citation["quote"]
    text = server.http.get(f"/v1/documents/{lockers}/text", params={"version": citation["version"]}).json()["text"]
    assert text[citation["start_char"] : citation["end_char"]] == citation["quote"]
    expect(page.locator(".proof")).to_contain_text("word for word")
    expect(page.locator(".proof.broken")).to_have_count(0)


def test_sources_under_the_answer_open_the_document_too(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    turn = ask(page, QUESTION)
    turn.get_by_role("list", name="Sources").get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("parcel-lockers.md")
    expect(page.locator("#source-panel mark")).to_be_in_viewport()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_keyboard_alone_asks_opens_a_source_and_returns(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type("When does the parcel locker")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("at Pier 9 open?")
    expect(page.get_by_label("Your question")).to_have_value("When does the parcel locker\nat Pier 9 open?")
    page.keyboard.press("Enter")
    finished_turn(page)
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.classList.contains('chip')"):
            break
    expect(page.locator(".chip:focus")).to_have_css("outline-style", "solid")
    page.keyboard.press("Enter")
    expect(page.locator("#source-panel mark")).to_be_in_viewport()
    assert page.evaluate("document.querySelector('#source-panel').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(page.locator(".chip:focus")).to_have_count(1)


def test_answer_is_read_out_while_it_streams(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    ask(page, QUESTION)
    announcer = page.locator("[aria-live=polite]#announcer")
    expect(announcer).to_contain_text("6:40")
    expect(announcer).to_contain_text("Answer complete")


def test_rating_down_takes_a_reason(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    turn = ask(page, QUESTION)
    turn.get_by_role("button", name="Bad answer").click()
    turn.get_by_text("Out of date").click()
    turn.get_by_label("Comment").fill("The lockers moved to Pier 11.")
    with page.expect_response("**/feedback") as response:
        turn.get_by_role("button", name="Send").click()
    assert response.value.ok
    assert response.value.request.post_data_json == {
        "rating": "down",
        "reason": "Out of date",
        "comment": "The lockers moved to Pier 11.",
    }
    expect(turn).to_contain_text("Thank you")


def test_refusal_offers_a_person(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    turn = ask(page, "Which moons of Jupiter did Galileo see through his telescope?")
    expect(turn.locator(".notice.refused")).to_be_visible()
    turn.get_by_role("button", name="Talk to a person").click()
    expect(page.locator(".notice.handoff")).to_be_visible(timeout=ANSWER_MS)


def test_reload_keeps_the_conversation_and_the_draft(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    said = ask(page, QUESTION).locator(".answer").inner_text()
    page.get_by_label("Your question").fill("And when does it cl")
    page.reload()
    expect(page.locator(".answer")).to_have_text(said, use_inner_text=True)
    expect(page.get_by_label("Your question")).to_have_value("And when does it cl")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()


def test_question_survives_a_lost_connection(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    page.context.set_offline(True)
    turn = ask(page, QUESTION)
    expect(turn.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(turn.locator(".question")).to_contain_text(QUESTION)
    page.context.set_offline(False)
    turn.get_by_role("button", name="Try again").click()
    expect(turn.locator(".sentence").first).to_contain_text("6:40", timeout=ANSWER_MS)
    expect(turn.get_by_role("alert")).to_have_count(0)


def test_session_that_the_server_forgot_is_renewed(server: Server, lockers: str, page: Page) -> None:
    page.goto(server.base)
    page.evaluate("sessionStorage.setItem('answerdesk.customer-key', 'ad_forgotten')")
    expect(ask(page, QUESTION).locator(".sentence").first).to_contain_text("6:40")


def test_limit_is_counted_in_code_points_and_keeps_the_text(server: Server, page: Page) -> None:
    page.goto(server.base)
    question, send = page.get_by_label("Your question"), page.get_by_role("button", name="Send")
    expect(send).to_be_disabled()
    question.fill("😀" * 3999)
    expect(page.locator("#counter")).to_have_text("1 left")
    expect(send).to_be_enabled()
    question.fill("😀" * 4001)
    expect(page.locator("#counter")).to_have_text("1 too many")
    expect(send).to_be_disabled()
    question.press("Enter")
    expect(page.locator(".turn")).to_have_count(0)
    expect(question).to_have_value("😀" * 4001)


def test_stranger_is_asked_for_a_key(server: Server, lockers: str, new_visit: Callable[..., Visit]) -> None:
    # A proxy's header makes the caller a stranger, who gets no anonymous session.
    page = new_visit(extra_http_headers={"X-Forwarded-For": "203.0.113.7"}).page
    page.goto(server.base)
    expect(page.get_by_role("heading", name="Enter your access key")).to_be_visible()
    page.get_by_label("Access key", exact=True).fill("ad_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Key missing or unknown")
    page.get_by_label("Access key", exact=True).fill(server.key)
    page.keyboard.press("Enter")
    expect(ask(page, QUESTION).locator(".sentence").first).to_contain_text("6:40")


def test_nothing_sticks_out_on_a_small_phone(server: Server, lockers: str, new_visit: Callable[..., Visit]) -> None:
    page = new_visit(360, 640, has_touch=True, is_mobile=True).page
    page.goto(server.base)
    expect(page.get_by_label("Your question")).to_be_visible()
    expect_no_sideways_scrolling(page)
    turn = ask(page, QUESTION + " " + "really" * 40)
    expect_no_sideways_scrolling(page)
    if turn.locator(".chip").count() == 0:
        turn = ask(page, QUESTION)
    open_first_citation(turn)
    expect_no_sideways_scrolling(page)
