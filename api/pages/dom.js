/** Building the page from data: everything becomes a text node, so data can never turn into markup. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; `onclick` and its like are listeners, null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Stroke paths on a 24 x 24 grid.
const ICONS = {
  alert: ["M12 8v5", "M12 16.5v.01", "M12 3 2.5 20h19L12 3z"],
  arrowLeft: ["M15 5l-7 7 7 7"],
  arrowRight: ["M9 5l7 7-7 7"],
  check: ["M4.5 12.5l5 5 10-11"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  copy: ["M9 9h11v11H9z", "M5 15H4V4h11v1"],
  document: ["M6 3h8l4 4v14H6z", "M14 3v5h4", "M9 13h6", "M9 17h6"],
  list: ["M8 6h12", "M8 12h12", "M8 18h12", "M4 6v.01", "M4 12v.01", "M4 18v.01"],
  person: ["M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M4.5 20.5a7.5 7.5 0 0 1 15 0"],
  pencil: ["M4 20l1-4L16.5 4.5l3 3L8 19z"],
  retry: ["M20 12a8 8 0 1 1-2.5-5.8", "M20 3v4.5h-4.5"],
  search: ["M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z", "M15.5 15.5L20 20"],
  thumbDown: ["M7 3v11", "M7 4h9.5l3.5 6.5V14h-6l1 5.5-1.5 1.5L7 13.5", "M3 3.5h4v10H3z"],
  thumbUp: ["M7 21V10", "M7 20h9.5l3.5-6.5V10h-6l1-5.5L13.5 3 7 10.5", "M3 10.5h4v10H3z"],
  trash: ["M4 7h16", "M9 7V4h6v3", "M6.5 7l1 13h9l1-13", "M10 11v5", "M14 11v5"],
};

/** A decorative icon; the control that holds it carries the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Reads a line to screen-reader users without moving anybody's focus. Lines queue up, none is lost. */
export function announce(line) {
  const announcer = byId("announcer");
  announcer.append(h("p", {}, line));
  while (announcer.childElementCount > 20) announcer.firstElementChild.remove();
}

/** What went wrong, what it means here and the way out; `actions` are buttons. */
export function problemNotice(problem, ...actions) {
  return h(
    "div",
    { class: "notice bad problem", role: "alert" },
    icon("alert"),
    h("p", { class: "notice-title" }, problem.title),
    problem.detail ? h("p", {}, withCode(problem.detail)) : null,
    problem.remedy ? h("p", { class: "soft problem-remedy" }, withCode(problem.remedy)) : null,
    actions.length > 0 ? h("div", { class: "row" }, actions) : null,
  );
}

/** Our messages set commands in backticks: every second part is code. */
function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

/** Closes a modal panel with its close button or a click beside it; Escape is the browser's. */
export function closeOnOutsideClick(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

/** Asks before something with consequences. Resolves to true only for the confirming button. */
export function confirmAction({ title, text, action, kind = "danger" }) {
  const close = (value) => () => dialog.close(value);
  const cancel = h("button", { class: "button", type: "button", onclick: close("cancel") }, "Cancel");
  const confirm = h("button", { class: `button ${kind}`, type: "button", onclick: close("confirm") }, action);
  const dialog = h(
    "dialog",
    { class: "confirm", "aria-labelledby": "confirm-title" },
    h("h2", { id: "confirm-title" }, title),
    h("p", { class: "soft" }, text),
    h("div", { class: "row" }, cancel, confirm),
  );
  document.body.append(dialog);
  closeOnOutsideClick(dialog);
  dialog.showModal();
  cancel.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "confirm");
    });
  });
}
