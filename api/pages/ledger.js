/** The table of documents, kept up to date by polling: every second while work goes on, else every ten. */

import { byId, confirmAction, h, icon, problemNotice } from "./dom.js";
import { formatAgo, formatBytes, formatNumber, plural } from "./text.js";
import { toast } from "./toast.js";

const BUSY_MS = 1000;
const IDLE_MS = 10000;
const PAGE = 200;
const WORKING = ["queued", "parsing", "embedding"];
const TABS = [
  ["All", () => true],
  ["Ready", (entry) => entry.status === "ready"],
  ["In progress", (entry) => WORKING.includes(entry.status)],
  ["Failed", (entry) => entry.status === "failed"],
];

export class Ledger {
  constructor(client, { openDocument, onCollections, onSignedOut }) {
    Object.assign(this, { client, openDocument, onCollections, onSignedOut });
    this.documents = [];
    this.rows = new Map(); // document id -> {element, facts}; a row whose facts are the same is left alone
    this.tab = "All";
    this.limit = PAGE;
    this.isRunning = false;
    byId("filter").addEventListener("input", () => this.#render());
    byId("more").addEventListener("click", () => {
      this.limit += PAGE;
      this.refresh();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.isRunning) this.refresh();
    });
  }

  start() {
    this.isRunning = true;
    this.refresh();
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
  }

  /** Reads the ledger now; the next poll is counted from here. Calls while one is under way share it. */
  async refresh() {
    if (this.isReading) {
      this.isStale = true;
      return;
    }
    this.isReading = true;
    clearTimeout(this.timer);
    try {
      const documents = await this.#read();
      this.#report(documents);
      this.documents = documents;
      byId("ledger-problem").replaceChildren();
      this.#render();
      this.onCollections([...new Set(documents.map((entry) => entry.collection))].sort());
    } catch (problem) {
      if (!problem.title) throw problem;
      if (problem.status === 401 || problem.status === 403) this.onSignedOut(problem);
      else byId("ledger-problem").replaceChildren(problemNotice(problem));
    } finally {
      this.isReading = false;
      if (this.isRunning) this.timer = setTimeout(() => this.refresh(), this.#pause());
      this.isStale = false;
    }
  }

  #pause() {
    if (this.isStale) return 0;
    return this.documents.some((entry) => WORKING.includes(entry.status)) && !document.hidden ? BUSY_MS : IDLE_MS;
  }

