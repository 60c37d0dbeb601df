"""The pages as the documentation shows them; with --update-images the pictures in docs/images/ are taken anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import ask, ledger_row, open_first_citation
from tests.browser.harness import Server, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # the first test waits for the models

DESKTOP: dict[str, object] = {"width": 1280, "height": 800}
PHONE: dict[str, object] = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
Camera = Callable[[Page, str], None]


@pytest.mark.parametrize(("device", "screen"), [("desktop", DESKTOP), ("phone", PHONE)], ids=["desktop", "phone"])
def test_pictures_of_every_page(
    server: Server,
    sample_shop: None,
    new_visit: Callable[..., Visit],
    take_picture: Camera,
    device: str,
    screen: dict[str, object],
) -> None:
    page = new_visit(**screen).page
    page.goto(server.base)
    expect(page.locator("#suggestions button").first).to_be_visible()
    take_picture(page, f"welcome-{device}")
    turn = ask(page, "How long does the Otter run on one charge?")
    expect(turn.locator(".source").first).to_be_visible()
    take_picture(page, f"chat-{device}")
    open_first_citation(turn)
    expect(page.locator(".proof")).to_be_visible()
    take_picture(page, f"citation-{device}")

    page.goto(server.console)
    expect(ledger_row(page, "returns.md")).to_be_visible()
    if device == "desktop":
        page.get_by_label("Search query").fill("How long can I return a lamp?")
        page.keyboard.press("Enter")
        expect(page.locator(".hit").first).to_be_visible()
        page.evaluate("document.activeElement.blur()")  # no caret in the picture
    take_picture(page, f"console-{device}")
