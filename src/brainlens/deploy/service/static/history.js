// Owns the list of readings: search, older ones, feedback to take away, the audit log's head.

import { json, save } from "./api.js";
import { $, make, percent, when } from "./dom.js";
import { current, labelWords, t } from "./words.js";

let page = null;

export function begin(given) {
  page = given;
  $("search-form").addEventListener("submit", (event) => { event.preventDefault(); enter().catch(page.fail); });
  $("feedback-csv").addEventListener("click", () => save("/feedback.csv", "brainlens-feedback.csv").catch(page.fail));
}

export async function enter() {
  const list = $("history-list");
  const found = await load(0);
  if (!found.readings.length) {
    list.replaceChildren(make("p", { className: "quiet" }, t($("search").value ? "history.nothing" : "history.none")));
    return;
  }
  const body = make("tbody", {}, found.readings.map(row));
  const head = [["name"], ["answer"], ["probability", "n"], ["when"], ["slices", "n"], ["who"]];
  list.replaceChildren(
    make("div", { className: "wide card", tabIndex: 0, role: "region", "aria-labelledby": "history-title" }, make("table", {},
      make("thead", {}, make("tr", {}, head.map(([key, name]) => make("th", { scope: "col", className: name ?? "" }, t(key))))), body)),
    older(found.next, body),
    make("p", { className: "quiet after" }, t("history.audit", { n: found.audit.entries, digest: found.audit.digest.slice(0, 16) })));
}

const load = (before) => json(`/readings?${new URLSearchParams({ search: $("search").value, before, most: 50 })}`);

function older(next, body) {
  if (next === null) return "";
  const button = make("button", { type: "button", textContent: t("history.older") });
  button.addEventListener("click", async () => {
    try {
      const more = await load(next);
      body.append(...more.readings.map(row));
      button.parentNode.replaceWith(older(more.next, body));
    } catch (error) {
      page.fail(error);
    }
  });
  return make("p", {}, button);
}

function row(one) {
  return make("tr", {},
    make("td", { className: "name" }, make("a", { href: `#classify/${one.id}` }, one.name)),
    make("td", { className: "word" }, one.predicted ? labelWords(one.predicted) : t("refused")), make("td", { className: "n" }, percent(one.confidence)),
    make("td", { className: "word" }, when(one.at, current())), make("td", { className: "n" }, one.slices), make("td", {}, one.reader));
}
