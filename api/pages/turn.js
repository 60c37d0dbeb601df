/** One question and its answer on the page, from the first dot to the thumbs. */

import { CUT_OFF, Problem } from "./api.js";
import { announce, h, icon, problemNotice } from "./dom.js";
import { languageAttributes, phrasesIn } from "./phrases.js";
import { Rating } from "./rating.js";
import { formatSeconds, isTableRow, plural } from "./text.js";

const MADE = {
  curated: ["From our FAQ", "A person wrote this answer; it is given word for word."],
  generated: ["Composed from documents", "A language model wrote it; each sentence was checked against its passage."],
  extractive: ["Quoted from documents", "These are the documents' own sentences, word for word."],
};

const JOINER = "\u2060"; // keeps a mark on the line of the word it follows

/** `actions`: client, openCitation(citations, n), retry(), edit(), handOver(wish). */
export class Turn {
  constructor(question, actions) {
    this.question = question;
    this.actions = actions;
    this.reply = h("div", { class: "reply" });
    this.element = h(
      "li",
      { class: "turn" },
      h("p", { class: "question", dir: "auto" }, h("span", { class: "sr-only" }, "You asked: "), question),
      this.reply,
    );
    this.#clear();
  }

  #clear() {
    this.citations = new Map(); // n -> citation
    this.sentences = [];
    this.isFinished = false;
    this.progress = h("p", { class: "progress" });
    this.text = h("p", { class: "answer", dir: "auto" });
    this.reply.replaceChildren(this.text, this.progress);
  }

  begin() {
    this.#clear();
    this.#showProgress("Searching the documents");
  }

  /** Takes one server-sent event. */
  handle({ name, data }) {
    if (name === "passages") this.#showProgress(`Reading ${plural(data.passage_ids.length, "passage")}`);
    else if (name === "citation") this.#addCitation(data);
    else if (name === "sentence") this.#addSentence(data);
    else if (["answer", "refusal", "handoff"].includes(name)) this.finish(data, true);
    else if (name === "error") throw Problem.fromBody(data, data.status);
  }

  /** The stream is over; without a last event the answer is incomplete. */
  end() {
    if (!this.isFinished) throw new Problem(CUT_OFF);
  }

  stop() {
    this.progress.remove();
    const again = h(
      "button",
      { class: "button", type: "button", onclick: this.actions.retry },
      icon("retry"),
      "Ask again",
    );
    this.reply.append(h("div", { class: "row soft" }, "Stopped.", again));
  }

  fail(problem) {
    this.progress.remove();
    const { retry, edit } = this.actions;
    this.reply.append(
      problemNotice(
        problem,
        h("button", { class: "button", type: "button", onclick: retry }, icon("retry"), "Try again"),
        h("button", { class: "button quiet", type: "button", onclick: edit }, icon("pencil"), "Edit the question"),
      ),
    );
  }

  showText(text) {
    this.progress.remove();
    this.text.textContent = text;
  }

  /** Shows the finished answer; a live one has shown its sentences already and is only completed. */
  finish(answer, isLive = false) {
    this.isFinished = true;
    this.progress.remove();
    this.citations = new Map(answer.citations.map((citation) => [citation.n, citation]));
    if (answer.status !== "answered") this.#showRefusal(answer);
    else this.#showAnswer(answer);
    if (isLive) announce(this.#closingWords(answer));
  }

  #closingWords(answer) {
    if (answer.status !== "answered") return answer.text;
    return answer.citations.length > 0 ? `Answer complete, ${plural(answer.citations.length, "source")}.` : answer.text;
  }

  #showAnswer(answer) {
    const shown = this.sentences.map((sentence) => sentence.text);
    const isComplete =
      answer.sentences.length === shown.length && answer.sentences.every((s, i) => s.text === shown[i]);
    if (!isComplete) {
      this.text.replaceChildren();
      this.sentences = [];
      for (const sentence of answer.sentences) this.#appendSentence(sentence);
      if (answer.sentences.length === 0) this.text.textContent = answer.text;
    }
    for (const own of this.text.querySelectorAll(".own-words")) own.lang = answer.language ?? "en";
    if (this.citations.size > 0) this.reply.append(this.#sourceList());
    if (answer.path !== "courtesy") this.#appendFoot(answer);
  }

  #showRefusal(answer) {
    const isHandoff = answer.status === "handoff";
    const { edit, handOver } = this.actions;
    const own = phrasesIn(answer.language);
    const wish = () => handOver(own.wish);
    const buttons = [
      h("button", { class: "button", type: "button", onclick: wish }, icon("person"), own.handOver),
      h("button", { class: "button quiet", type: "button", onclick: edit }, icon("pencil"), own.rephrase),
    ];
    this.text.remove();
    this.reply.append(
      h(
        "div",
        { class: `notice ${answer.status}`, ...languageAttributes(answer.language ?? "en") },
        icon(isHandoff ? "person" : "search"),
        h("p", { class: "notice-title" }, isHandoff ? own.handedOver : own.notFound),
        h("p", {}, answer.sentences.map((s) => s.text).join(" ") || answer.text),
        isHandoff ? null : h("div", { class: "row" }, buttons),
      ),
    );
    if (this.citations.size > 0) this.reply.append(this.#sourceList());
    if (answer.path !== "courtesy") this.#appendFoot(answer);
  }

  #showProgress(text) {
    const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
    this.progress.replaceChildren(dots, `${text}…`);
    if (!this.progress.isConnected) this.reply.append(this.progress);
    announce(text);
  }

  #addCitation(citation) {
    this.citations.set(citation.n, citation);
  }

  #addSentence(sentence) {
    this.#appendSentence(sentence);
    announce(sentence.text);
  }

  #appendSentence(sentence) {
    const chips = sentence.citations.map((n) => this.#chip(n));
    const before = this.sentences.at(-1);
    // Sentences from one place share its mark, after the last of them.
    if (before && `${before.citations}` === `${sentence.citations}`) this.text.lastChild.replaceChildren(before.text);
    if (before) this.text.append([before, sentence].some(({ text }) => isTableRow(text)) ? "\n" : " ");
    // What cites nothing is ours, in the customer's language; the rest is in the document's, which sets the direction.
    const own = chips.length === 0 ? { class: "sentence own-words", dir: "auto" } : { class: "sentence" };
    this.text.append(h("span", own, sentence.text, chips.map((chip) => [JOINER, chip]).flat()));
    this.sentences.push(sentence);
  }

  #chip(n) {
    const title = this.citations.get(n)?.title ?? "";
    const open = () => this.actions.openCitation([...this.citations.values()], n);
    return h(
      "button",
      { class: "chip", type: "button", "aria-label": `Source ${n}: ${title}`, title, onclick: open },
      `${n}`,
    );
  }

  #sourceList() {
    const all = [...this.citations.values()];
    const items = all.map((citation) => {
      const name = citation.title && citation.title !== citation.source ? citation.title : null;
      const open = () => this.actions.openCitation(all, citation.n);
      return h(
        "li",
        {},
        h(
          "button",
          { class: "source", type: "button", onclick: open },
          h("span", { class: "source-number" }, `${citation.n}`),
          h(
            "span",
            { class: "source-title isolate" },
            name ?? citation.source,
            name ? h("span", { class: "soft isolate" }, ` · ${citation.source}`) : null,
          ),
          h("span", { class: "source-quote", dir: "auto" }, citation.quote),
        ),
      );
    });
    return h("ol", { class: "sources", "aria-label": "Sources" }, items);
  }

  #appendFoot(answer) {
    const rating = new Rating(this.actions.client, answer.answer_id);
    const copy = h(
      "button",
      { class: "icon-button", type: "button", "aria-label": "Copy the answer", title: "Copy" },
      icon("copy"),
    );
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(answer.text);
      copy.replaceChildren(icon("check"));
      announce("Copied");
    });
    const canCopy = answer.status === "answered" && navigator.clipboard;
    rating.buttons.prepend(...(canCopy ? [copy] : []));
    this.reply.append(h("div", { class: "answer-foot" }, madeHow(answer), rating.buttons), rating.form);
  }
}

/** The discreet label of how an answer came about; it opens to the facts. */
function madeHow(answer) {
  const made = MADE[answer.path];
  if (!made) return null;
  const total = answer.timings_ms?.total;
  const facts = [
    ["Confidence", `${Math.round(answer.confidence * 100)} %`],
    ["Time", total === undefined ? null : formatSeconds(total)],
    ["Model", answer.path === "generated" ? answer.model : null],
    ["Index", answer.generation],
    ["Answer", answer.answer_id],
  ].filter(([, value]) => value);
  return h(
    "details",
    { class: "made" },
    h("summary", {}, made[0]),
    h("dl", {}, [["How", made[1]], ...facts].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat()),
  );
}
