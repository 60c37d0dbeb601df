/** Files in: by drop or by picker, two at a time, each with its own progress and its own problem. */

import { Problem } from "./api.js";
import { announce, byId, h, icon, problemNotice } from "./dom.js";
import { formatBytes } from "./text.js";

const AT_ONCE = 2;
const USUAL_LIMIT = 50 * 2 ** 20; // the server's default; it decides, this only explains a cut connection
const STAYS_SECONDS = 4;

export class Uploads {
  constructor(client, { onAccepted }) {
    this.client = client;
    this.onAccepted = onAccepted;
    this.waiting = [];
    this.running = 0;
    byId("files").addEventListener("change", (event) => {
      this.#add([...event.target.files]);
      event.target.value = ""; // so that the same file can be chosen again
    });
    this.#listenForDrops(byId("drop"));
  }

  #listenForDrops(zone) {
    // Anywhere else on the page a dropped file would replace the page itself.
    for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
    zone.addEventListener("dragover", () => zone.classList.add("is-over"));
    zone.addEventListener("dragleave", (event) => {
      if (!zone.contains(event.relatedTarget)) zone.classList.remove("is-over");
    });
    zone.addEventListener("drop", async (event) => {
      zone.classList.remove("is-over");
      this.#add(await droppedFiles(event.dataTransfer));
    });
  }

  #add(files) {
    const collection = byId("collection").value.trim();
    const names = new Set();
    for (const file of files) {
      const row = new UploadRow(file, () => this.#enqueue(file, row, collection));
      byId("uploads").append(row.element);
      if (names.has(file.name)) row.fail(twin(file));
      else this.#enqueue(file, row, collection);
      names.add(file.name);
    }
  }

  #enqueue(file, row, collection) {
    row.wait();
    this.waiting.push({ file, row, collection });
    this.#next();
  }

  async #next() {
    if (this.running >= AT_ONCE || this.waiting.length === 0) return;
    const { file, row, collection } = this.waiting.shift();
    this.running += 1;
    try {
      const fields = collection ? { collection, file } : { file };
      const body = await this.client.upload("/v1/documents", fields, (share) => row.progress(share));
      row.accept(body.documents[0]);
      this.onAccepted();
    } catch (problem) {
      if (!problem.title) throw problem;
      row.fail(problem.status === 0 && file.size > USUAL_LIMIT ? tooLarge(file) : problem);
    } finally {
      this.running -= 1;
      this.#next();
    }
  }
}

/** A server that refuses a file while it is still being sent looks like a broken connection. */
function tooLarge(file) {
  return new Problem({
    title: "File too large",
    detail: `The server stopped receiving ${file.name} (${formatBytes(file.size)}).`,
    remedy: "The usual limit is 50 MB: split the file, or ask the operator to raise the limit.",
  });
}

/** A file's name is its identity in a collection: the second of two, from another folder, would replace the first. */
function twin(file) {
  return new Problem({
    title: "Two files of one name",
    detail: `Another of these files is named ${file.name} too, and would be replaced by this one.`,
    remedy: "Rename it, or put it into another collection.",
    status: 409,
  });
}

class UploadRow {
  constructor(file, retry) {
    this.file = file;
    this.retry = retry;
    this.element = h("li", { class: "upload" });
  }

  #show(state, ...more) {
    const name = h("span", { class: "upload-name isolate", title: this.file.name }, this.file.name);
    const line = h("p", { class: "upload-line" }, icon("document"), name, h("span", { class: "small soft" }, state));
    this.element.replaceChildren(line, ...more);
  }

  wait() {
    this.#show(`waiting, ${formatBytes(this.file.size)}`);
  }

  progress(share) {
    const bar = h("progress", { max: 1, value: share, "aria-label": `Sending ${this.file.name}` });
    this.#show(share < 1 ? `${Math.floor(share * 100)} %` : "checking", bar);
  }

  accept({ job }) {
    const line = job ? "received" : "already here, unchanged";
    this.#show(line);
    announce(`${this.file.name}: ${line}`);
    setTimeout(() => this.element.remove(), STAYS_SECONDS * 1000);
  }

  fail(problem) {
    const again = h("button", { class: "button", type: "button", onclick: this.retry }, icon("retry"), "Try again");
    const dismiss = h("button", { class: "button", type: "button", onclick: () => this.element.remove() }, "Dismiss");
    // The same file will be refused for the same reason; only a passing trouble is worth another try.
    const isPassing = problem.status === 0 || problem.status === 429 || problem.status >= 500;
    this.#show("not added", problemNotice(problem, ...(isPassing ? [again, dismiss] : [dismiss])));
  }
}

/** Dropped files, with the files inside dropped folders. */
async function droppedFiles(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // Both have to be taken before the first await: the transfer is emptied after the event.
  const taken = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const lists = await Promise.all(taken.map(({ entry, file }) => (entry?.isDirectory ? filesIn(entry) : [file])));
  return lists.flat().filter(Boolean);
}

async function filesIn(directory) {
  const reader = directory.createReader();
  const files = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // 100 at most
    if (entries.length === 0) return files;
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory) files.push(...(await filesIn(entry)));
      else files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    }
  }
}
