"""The pages' small modules, each imported into a real page and called."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from ingest.parsers.tables import render_row
from tests.browser.harness import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # the first test waits for the models

TWO_EVENTS = 'event: passages\ndata: {"n": 1}\n\n: a comment\nevent: sentence\ndata: {"t":\ndata: "é"}\n\n'


@pytest.fixture
def chat(server: Server, page: Page) -> Page:
    page.goto(server.base)
    return page


def _parse(page: Page, pieces: list[str]) -> list[dict[str, str]]:
    events: list[dict[str, str]] = page.evaluate(
        """async (pieces) => {
          const { EventParser } = await import("/assets/sse.js");
          const parser = new EventParser();
          return pieces.flatMap((piece) => parser.push(piece));
        }""",
        pieces,
    )
    return events


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_the_same_however_the_stream_is_cut(chat: Page, line_end: str, size: int) -> None:
    stream = TWO_EVENTS.replace("\n", line_end)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert _parse(chat, pieces) == [
        {"name": "passages", "data": '{"n": 1}'},
        {"name": "sentence", "data": '{"t":\n"é"}'},
    ]


def test_rows_of_a_table_stand_on_lines_of_their_own(chat: Page) -> None:
    rows = [render_row(cells, ["Day", "Hours"]) for cells in (["Monday", "9:00 to 12:00"], ["Sunday", "closed"])]
    said = ["Ask us.", *rows, "Ring twice.", "Come in: now."]
    shown = chat.evaluate(
        """async (said) => {
          const { Turn } = await import("/assets/turn.js");
          const turn = new Turn("When are you open?", {});
          for (const text of said) turn.handle({ name: "sentence", data: { text, citations: [] } });
          return turn.text.textContent;
        }""",
        said,
    )
    assert shown == "\n".join(said[:4]) + " " + said[4]


def test_event_without_its_closing_blank_line_is_not_given_out(chat: Page) -> None:
    assert _parse(chat, ["event: answer\ndata: {}\n"]) == []


def test_half_a_character_at_the_end_of_a_chunk_waits_for_its_rest(chat: Page) -> None:
    data = chat.evaluate(
        """async () => {
          const { readEvents } = await import("/assets/sse.js");
          const bytes = new TextEncoder().encode('event: sentence\\ndata: {"text": "𝒂é"}\\n\\n');
          const stream = new ReadableStream({
            start(controller) {
              for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
              controller.close();
            },
          });
          for await (const event of readEvents(new Response(stream))) return event.data;
        }"""
    )
    assert data == {"text": "𝒂é"}


def test_leaving_a_stream_early_cancels_it(chat: Page) -> None:
    cancelled = chat.evaluate(
        """async () => {
          const { readEvents } = await import("/assets/sse.js");
          let cancelled = false;
          const stream = new ReadableStream({
            start(controller) { controller.enqueue(new TextEncoder().encode("event: a\\ndata: 1\\n\\n")); },
            cancel() { cancelled = true; },
          });
          for await (const event of readEvents(new Response(stream))) break;
          return cancelled;
        }"""
    )
    assert cancelled


def test_connection_that_breaks_in_mid_stream_is_told_as_a_problem(chat: Page) -> None:
    told = chat.evaluate(
        """async () => {
          const { readEvents } = await import("/assets/sse.js");
          const broken = new TypeError("network error");
          const stream = new ReadableStream({ start: (controller) => controller.error(broken) });
          try {
            for await (const event of readEvents(new Response(stream))) break;
          } catch (problem) {
            return [problem.title, problem.remedy];
          }
        }"""
    )
    assert told == ["The answer was cut off", "Ask again; nothing of your question is lost."]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("plain text", 0, 5),
        ("🧳🔑 keys", 1, 4),
        ("é e\u0301 𝒂", 0, 6),
        ("家族👨‍👩‍👧です", 2, 7),
        ("short", 3, 5),
        ("", 0, 0),
    ],
)
def test_cut_counts_code_points_as_python_does(chat: Page, text: str, start: int, end: int) -> None:
    parts: Any = chat.evaluate(
        "async ([text, start, end]) => (await import('/assets/text.js')).cut(text, start, end)", [text, start, end]
    )
    assert parts == [text[:start], text[start:end], text[end:]]


def test_problem_of_a_proxy_that_speaks_no_json_is_still_readable(chat: Page) -> None:
    title, remedy = chat.evaluate(
        """async () => {
          const { Problem } = await import("/assets/api.js");
          const problem = await Problem.from(new Response("<h1>Bad gateway</h1>", { status: 502 }));
          return [problem.title, problem.remedy];
        }"""
    )
    assert title == "The server could not do this"
    assert remedy
