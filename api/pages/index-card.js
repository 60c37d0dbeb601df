/** The index generations, and the button that builds a new one. */

import { announce, confirmAction, h, icon, problemNotice } from "./dom.js";
import { formatAgo, formatNumber } from "./text.js";
import { toast } from "./toast.js";

const POLL_MS = 1000;

export class IndexCard {
  constructor(element, client) {
    this.element = element;
    this.client = client;
    this.facts = h("div", {});
    this.work = h("div", {});
    this.button = h(
      "button",
      { class: "button", type: "button", onclick: () => this.#reindex() },
      icon("retry"),
      "Re-index now",
    );
    this.older = h("details", { class: "generations", hidden: true });
    element.replaceChildren(this.facts, this.button, this.work, this.older);
  }

  async start() {
    await this.#attempt(async () => {
      const { generations, nightly_at: at } = await this.client.json("GET", "/v1/generations");
      this.#show(generations, at);
    });
  }

  async #attempt(task) {
    try {
      await task();
    } catch (problem) {
      if (!problem.title) throw problem;
      this.work.replaceChildren(problemNotice(problem));
    }
  }

  #show(generations, at) {
    const live = generations.find((generation) => generation.is_live);
    const facts = live
      ? [
          ["Live", h("code", {}, live.generation_id)],
          ["Passages", formatNumber(live.passage_count)],
          ["Built", formatAgo(live.created_at)],
        ]
      : [["Live", "None yet: new passages are searched directly"]];
    facts.push(["Re-indexed", at === "off" ? "On request" : `Every night at ${at}, the server's time`]);
    this.facts.replaceChildren(
      h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat()),
    );
    const others = generations.filter((generation) => !generation.is_live);
    this.older.hidden = others.length === 0;
    const rows = others.map((generation) => this.#other(generation));
    this.older.replaceChildren(h("summary", {}, `Earlier generations (${others.length})`), h("ul", {}, rows));
  }

  #other(generation) {
    const promote = h(
      "button",
      { class: "button", type: "button", onclick: () => this.#promote(generation) },
      "Make live",
    );
    const facts = `${formatNumber(generation.passage_count)} passages, ${formatAgo(generation.created_at)}`;
    return h(
      "li",
      { class: "generation" },
      h("span", {}, h("code", {}, generation.generation_id), h("br"), facts),
      promote,
    );
  }

  async #promote({ generation_id: id }) {
    const isSure = await confirmAction({
      title: "Make this generation live?",
      text: `Searches use ${id} from now on. Documents changed since it was built stay up to date.`,
      action: "Make live",
      kind: "primary",
    });
    if (!isSure) return;
    await this.#attempt(async () => {
      await this.client.json("POST", `/v1/generations/${encodeURIComponent(id)}/promote`);
      toast(`Generation ${id} is live.`);
      await this.start();
    });
  }

  async #reindex() {
    this.button.disabled = true;
    await this.#attempt(async () => {
      const id = await this.#begin();
      const job = await this.#follow(id);
      if (job.status === "failed") {
        this.work.replaceChildren(
          problemNotice({
            title: "Re-index failed",
            detail: job.error,
            remedy: "The live generation goes on answering.",
          }),
        );
      } else {
        this.work.replaceChildren();
        toast("The new generation is live.");
      }
      await this.start();
    });
    this.button.disabled = false;
  }

  /** Starts a re-index, or joins the one that is running. */
  async #begin() {
    try {
      const { job } = await this.client.json("POST", "/v1/reindex", {});
      return job.job_id;
    } catch (problem) {
      if (problem.status === 409 && problem.runningId) return problem.runningId;
      throw problem;
    }
  }

  async #follow(id) {
    announce("Re-indexing");
    for (;;) {
      const { job } = await this.client.json("GET", `/v1/reindex/${encodeURIComponent(id)}`);
      if (job.status === "succeeded" || job.status === "failed") return job;
      this.#showProgress(job);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #showProgress({ done, total, status }) {
    const waiting = status === "queued" ? "Waiting for the worker" : "Building";
    const words = total > 0 ? `${formatNumber(done)} of ${formatNumber(total)} passages` : waiting;
    const bar = h("progress", total > 0 ? { max: total, value: done } : {});
    bar.setAttribute("aria-label", "Re-index");
    this.work.replaceChildren(bar, h("p", { class: "small soft" }, words));
  }
}