  async #read() {
    const documents = [];
    this.hasMore = true;
    while (this.hasMore && documents.length < this.limit) {
      const page = await this.client.json("GET", `/v1/documents?limit=${PAGE}&offset=${documents.length}`);
      documents.push(...page.documents);
      this.hasMore = page.documents.length === PAGE && page.total !== documents.length;
    }
    return documents;
  }

  /** Says what has finished since the last look. */
  #report(documents) {
    const before = new Map(this.documents.map((entry) => [entry.document_id, entry.status]));
    for (const { document_id: id, source, status, passage_count: count } of documents) {
      if (!WORKING.includes(before.get(id))) continue;
      if (status === "ready") toast(`${source} is ready: ${plural(count, "passage")}.`);
      if (status === "failed") toast(`${source} failed.`);
    }
  }

  #render() {
    const needle = byId("filter").value.trim().toLowerCase();
    const isWanted = TABS.find(([name]) => name === this.tab)[1];
    const wanted = this.documents.filter(
      (entry) =>
        isWanted(entry) &&
        [entry.source, entry.title, entry.collection].some((text) => text.toLowerCase().includes(needle)),
    );
    this.#renderTabs();
    this.#renderRows(wanted);
    byId("ledger").hidden = wanted.length === 0;
    byId("more").hidden = !this.hasMore;
    const empty = byId("ledger-empty");
    empty.hidden = wanted.length > 0;
    empty.replaceChildren(...(this.documents.length === 0 ? noDocuments() : noMatches()));
  }

  #renderTabs() {
    const buttons = TABS.map(([name, isWanted]) => {
      const count = this.documents.filter(isWanted).length;
      const label = h("b", {}, formatNumber(count));
      const choose = () => {
        this.tab = name;
        this.#render();
      };
      return h(
        "button",
        { class: "tab", type: "button", "aria-pressed": String(name === this.tab), onclick: choose },
        name,
        label,
      );
    });
    const focused = [...byId("tabs").children].indexOf(document.activeElement);
    const passages = this.documents.reduce((sum, entry) => sum + entry.passage_count, 0);
    const total = h(
      "span",
      { class: "total small soft" },
      this.documents.length > 0 ? plural(passages, "passage") : "",
    );
    byId("tabs").replaceChildren(...buttons, total);
    if (focused >= 0) byId("tabs").children[focused].focus();
  }

  #renderRows(wanted) {
    const elements = wanted.map((entry) => {
      const facts = JSON.stringify([entry, formatAgo(entry.updated_at)]);
      const known = this.rows.get(entry.document_id);
      if (known?.facts === facts) return known.element;
      const element = this.#row(entry);
      keepFocus(known?.element, element);
      this.rows.set(entry.document_id, { element, facts });
      return element;
    });
    const body = byId("rows");
    const isSame =
      elements.length === body.children.length && elements.every((element, i) => body.children[i] === element);
    if (isSame) return;
    const focused = body.contains(document.activeElement) ? document.activeElement : this.nextFocus;
    body.replaceChildren(...elements);
    this.nextFocus = undefined;
    if (focused?.isConnected) focused.focus();
  }

  #row(entry) {
    const cell = (attributes, ...children) => h("td", { role: "cell", ...attributes }, children);
    const open = () => this.openDocument(entry);
    return h(
      "tr",
      { role: "row", "data-document": entry.document_id },
      cell(
        {},
        h(
          "button",
          { class: "document-name isolate", type: "button", "data-act": "open", onclick: open },
          entry.source,
        ),
        entry.reason ? h("p", { class: "failure" }, entry.reason) : h("p", { class: "small soft" }, subtitle(entry)),
      ),
      cell({ class: "isolate" }, entry.collection),
      cell({}, h("span", { class: `status ${entry.status}` }, entry.status)),
      countCell(entry),
      cell({ class: "number", "data-lead": "version" }, `${entry.version}`),
      cell(
        { class: "when" },
        h("time", { datetime: entry.updated_at, title: entry.updated_at }, formatAgo(entry.updated_at)),
      ),
      cell({}, h("div", { class: "actions" }, this.#actions(entry))),
    );
  }

  #actions(entry) {
    const action = (name, label, run) => {
      const words = `${label} ${entry.source}`;
      const attributes = { class: "icon-button", type: "button", "aria-label": words, title: label, "data-act": label };
      return h("button", { ...attributes, onclick: run }, icon(name));
    };
    return [
      entry.status === "failed" ? action("retry", "Retry", () => this.#retry(entry)) : null,
      action("trash", "Delete", () => this.#delete(entry)),
    ];
  }

  async #retry(entry) {
    await this.#change(
      "POST",
      `/v1/documents/${encodeURIComponent(entry.document_id)}/retry`,
      `${entry.source} is tried again.`,
    );
  }

  async #delete(entry) {
    const isSure = await confirmAction({
      title: `Delete ${entry.source}?`,
      text: "It stops being answered at once. This cannot be undone; you can upload the file again.",
      action: "Delete",
    });
    if (!isSure) return;
    await this.#change(
      "DELETE",
      `/v1/documents/${encodeURIComponent(entry.document_id)}`,
      `${entry.source} is deleted.`,
    );
    byId("documents-title").focus({ preventScroll: true }); // the row that had the focus is gone
  }

  async #change(method, path, done) {
    try {
      await this.client.json(method, path);
      toast(done);
    } catch (problem) {
      if (!problem.title) throw problem;
      toast([problem.title, problem.detail, problem.remedy].filter(Boolean).join(" "));
    }
    await this.refresh();
  }
}

function countCell({ status, passage_count: count }) {
  if (status !== "ready" && count === 0) return h("td", { role: "cell", class: "number none" }, "–");
  return h(
    "td",
    { role: "cell", class: "number", "data-unit": count === 1 ? "passage" : "passages" },
    formatNumber(count),
  );
}

function subtitle(entry) {
  return `${formatBytes(entry.size_bytes)}${entry.title === entry.source ? "" : ` · ${entry.title}`}`;
}

/** A row that is drawn anew hands the focus to the same control of its successor. */
function keepFocus(old, fresh) {
  const act = old?.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  if (!act) return;
  requestAnimationFrame(() => fresh.querySelector(`[data-act="${act}"]`)?.focus());
}

function noDocuments() {
  return [
    icon("document"),
    h("p", { class: "lead" }, "No documents yet"),
    h("p", {}, "Drop your first files above. Customers can ask about them as soon as they are ready."),
  ];
}

function noMatches() {
  return [
    icon("search"),
    h("p", { class: "lead" }, "Nothing matches"),
    h("p", {}, "Change the filter or choose another status."),
  ];
}
