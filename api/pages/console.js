/** The staff console: the key, and the parts of the page that share it. */

import { Client } from "./api.js";
import { byId, confirmAction, problemNotice } from "./dom.js";
import { IndexCard } from "./index-card.js";
import { Ledger } from "./ledger.js";
import { ModelCard } from "./model-card.js";
import { PassagesPanel } from "./passages-panel.js";
import { SearchBox } from "./search-box.js";
import { plural } from "./text.js";
import { toast } from "./toast.js";
import { Uploads } from "./uploads.js";

const SAMPLE = "shop";

const client = new Client("answerdesk.staff-key");
const panel = new PassagesPanel(byId("passages-panel"), client);
const ledger = new Ledger(client, {
  openDocument: (document) => panel.open(document),
  onCollections: showCollections,
  onSignedOut: showGate,
});
const indexCard = new IndexCard(byId("index"), client);
const modelCard = new ModelCard(byId("model"), client);

/** The key may come as /console#key=...: it goes to this tab's storage and leaves the address bar at once. */
function takeKeyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  client.key = key;
  history.replaceState(null, "", location.pathname);
}

async function start() {
  if (!client.key) {
    showGate(null);
    return;
  }
  try {
    await client.json("GET", "/v1/documents?limit=1");
  } catch (problem) {
    showGate(problem);
    return;
  }
  byId("gate").hidden = true;
  byId("console").hidden = false;
  byId("sign-out").hidden = false;
  ledger.start();
  indexCard.start();
  modelCard.start();
}

function showGate(problem) {
  ledger.stop();
  byId("console").hidden = true;
  byId("sign-out").hidden = true;
  byId("gate").hidden = false;
  byId("gate-problem").replaceChildren(...(problem ? [problemNotice(problem)] : []));
  byId("gate-key").focus();
}

function showCollections(collections) {
  byId("sample").hidden = !collections.includes(SAMPLE);
  const options = collections.map((name) => new Option(name, name));
  byId("collections").replaceChildren(...options);
}

async function removeSample() {
  const isSure = await confirmAction({
    title: "Remove the sample shop?",
    text: `Every document in the collection “${SAMPLE}” is deleted and no longer answered from. Other collections stay.`,
    action: "Remove",
  });
  if (!isSure) return;
  try {
    const { deleted } = await client.json("DELETE", `/v1/collections/${SAMPLE}`);
    toast(`Sample shop removed: ${plural(deleted ?? 0, "document")}.`);
  } catch (problem) {
    toast(`${problem.title}. ${problem.remedy}`);
  }
  ledger.refresh();
}

new Uploads(client, { onAccepted: () => ledger.refresh() });
new SearchBox(client, { openPassage: (passage) => panel.open(passage, passage.passage_id) });
byId("remove-sample").addEventListener("click", removeSample);
byId("sign-out").addEventListener("click", () => {
  client.key = null;
  showGate(null);
});
byId("gate-form").addEventListener("submit", (event) => {
  event.preventDefault();
  client.key = byId("gate-key").value.trim();
  byId("gate-key").value = "";
  start();
});
addEventListener("hashchange", () => {
  takeKeyFromAddress();
  start();
});
takeKeyFromAddress();
start();
