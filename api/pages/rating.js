/** Thumbs under an answer; a thumb down asks what was wrong, and may be sent without saying. */

import { announce, h, icon } from "./dom.js";

const REASONS = ["Not what I asked", "Incomplete", "Out of date", "Wrong"];

export class Rating {
  constructor(client, answerId) {
    this.client = client;
    this.path = `/v1/messages/${encodeURIComponent(answerId)}/feedback`;
    this.up = this.#thumb("up", "thumbUp", "Good answer");
    this.down = this.#thumb("down", "thumbDown", "Bad answer");
    this.buttons = h("div", { class: "rating", role: "group", "aria-label": "Rate this answer" }, this.up, this.down);
    this.form = h("div", { hidden: true });
  }

  #thumb(rating, name, label) {
    const attributes = {
      class: "icon-button",
      type: "button",
      "aria-label": label,
      title: label,
      "aria-pressed": "false",
    };
    const button = h("button", attributes, icon(name));
    button.addEventListener("click", () => this.#rate(rating));
    return button;
  }

  async #rate(rating) {
    this.up.setAttribute("aria-pressed", String(rating === "up"));
    this.down.setAttribute("aria-pressed", String(rating === "down"));
    const isKept = await this.#send({ rating });
    if (isKept && rating === "down") this.#askWhy();
    else if (isKept) this.#thank();
  }

  async #send(feedback) {
    try {
      await this.client.json("POST", this.path, { reason: null, comment: null, ...feedback });
      return true;
    } catch (problem) {
      this.up.setAttribute("aria-pressed", "false");
      this.down.setAttribute("aria-pressed", "false");
      this.#say(`${problem.title}. ${problem.remedy}`);
      return false;
    }
  }

  #askWhy() {
    const reasons = REASONS.map((reason) =>
      h(
        "label",
        { class: "reason" },
        h("input", { type: "radio", name: `reason-${this.path}`, value: reason }),
        reason,
      ),
    );
    const comment = h("textarea", {
      class: "field",
      rows: 2,
      maxlength: 2000,
      placeholder: "Anything else? (optional)",
    });
    comment.setAttribute("aria-label", "Comment");
    const send = h("button", { class: "button primary", type: "submit" }, "Send");
    const skip = h("button", { class: "button quiet", type: "button", onclick: () => this.#thank() }, "Skip");
    const form = h(
      "form",
      { class: "rating-form" },
      h("fieldset", {}, h("legend", {}, "What was wrong with it?"), reasons),
      comment,
      h("div", { class: "row" }, send, skip),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const reason = form.querySelector(":checked")?.value ?? null;
      if (await this.#send({ rating: "down", reason, comment: comment.value.trim() || null })) this.#thank();
    });
    this.form.hidden = false;
    this.form.replaceChildren(form);
    form.querySelector("input").focus();
  }

  #thank() {
    this.#say("Thank you for telling us.");
  }

  #say(line) {
    this.form.hidden = false;
    this.form.replaceChildren(h("p", { class: "small soft" }, line));
    announce(line);
  }
}
