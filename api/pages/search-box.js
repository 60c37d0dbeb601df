/** What the retriever finds for a question, with the scores that ranked it. */

import { announce, byId, h, icon, problemNotice } from "./dom.js";
import { plural } from "./text.js";

const TOP_K = 5;

export class SearchBox {
  constructor(client, { openPassage }) {
    this.client = client;
    this.openPassage = openPassage;
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search(byId("query").value.trim());
    });
  }

  async #search(query) {
    if (!query) return;
    this.query = query;
    const results = byId("results");
    try {
      const { passages } = await this.client.json("POST", "/v1/search", { query, top_k: TOP_K });
      if (this.query !== query) return; // a later search was faster
      announce(`${plural(passages.length, "passage")} found`);
      results.replaceChildren(passages.length > 0 ? this.#hits(passages) : nothing());
    } catch (problem) {
      if (!problem.title) throw problem;
      results.replaceChildren(problemNotice(problem));
    }
  }

  #hits(passages) {
    const bestLexical = Math.max(...passages.map((passage) => passage.lexical_score ?? 0));
    return h(
      "ol",
      { class: "hits" },
      passages.map((passage) => h("li", {}, this.#hit(passage, bestLexical))),
    );
  }

  #hit(passage, bestLexical) {
    const { score, dense_score: dense, lexical_score: lexical } = passage;
    return h(
      "button",
      { class: "hit", type: "button", onclick: () => this.openPassage(passage) },
      h("span", { class: "hit-title isolate" }, passage.question ?? passage.title),
      h("span", { class: "hit-place isolate" }, whereFrom(passage)),
      h("span", { class: "hit-text", dir: "auto" }, passage.text),
      h(
        "span",
        { class: "scores" },
        bar("Score", score, score),
        bar("Meaning", dense, dense), // cosine
        bar("Words", lexical, bestLexical === 0 ? 0 : lexical / bestLexical), // BM25 has no upper end
      ),
    );
  }
}

/** "returns.md › The return period"; the outermost heading is mostly the title, which stands above already. */
function whereFrom({ source, title, heading_path: headings }) {
  return [source, ...headings.filter((heading) => heading !== title)].join(" › ");
}

/** A number with a bar of its share 0..1; a half of the search that did not find the passage has neither. */
function bar(name, value, share) {
  const track = h("i", { "aria-hidden": "true" });
  const isMissing = value === null || value === undefined;
  track.style.setProperty("--share", String(isMissing ? 0 : Math.min(Math.max(share, 0), 1)));
  return h(
    "span",
    { class: "score" },
    h("span", {}, `${name} `, h("b", {}, isMissing ? "–" : value.toFixed(2))),
    track,
  );
}

function nothing() {
  return h(
    "div",
    { class: "empty" },
    icon("search"),
    h("p", { class: "lead" }, "Nothing found"),
    h("p", {}, "No document is ready yet."),
  );
}
