/** A document's passages as the retriever sees them. */

import { closeOnOutsideClick, h, icon, problemNotice } from "./dom.js";
import { formatNumber, plural } from "./text.js";

export class PassagesPanel {
  constructor(dialog, client) {
    this.dialog = dialog;
    this.client = client;
    closeOnOutsideClick(dialog);
  }

  /** `entry` needs document_id, title and source; `found` is the id of the passage to show first. */
  async open(entry, found = null) {
    const body = h("div", { class: "panel-body", tabindex: "0", role: "region", "aria-label": "Passages" });
    const count = h("span", {});
    body.append(h("p", { class: "soft" }, "Reading the passages…"));
    this.dialog.replaceChildren(this.#head(entry, count), body);
    this.dialog.showModal();
    try {
      const path = `/v1/documents/${encodeURIComponent(entry.document_id)}/passages`;
      const { passages } = await this.client.json("GET", path);
      count.textContent = ` · ${plural(passages.length, "passage")}`;
      body.replaceChildren(
        ...(passages.length > 0 ? passages.map((passage) => showPassage(passage, found)) : [none()]),
      );
      body.querySelector(".is-found")?.scrollIntoView({ block: "center" });
    } catch (problem) {
      if (!problem.title) throw problem;
      body.replaceChildren(problemNotice(problem));
    }
  }

  #head(entry, count) {
    const close = h("button", { class: "icon-button", type: "button", "aria-label": "Close" }, icon("close"));
    close.addEventListener("click", () => this.dialog.close());
    const title = h("h2", { id: "passages-title", class: "isolate" }, entry.title || entry.source);
    const line = h("p", { class: "small soft" }, h("span", { class: "isolate" }, entry.source), count);
    return h("header", { class: "panel-head" }, h("div", {}, title, line), close);
  }
}

function showPassage(passage, found) {
  const heading = passage.question ?? (passage.heading_path ?? []).join(" › ");
  const place = `Characters ${formatNumber(passage.start_char)} to ${formatNumber(passage.end_char)}`;
  return h(
    "article",
    { class: passage.passage_id === found ? "passage is-found" : "passage" },
    heading ? h("h3", { class: "passage-heading isolate" }, heading) : null,
    h("p", { class: "passage-text" }, passage.text),
    h("p", { class: "small soft" }, place),
  );
}

function none() {
  return h("p", { class: "soft" }, "No passages: the document is not ready, or it holds no text.");
}
