/** The chat page: the conversation's life, the question box, and which part of the page is on show. */

import { Problem } from "./api.js";
import { announce, byId, h, icon, problemNotice } from "./dom.js";
import { Session } from "./session.js";
import { SourcePanel } from "./source-panel.js";
import { countCodePoints, formatNumber } from "./text.js";
import { Turn } from "./turn.js";

const MISTAKE = {
  title: "The page made a mistake",
  detail: "It could not show what the server sent.",
  remedy: "Try again; if it happens again, reload the page.",
};
const QUESTION_LIMIT = 4000; // code points, the server's own limit
const COUNTER_FROM = 3500;
const DRAFT_SLOT = "answerdesk.draft";
// What people ask everywhere; the FAQ entry nearest to each becomes a suggestion.
const COMMON_QUESTIONS = ["How long does it take?", "What does it cost?", "How can I contact you?"];

const session = new Session();
const panel = new SourcePanel(byId("source-panel"), session.client);
const question = byId("question");
let streaming = null; // the AbortController of the turn in progress

async function start() {
  byId("chat-problem").replaceChildren();
  try {
    await session.open();
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) showGate(session.client.key ? problem : null);
    else showStartProblem(problem);
    return;
  }
  byId("gate").hidden = true;
  byId("chat").hidden = false;
  byId("composer").hidden = false;
  byId("sign-out").hidden = !session.hasOwnKey;
  showHistory(await session.history().catch(() => []));
  focusQuestion();
  suggest();
}

function showGate(problem) {
  byId("chat").hidden = true;
  byId("composer").hidden = true;
  byId("gate").hidden = false;
  byId("gate-problem").replaceChildren(...(problem ? [problemNotice(problem)] : []));
  byId("gate-key").focus();
}

function showStartProblem(problem) {
  byId("chat").hidden = false;
  const retry = h("button", { class: "button", type: "button", onclick: start }, icon("retry"), "Try again");
  byId("chat-problem").replaceChildren(problemNotice(problem, retry));
}

function showHistory(messages) {
  let turn = null;
  for (const message of messages) {
    if (message.role === "user") {
      turn = addTurn(message.content);
    } else if (turn) {
      if (message.answer) turn.finish(message.answer);
      else turn.showText(message.content);
    }
  }
  if (turn) turn.element.scrollIntoView();
}

/** Offers questions that the knowledge base itself answers; without a FAQ there are none, and none are made up. */
async function suggest() {
  if (byId("thread").childElementCount > 0) return;
  const nearest = await Promise.all(COMMON_QUESTIONS.map(nearestQuestion));
  const items = [...new Set(nearest.filter(Boolean))].map((text) =>
    h("li", {}, h("button", { class: "button", type: "button", onclick: () => ask(text) }, text)),
  );
  byId("suggestions").replaceChildren(...items);
}

/** Suggestions are a courtesy: when the search cannot answer, there are none and nobody is troubled. */
async function nearestQuestion(query) {
  const found = await session.client.json("POST", "/v1/search", { query, top_k: 10 }).catch(() => ({ passages: [] }));
  return found.passages.find((passage) => passage.question)?.question;
}

function addTurn(text) {
  const turn = new Turn(text, {
    client: session.client,
    openCitation: (citations, n) => panel.open(citations, n),
    retry: () => stream(turn),
    edit: () => putBack(text),
    handOver: ask,
  });
  byId("thread").append(turn.element);
  byId("welcome").hidden = true;
  byId("new-conversation").hidden = false;
  return turn;
}

function ask(text) {
  if (streaming) return;
  const turn = addTurn(text);
  stream(turn);
  turn.element.scrollIntoView({ block: "start", behavior: "smooth" });
}

async function stream(turn) {
  if (streaming) return;
  streaming = new AbortController();
  updateComposer();
  turn.begin();
  try {
    for await (const event of session.ask(turn.question, streaming.signal)) {
      turn.handle(event);
      if (turn.isFinished) break; // a proxy may hold the connection open for longer
    }
    turn.end();
  } catch (error) {
    showFailure(turn, error);
  } finally {
    streaming = null;
    updateComposer();
  }
}

function showFailure(turn, error) {
  if (error.name === "AbortError") turn.stop();
  else if (error instanceof Problem) turn.fail(error);
  else {
    turn.fail(new Problem(MISTAKE));
    throw error; // into the browser's console, for whoever mends it
  }
}

function putBack(text) {
  question.value = text;
  saveDraft();
  question.focus();
}

function sendDraft() {
  const text = question.value.trim();
  if (!text || streaming || countCodePoints(text) > QUESTION_LIMIT) return;
  question.value = "";
  saveDraft();
  ask(text);
}

function saveDraft() {
  sessionStorage.setItem(DRAFT_SLOT, question.value);
  updateComposer();
}

function updateComposer() {
  const count = countCodePoints(question.value.trim());
  const counter = byId("counter");
  const over = count - QUESTION_LIMIT;
  counter.classList.toggle("over", over > 0);
  counter.textContent = counterText(count, over);
  byId("composer").classList.toggle("is-streaming", streaming !== null);
  byId("send").setAttribute("aria-label", streaming ? "Stop" : "Send");
  byId("send").disabled = !streaming && (count === 0 || over > 0);
}

function counterText(count, over) {
  if (over > 0) return `${formatNumber(over)} too many`;
  return count >= COUNTER_FROM ? `${formatNumber(-over)} left` : "";
}

/** On a phone, focus would open the keyboard over the page before anybody asked for it. */
function focusQuestion() {
  if (matchMedia("(hover: hover)").matches) question.focus();
}

async function newConversation() {
  streaming?.abort();
  session.forgetConversation();
  byId("thread").replaceChildren();
  byId("welcome").hidden = false;
  byId("new-conversation").hidden = true;
  announce("New conversation");
  question.focus();
  suggest();
}

question.value = sessionStorage.getItem(DRAFT_SLOT) ?? "";
question.addEventListener("input", saveDraft);
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // Enter also ends an input method's word
  event.preventDefault();
  sendDraft();
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (streaming) streaming.abort();
  else sendDraft();
});
byId("new-conversation").addEventListener("click", newConversation);
byId("sign-out").addEventListener("click", () => {
  session.signOut();
  location.reload();
});
byId("gate-form").addEventListener("submit", (event) => {
  event.preventDefault();
  session.useKey(byId("gate-key").value.trim());
  byId("gate-key").value = "";
  start();
});
updateComposer();
start();
