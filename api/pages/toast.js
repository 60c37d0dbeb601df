/** A line that says what was done and goes away; the container is a live region, so it is read out too. */

import { byId, h } from "./dom.js";

const SECONDS = 6;

export function toast(line) {
  const element = h("p", { class: "toast" }, line);
  byId("toasts").append(element);
  setTimeout(() => element.remove(), SECONDS * 1000);
}
