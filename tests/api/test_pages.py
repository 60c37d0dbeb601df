from __future__ import annotations

import pytest

from tests.api.conftest import Desk


@pytest.mark.parametrize("path", ["/", "/console"])
def test_pages_are_html_that_is_checked_again_on_each_visit(shared_desk: Desk, path: str) -> None:
    response = shared_desk.client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["cache-control"] == "no-cache"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(("name", "media_type"), [("chat.js", "javascript"), ("base.css", "css"), ("icon.svg", "svg")])
def test_assets_have_their_type_and_are_checked_again_on_each_visit(
    shared_desk: Desk, name: str, media_type: str
) -> None:
    response = shared_desk.client.get(f"/assets/{name}")
    assert response.status_code == 200
    assert media_type in response.headers["content-type"]
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/assets/../settings.py", "/assets/%2e%2e/settings.py", "/assets/..%2fsettings.py"])
def test_nothing_outside_the_pages_folder_is_served(shared_desk: Desk, path: str) -> None:
    assert shared_desk.client.get(path).status_code == 404


def test_unchanged_asset_is_not_sent_again(shared_desk: Desk) -> None:
    first = shared_desk.client.get("/assets/chat.js")
    again = shared_desk.client.get("/assets/chat.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_thousands_of_ranges_are_not_worked_through(shared_desk: Desk) -> None:
    ranges = "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))
    response = shared_desk.client.get("/assets/chat.js", headers={"Range": ranges})
    assert response.status_code in (200, 400, 416)
    assert len(response.content) < 100_000
