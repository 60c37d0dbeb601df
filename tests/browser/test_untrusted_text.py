"""Names, texts and questions that try to become code stay text, in every place that shows them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import ask, expect_ready, ledger_row, open_first_citation
from tests.browser.harness import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # the first test waits for the models

NAME = "<img src=x onerror=alert(1)>.txt"
IMAGE = "<img src=x onerror=document.title='owned'>"
SCRIPT = "<script>alert(2)</script>"
TEXT = f"The password of the tea room is {IMAGE} blue heron {SCRIPT} at all times.\n"
QUESTION = "What is the password of the tea room?"

# A blocked script would not run either; the page must not even try, so a violation is trouble like any other.
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`);
});"""


@pytest.fixture
def hostile(server: Server, page: Page) -> Page:
    """The console with the hostile document in its ledger, uploaded by hand."""
    page.add_init_script(REPORT_VIOLATIONS)
    page.goto(server.console)
    page.set_input_files("#files", [{"name": NAME, "mimeType": "text/plain", "buffer": TEXT.encode()}])
    expect_ready(page, NAME)
    return page


def test_console_shows_hostile_name_and_text_verbatim(hostile: Page) -> None:
    page = hostile
    ledger_row(page, NAME).get_by_role("button", name=NAME, exact=True).click()
    expect(page.locator(".passage-text")).to_have_text(TEXT.strip())
    expect(page.locator("#passages-panel")).to_contain_text(NAME)
    page.keyboard.press("Escape")
    page.get_by_label("Search query").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator(".hit-text").first).to_contain_text(SCRIPT)
    ledger_row(page, NAME).get_by_role("button", name=f"Delete {NAME}").click()
    expect(page.get_by_role("heading", name=f"Delete {NAME}?")).to_be_visible()
    _expect_untouched(page, "Console · Answerdesk")


def test_chat_shows_hostile_answer_source_and_question_verbatim(server: Server, hostile: Page) -> None:
    page = hostile
    page.goto(server.base)
    turn = ask(page, f"{QUESTION} {SCRIPT}")
    expect(turn.locator(".question")).to_contain_text(SCRIPT)
    turn = ask(page, QUESTION)
    expect(turn.locator(".answer")).to_contain_text("blue heron")
    expect(turn.locator(".sources")).to_contain_text(NAME)
    expect(turn.locator(".source-quote").first).to_contain_text(IMAGE)
    mark = open_first_citation(turn)
    expect(mark).to_contain_text(SCRIPT)
    expect(page.locator("#source-panel .panel-head")).to_contain_text(NAME)
    page.reload()
    expect(page.locator(".question").first).to_contain_text(SCRIPT)
    _expect_untouched(page, "Answerdesk")


def _expect_untouched(page: Page, title: str) -> None:
    """Dialogs, script errors and policy violations are troubles of the visit, which its fixture looks at."""
    assert page.title() == title
    assert page.locator("img:not([src='/assets/icon.svg'])").count() == 0
    assert page.locator("script:not([src])").count() == 0
