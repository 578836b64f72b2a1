// Owns the model's own page: what it is for, what it learned from, how far its figures can be trusted.

import { $, make, percent } from "./dom.js";
import { prose } from "./prose.js";
import { record, reliability } from "./record.js";
import { current, labelWords, t } from "./words.js";

let about = null;

export const begin = () => {};
export const learn = (given) => { about = given; };

export function enter() {
  if (!about) return;
  const { meaning } = about;
  $("model-card").replaceChildren(
    facts(meaning),
    ...(about.record ? record(about.record) : [make("p", { className: "card" }, t("record.missing"))]),
    Array.isArray(meaning.reliability) ? reliability(meaning.reliability, t("model.reliability"), t("model.reliability.why")) : "",
    typeof meaning.card === "string" ? card(meaning) : "",
    make("div", { className: "card whole" }, make("details", {}, make("summary", {}, t("model.all")), make("pre", { tabIndex: 0 }, JSON.stringify(meaning, null, 1)))));
}

function facts(meaning) {
  const held = meaning.calibration;
  const number = (value, digits = 3) => (typeof value === "number" ? value.toFixed(digits) : null);
  const learned = ({ images, digest }) => [
    Object.entries(images ?? {}).filter(([split]) => split).map(([split, count]) => `${count} ${split}`).join(", "),
    digest && `SHA-256 ${digest}`,
  ].filter(Boolean).join("; ");
  const rows = [
    ["model.file", `${about.name}, SHA-256 ${about.digest}`],
    ["model.use", meaning.use && t("use")],
    ["model.labels", about.labels.map(labelWords).join(", ")],
    ["model.input", meaning.preprocessing && `${meaning.preprocessing.size} × ${meaning.preprocessing.size}, ${meaning.preprocessing.fit}${meaning.preprocessing.crop ? ", crop" : ""}`],
    ["model.index", meaning.index && learned(meaning.index)],
    ["model.temperature", number(meaning.temperature)],
    ["model.calibration", held && t("model.calibrated", { n: held.images, a: number(held["log loss before"]), b: number(held["log loss after"]) })],
    ["model.coverage", percent(about.coverage)],
    ["model.parity", meaning.parity && t("model.parity.why", { n: meaning.parity.images, d: number(meaning.parity["largest difference of a logit"]) })],
    ["model.made", meaning.provenance && [meaning.provenance.command, meaning.provenance.finished].filter(Boolean).join(", ")],
    ["model.server", `brainlens ${about.brainlens}`],
  ].filter(([, value]) => value);
  return make("div", { className: "card whole" }, make("dl", { className: "facts" }, rows.flatMap(([key, value]) => [make("dt", {}, t(key)), make("dd", {}, value)])));
}

/** The card in the page's language where the file has it, else as it was written. */
function card(meaning) {
  const own = meaning[`card ${current()}`];
  return make("section", { className: "card whole" }, make("details", { open: true }, make("summary", {}, t(own || current() === "en" ? "model.card" : "model.card.en")), make("div", { lang: own ? current() : "en", className: "prose" }, prose(own ?? meaning.card))));
}
