// Owns the model's own page: what it is for, what it learned from, how far its figures can be trusted.

import { $, make, percent } from "./dom.js";
import { labelWords, t } from "./words.js";

let about = null;

export const begin = () => {};
export const learn = (given) => { about = given; };

export function enter() {
  if (!about) return;
  const { meaning } = about;
  const held = meaning.calibration;
  const number = (value, digits = 3) => (typeof value === "number" ? value.toFixed(digits) : null);
  const rows = [
    ["model.file", `${about.name}, SHA-256 ${about.digest}`],
    ["model.use", meaning.use],
    ["model.labels", about.labels.map(labelWords).join(", ")],
    ["model.input", meaning.preprocessing && `${meaning.preprocessing.size} × ${meaning.preprocessing.size}, ${meaning.preprocessing.fit}${meaning.preprocessing.crop ? ", crop" : ""}`],
    ["model.index", meaning.index && Object.entries(meaning.index).map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`).join("; ")],
    ["model.temperature", number(meaning.temperature)],
    ["model.calibration", held && t("model.calibrated", { n: held.images, a: number(held["log loss before"]), b: number(held["log loss after"]) })],
    ["model.coverage", percent(about.coverage)],
    ["model.parity", meaning.parity && Object.entries(meaning.parity).map(([key, value]) => `${key}: ${value}`).join("; ")],
    ["model.made", meaning.provenance && [meaning.provenance.command, meaning.provenance.finished].filter(Boolean).join(", ")],
    ["model.server", `brainlens ${about.brainlens}`],
  ].filter(([, value]) => value);
  const card = meaning.card;
  $("model-card").replaceChildren(
    make("div", { className: "card" }, make("dl", { className: "facts" }, rows.flatMap(([key, value]) => [make("dt", {}, t(key)), make("dd", {}, value)]))),
    typeof card === "string" ? make("div", { className: "card" }, make("pre", { tabIndex: 0 }, card)) : "",
    Array.isArray(meaning.reliability) ? reliability(meaning.reliability) : "",
    make("div", { className: "card" }, make("details", {}, make("summary", {}, t("model.all")), make("pre", { tabIndex: 0 }, JSON.stringify(meaning, null, 1)))));
}

/** Bins of {confidence, accuracy, images} as a chart and a table. */
function reliability(bins) {
  const SVG = "http://www.w3.org/2000/svg";
  const draw = (tag, given) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
    return node;
  };
  const chart = draw("svg", { viewBox: "-4 -4 108 108", width: 320, height: 320, role: "img", "aria-label": t("model.reliability") });
  chart.append(draw("rect", { x: 0, y: 0, width: 100, height: 100, fill: "none", stroke: "currentColor", "stroke-width": 0.5 }),
    draw("line", { x1: 0, y1: 100, x2: 100, y2: 0, stroke: "currentColor", "stroke-dasharray": "2 2", "stroke-width": 0.5 }),
    ...bins.map((one) => draw("circle", { cx: 100 * one.confidence, cy: 100 - 100 * one.accuracy, r: 2.2, fill: "currentColor" })));
  return make("section", { className: "card" }, make("h3", {}, t("model.reliability")), chart,
    make("table", {}, make("thead", {}, make("tr", {}, ["confidence", "accuracy", "images"].map((key) => make("th", { scope: "col", className: "n" }, t(`model.${key}`))))),
      make("tbody", {}, bins.map((one) => make("tr", {}, make("td", { className: "n" }, percent(one.confidence)), make("td", { className: "n" }, percent(one.accuracy)), make("td", { className: "n" }, one.images))))));
}
