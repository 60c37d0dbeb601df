"""A real server with real models, and a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.harness import ROOT, Server, Visit, running_server

IMAGES = ROOT / "docs" / "images"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-images", action="store_true", help="Write the screenshots of the pages to docs/images/.")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"No Chromium here (looked for {', '.join(CHROMIUM_NAMES)}); the pages are not tested.")
    return path


@pytest.fixture(scope="session")
def server(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def sample_shop(server: Server) -> None:
    server.ensure_sample_shop()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One a module: while Playwright runs, the main thread has an event loop, which other tests must not meet."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens pages of given size and taste; in the end none of them may have caused trouble."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def visit(width: int = 1280, height: int = 800, **options: Any) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", color_scheme="light", **options
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        visits.append(Visit(context.new_page()))
        visits[-1].watch()
        return visits[-1]

    yield visit
    for context in contexts:
        context.close()
    assert [trouble for visit in visits for trouble in visit.troubles] == []


@pytest.fixture
def page(new_visit: Callable[..., Visit]) -> Page:
    return new_visit().page


@pytest.fixture
def take_picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Page, str], None]:
    """Screenshots go to docs/images/ with --update-images, else to a folder that nobody keeps."""
    folder = IMAGES if request.config.getoption("update_images", default=False) else tmp_path

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")

    return take
