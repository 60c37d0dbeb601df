/** Server-sent events over fetch, because EventSource can neither POST nor send a key. */

import { CUT_OFF, Problem } from "./api.js";

/** Turns text in pieces of any size into events; a piece may end anywhere, also between CR and LF. */
export class EventParser {
  #pending = "";
  #name = "";
  #data = [];

  push(text) {
    const events = [];
    const lines = (this.#pending + text).split("\n");
    this.#pending = lines.pop();
    for (const line of lines) this.#readLine(line.endsWith("\r") ? line.slice(0, -1) : line, events);
    return events;
  }

  #readLine(line, events) {
    if (line === "") {
      if (this.#data.length > 0) events.push({ name: this.#name || "message", data: this.#data.join("\n") });
      this.#name = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
  }
}

function brokenOff(error) {
  throw error.name === "AbortError" ? error : new Problem(CUT_OFF);
}

/** The events of a response as {name, data}, with `data` parsed as JSON. An unfinished last event is dropped. */
export async function* readEvents(response) {
  const parser = new EventParser();
  const decoder = new TextDecoder(); // keeps half a character until its other bytes come
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(brokenOff);
      if (done) return;
      for (const { name, data } of parser.push(decoder.decode(value, { stream: true }))) {
        yield { name, data: JSON.parse(data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the reader may have left early: tell the server
  }
}
