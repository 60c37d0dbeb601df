/** Talking to the server: bearer key, JSON, and problem details (RFC 9457) as one kind of error. */

/** A failed request, told so that a person can act on it. `status` 0 means that no response came. */
export class Problem extends Error {
  constructor({ title, detail = "", remedy = "", status = 0, running_id: runningId = null }) {
    super(title);
    this.title = title;
    this.detail = detail;
    this.remedy = remedy;
    this.status = status;
    this.runningId = runningId;
  }

  /** Reads the body of a failed response, whatever a proxy may have made of it. */
  static async from(response) {
    const body = await response.json().catch(() => null);
    return Problem.fromBody(body, response.status);
  }

  static fromBody(body, status) {
    if (body && typeof body.title === "string") {
      const detail = typeof body.detail === "string" ? body.detail : "";
      return new Problem({ ...body, detail, status });
    }
    return new Problem({
      title: "The server could not do this",
      detail: `It answered with status ${status}.`,
      remedy: "Try again in a moment.",
      status,
    });
  }
}

export const CUT_OFF = {
  title: "The answer was cut off",
  detail: "The connection ended before the answer was complete.",
  remedy: "Ask again; nothing of your question is lost.",
};

const UNREACHABLE = {
  title: "The server cannot be reached",
  detail: "No response came back.",
  remedy: "Check your connection, then try again.",
};

/** HTTP with the key of this browser tab. `slot` names the key's place, so chat and console keep separate keys. */
export class Client {
  constructor(slot) {
    this.slot = slot;
  }

  get key() {
    return sessionStorage.getItem(this.slot);
  }

  set key(value) {
    if (value) sessionStorage.setItem(this.slot, value);
    else sessionStorage.removeItem(this.slot);
  }

  get authorization() {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {};
  }

  /** The response, once its headers are there. Throws Problem for anything but success; an abort passes through. */
  async open(method, path, { body, accept = "application/json", signal } = {}) {
    const headers = { Accept: accept, ...this.authorization };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, {
        method,
        headers,
        signal,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(UNREACHABLE);
    }
    if (!response.ok) throw await Problem.from(response);
    return response;
  }

  async json(method, path, body, signal) {
    const response = await this.open(method, path, { body, signal });
    return response.status === 204 ? null : response.json();
  }

  /** Sends one file and reports the share that has left (0..1); fetch cannot tell that, XMLHttpRequest can. */
  upload(path, fields, onProgress) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", path);
      request.responseType = "json";
      for (const [name, value] of Object.entries(this.authorization)) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", (event) => onProgress(event.loaded / Math.max(event.total, 1)));
      request.addEventListener("error", () => reject(new Problem(UNREACHABLE)));
      request.addEventListener("load", () => {
        if (request.status < 300) resolve(request.response);
        else reject(Problem.fromBody(request.response, request.status));
      });
      request.send(form);
    });
  }
}
