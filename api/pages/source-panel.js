/** The document behind a citation, scrolled to the quote, with the quote checked here in the browser. */

import { closeOnOutsideClick, h, icon, problemNotice } from "./dom.js";
import { cut, formatNumber, sha256Hex } from "./text.js";

const NEARBY = 20000; // characters shown on either side of the quote; a book would freeze the page

export class SourcePanel {
  constructor(dialog, client) {
    this.dialog = dialog;
    this.client = client;
    this.documents = new Map(); // "id version" -> promise of {text, title, source}
    closeOnOutsideClick(dialog);
  }

  open(citations, n) {
    this.citations = citations;
    this.index = citations.findIndex((citation) => citation.n === n);
    this.#show();
    if (!this.dialog.open) this.dialog.showModal();
  }

  async #show() {
    const citation = this.citations[this.index];
    const body = h("div", { class: "panel-body", tabindex: "0", role: "region", "aria-label": "Document text" });
    body.append(h("p", { class: "soft" }, "Opening the document…"));
    const head = this.#head(citation);
    this.dialog.replaceChildren(head, body, this.#foot());
    try {
      const { text } = await this.#load(citation);
      const [before, quote, after] = cut(text, citation.start_char, citation.end_char);
      head.after(await proof(citation, quote));
      showQuote(body, before, quote, after);
    } catch (problem) {
      if (!problem.title) throw problem;
      showStoredQuote(body, citation, problem);
    }
  }

  #load({ document_id: id, version }) {
    const slot = `${id} ${version}`;
    if (!this.documents.has(slot)) {
      const path = `/v1/documents/${encodeURIComponent(id)}/text?version=${version}`;
      const loading = this.client.json("GET", path);
      this.documents.set(slot, loading);
      loading.catch(() => this.documents.delete(slot));
    }
    return this.documents.get(slot);
  }

  #head(citation) {
    const close = h("button", { class: "icon-button", type: "button", "aria-label": "Close" }, icon("close"));
    close.addEventListener("click", () => this.dialog.close());
    return h(
      "header",
      { class: "panel-head" },
      h(
        "div",
        {},
        h("h2", { id: "source-title", class: "isolate" }, citation.title || citation.source),
        h(
          "p",
          { class: "small soft" },
          h("span", { class: "isolate" }, citation.source),
          ` · version ${citation.version}`,
        ),
      ),
      close,
    );
  }

  #foot() {
    const step = (by, name, label) => {
      const attributes = { class: "icon-button", type: "button", "aria-label": label, title: label };
      const button = h("button", attributes, icon(name));
      button.addEventListener("click", () => this.#step(by, label));
      return button;
    };
    const label = `Source ${this.citations[this.index].n} of ${this.citations.length}`;
    const isAlone = this.citations.length < 2;
    return h(
      "footer",
      { class: "panel-foot", hidden: isAlone },
      h("p", { class: "small soft", role: "status" }, label),
      step(-1, "arrowLeft", "Previous source"),
      step(1, "arrowRight", "Next source"),
    );
  }

  #step(by, label) {
    this.index = (this.index + by + this.citations.length) % this.citations.length;
    this.#show();
    this.dialog.querySelector(`[aria-label="${label}"]`).focus(); // the button was drawn anew
  }
}

function showQuote(body, before, quote, after) {
  const mark = h("mark", {}, quote);
  const early = before.length > NEARBY ? "…" : "";
  const late = after.length > NEARBY ? "…" : "";
  body.replaceChildren(
    h("div", { class: "document-text", dir: "auto" }, early, before.slice(-NEARBY), mark, after.slice(0, NEARBY), late),
  );
  mark.scrollIntoView({ block: "center" });
}

/** Whether the quote that came with the answer is what the document says there, by letter and by hash. */
async function proof(citation, quote) {
  const digest = await sha256Hex(quote);
  const isProven = quote === citation.quote && (digest === null || digest === citation.sha256);
  const place = `characters ${formatNumber(citation.start_char)} to ${formatNumber(citation.end_char)}`;
  const words = isProven
    ? `The quote is in the document word for word, ${place}.`
    : `The quote differs from the document, ${place}. Please do not rely on it.`;
  return h(
    "p",
    { role: "status", title: `SHA-256 ${digest ?? "not checked"}`, class: isProven ? "proof" : "proof broken" },
    icon(isProven ? "check" : "alert"),
    h("span", {}, words),
  );
}

/** The document is out of reach, perhaps deleted since: the quote travelled with the answer. */
function showStoredQuote(body, citation, problem) {
  body.replaceChildren(
    problemNotice(problem),
    h("div", { class: "document-text stored", dir: "auto" }, h("mark", {}, citation.quote)),
  );
}
