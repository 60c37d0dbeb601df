/** The language model that answers, and those that could. */

import { confirmAction, h, problemNotice } from "./dom.js";
import { formatAgo } from "./text.js";
import { toast } from "./toast.js";

const SHIPPED = "answerdesk-gpt2";

export class ModelCard {
  constructor(element, client) {
    this.element = element;
    this.client = client;
    this.facts = h("div", {});
    this.problem = h("div", {});
    this.back = h("button", { class: "button", type: "button", hidden: true, onclick: () => this.#rollBack() }, "Roll back");
    this.others = h("details", { class: "generations", hidden: true });
    element.replaceChildren(this.facts, this.problem, this.back, this.others);
  }

  async start() {
    await this.#attempt(async () => this.#show(await this.client.json("GET", "/v1/registry/models")));
  }

  async #attempt(task) {
    try {
      await task();
    } catch (problem) {
      if (!problem.title) throw problem;
      this.problem.replaceChildren(problemNotice(problem));
    }
  }

  #show({ models, answering, problem }) {
    const live = models.find((model) => model.is_live);
    const rows = [
      ["Live", h("code", {}, live.model_id)],
      ["Origin", origin(live)],
      live.promoted_at ? ["Since", formatAgo(live.promoted_at)] : null,
    ].filter(Boolean);
    this.facts.replaceChildren(
      h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat()),
    );
    const fallback = answering ? `${answering} answers instead.` : "Passages are quoted instead.";
    const notice = { title: "The live model cannot be used", detail: problem, remedy: fallback };
    this.problem.replaceChildren(...(problem ? [problemNotice(notice)] : []));
    this.back.hidden = live.model_id === SHIPPED;
    const others = models.filter((model) => !model.is_live);
    this.others.hidden = others.length === 0;
    const items = others.map((model) => this.#other(model));
    this.others.replaceChildren(h("summary", {}, `Other models (${others.length})`), h("ul", {}, items));
  }

  #other(model) {
    const promote = h("button", { class: "button", type: "button", onclick: () => this.#promote(model) }, "Make live");
    const facts = `${origin(model)}${model.passed_gate ? "" : ", did not pass its gate"}`;
    return h("li", { class: "generation" }, h("span", {}, h("code", {}, model.model_id), h("br"), facts), promote);
  }

  async #promote({ model_id: id, passed_gate: passed, gate }) {
    const reasons = gate.reasons?.join(" ") || "It was not measured against the live model.";
    const isSure = await confirmAction({
      title: "Make this model live?",
      text: passed ? `New answers are composed by ${id}.` : `${id} did not pass its gate. ${reasons}`,
      action: passed ? "Make live" : "Make live all the same",
      kind: passed ? "primary" : "danger",
    });
    if (!isSure) return;
    await this.#change(`/v1/registry/models/${encodeURIComponent(id)}/promote`, { force: !passed });
  }

  async #rollBack() {
    const isSure = await confirmAction({
      title: "Roll back?",
      text: "New answers are composed by the model that was live before.",
      action: "Roll back",
      kind: "primary",
    });
    if (isSure) await this.#change("/v1/registry/rollback");
  }

  async #change(path, body) {
    await this.#attempt(async () => {
      const { model_id: id } = await this.client.json("POST", path, body);
      toast(`Model ${id} is live.`);
      await this.start();
    });
  }
}

function origin({ model_id: id, recipe, created_at: published }) {
  if (id === SHIPPED) return "ships with Answerdesk";
  return `${recipe ? `${recipe}, ` : ""}${formatAgo(published)}`;
}
