"""Customers who write another language than the documents, in a real browser, against the real models."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from generator.phrases import Courtesy, notice, phrase
from tests.browser.actions import ANSWER_MS, ask, expect_no_sideways_scrolling, finished_turn, stored_answer
from tests.browser.harness import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # the first test waits for the models


def test_chinese_customer_is_told_that_the_quote_is_english(server: Server, sample_shop: None, page: Page) -> None:
    page.goto(server.base)
    turn = ask(page, "Otter 换一块新电池要多少钱？")
    own, said = turn.locator(".own-words"), turn.locator(".sentence:not(.own-words)")
    expect(own).to_have_text(notice("en", "zh").text)
    expect(own).to_have_attribute("lang", "zh")
    expect(said.first).to_contain_text("€24")
    assert stored_answer(page)["notice"] == notice("en", "zh").text
    page.reload()  # from the transcript it looks the same
    expect(page.locator(".own-words")).to_have_text(notice("en", "zh").text)


def test_arabic_notice_runs_to_the_left_and_the_english_quote_to_the_right(
    server: Server, sample_shop: None, page: Page
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.base)
    turn = ask(page, "هل يمكنني أخذ Otter معي في الطائرة؟")
    own = turn.locator(".own-words")
    expect(own).to_have_text(notice("en", "ar").text)
    assert own.evaluate("(element) => getComputedStyle(element).direction") == "rtl"
    assert turn.locator(".answer").evaluate("(element) => getComputedStyle(element).direction") == "ltr"
    expect_no_sideways_scrolling(page)


def test_refusal_and_its_way_out_are_in_arabic(server: Server, sample_shop: None, page: Page) -> None:
    page.goto(server.base)
    turn = ask(page, "كيف سيكون الطقس في دبلن غدًا؟")
    box = turn.locator(".notice.refused")
    expect(box).to_have_attribute("dir", "rtl")
    expect(box).to_contain_text(phrase(Courtesy.REFUSAL, "ar").text)
    box.get_by_role("button", name="التحدث مع موظف").click()
    expect(page.locator(".notice.handoff")).to_contain_text(phrase(Courtesy.HANDOFF, "ar").text, timeout=ANSWER_MS)
    assert finished_turn(page).locator(".notice").get_attribute("lang") == "ar"
