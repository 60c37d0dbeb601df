"""What a person does on the pages, for the tests that need it done."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

ANSWER_MS = 90_000


def ask(page: Page, question: str) -> Locator:
    """Type a question, send it with Enter, and give its turn once the answer stands."""
    page.get_by_label("Your question").fill(question)
    page.get_by_label("Your question").press("Enter")
    return finished_turn(page)


def finished_turn(page: Page) -> Locator:
    turn = page.locator(".turn").last
    expect(turn.locator(".answer-foot, .notice").first).to_be_visible(timeout=ANSWER_MS)
    return turn


def open_first_citation(turn: Locator) -> Locator:
    """Open the document behind the first mark and give the highlighted quote, once it is on the screen."""
    turn.locator(".chip").first.click()
    mark = turn.page.locator("#source-panel mark")
    expect(mark).to_be_in_viewport()
    return mark


def stored_answer(page: Page) -> dict[str, Any]:
    """The last answer of the conversation as the server keeps it."""
    messages: dict[str, Any] = page.evaluate(
        """async () => {
          const id = sessionStorage.getItem("answerdesk.conversation");
          const key = sessionStorage.getItem("answerdesk.customer-key");
          const response = await fetch(`/v1/conversations/${id}/messages`, {headers: {Authorization: `Bearer ${key}`}});
          return response.json();
        }"""
    )
    answer: dict[str, Any] = messages["messages"][-1]["answer"]
    return answer


def ledger_row(page: Page, source: str) -> Locator:
    return page.locator("#rows tr").filter(has=page.get_by_role("button", name=source, exact=True))


def expect_ready(page: Page, source: str) -> None:
    expect(ledger_row(page, source).locator(".status")).to_have_text("ready", timeout=ANSWER_MS)


def drop_file(page: Page, name: str, text: str) -> None:
    """Let a file fall on the drop zone, as the browser reports it."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], name));
          return transfer;
        }""",
        [name, text],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("#drop", event, {"dataTransfer": transfer})


def expect_no_sideways_scrolling(page: Page) -> None:
    """Once the page has settled: on a busy machine it is measured while it is still being laid out."""
    overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    with suppress(PlaywrightTimeoutError):
        # A function, because a bare expression needs eval, which the page's policy denies.
        page.wait_for_function(f"() => {overhang} === 0", timeout=5000)
    assert page.evaluate(overhang) == 0, f"{page.evaluate(overhang)} pixels stick out: {page.evaluate(_WIDE)}"


_WIDE = """
  [...document.querySelectorAll("*")]
    .filter((part) => part.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map((part) => `${part.tagName}.${part.className}#${part.id}`)
"""
