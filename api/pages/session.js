/** A customer's session: who is asking, which conversation it is, and the way back when the server forgot either. */

import { Client, Problem } from "./api.js";
import { readEvents } from "./sse.js";

const KEY_SLOT = "answerdesk.customer-key";
const OWN_KEY_SLOT = "answerdesk.own-key";
const CONVERSATION_SLOT = "answerdesk.conversation";

export class Session {
  constructor() {
    this.client = new Client(KEY_SLOT);
  }

  /** True when the person typed the key in, false for the anonymous session of a loopback server. */
  get hasOwnKey() {
    return sessionStorage.getItem(OWN_KEY_SLOT) === "yes";
  }

  useKey(key) {
    sessionStorage.setItem(OWN_KEY_SLOT, "yes");
    this.client.key = key;
    this.forgetConversation();
  }

  signOut() {
    sessionStorage.removeItem(OWN_KEY_SLOT);
    this.client.key = null;
    this.forgetConversation();
  }

  forgetConversation() {
    sessionStorage.removeItem(CONVERSATION_SLOT);
  }

  /** Makes sure that the server knows us. Throws Problem 401 when it wants a key. */
  async open() {
    if (this.hasOwnKey) {
      if (!sessionStorage.getItem(CONVERSATION_SLOT)) await this.#startConversation();
      return;
    }
    if (this.client.key && sessionStorage.getItem(CONVERSATION_SLOT)) return; // reloaded: the same session goes on
    await this.#openAnonymous();
  }

  async history() {
    const id = sessionStorage.getItem(CONVERSATION_SLOT);
    if (!id) return [];
    try {
      const { messages } = await this.client.json("GET", `/v1/conversations/${encodeURIComponent(id)}/messages`);
      return messages;
    } catch (problem) {
      if (!(problem instanceof Problem) || ![401, 404].includes(problem.status)) throw problem;
      await this.#renew(problem);
      return [];
    }
  }

  /** The events of one turn. A session or conversation that the server no longer knows is renewed once. */
  async *ask(question, signal) {
    let response;
    try {
      response = await this.#post(question, signal);
    } catch (problem) {
      if (!(problem instanceof Problem) || ![401, 404].includes(problem.status)) throw problem;
      await this.#renew(problem);
      response = await this.#post(question, signal);
    }
    yield* readEvents(response);
  }

  async #post(content, signal) {
    const id = sessionStorage.getItem(CONVERSATION_SLOT) ?? (await this.#startConversation());
    const path = `/v1/conversations/${encodeURIComponent(id)}/messages`;
    return this.client.open("POST", path, { body: { content }, accept: "text/event-stream", signal });
  }

  async #renew(problem) {
    if (problem.status === 401 && this.hasOwnKey) throw problem;
    this.forgetConversation();
    if (problem.status === 401) await this.#openAnonymous();
  }

  async #openAnonymous() {
    this.client.key = null;
    const { token } = await this.client.json("POST", "/v1/session", {});
    this.client.key = token;
  }

  async #startConversation() {
    const { conversation_id: id } = await this.client.json("POST", "/v1/conversations", {});
    sessionStorage.setItem(CONVERSATION_SLOT, id);
    return id;
  }
}
