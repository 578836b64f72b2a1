// Owns what was measured of a model, as tables and charts: figures, certificate, reliability.

import { make, percent } from "./dom.js";
import { labelWords, t } from "./words.js";

const named = (name) => { const found = t(`figure.${name}`); return found === `figure.${name}` ? name.replaceAll("_", " ") : found; };
const interval = (one) => (!one ? "–" : typeof one.low === "number"
  ? `${percent(one.value)} (${(100 * one.low).toFixed(1)}–${(100 * one.high).toFixed(1)})` : percent(one.value));

/** A table in a card that scrolls by itself; the first column is words, the others figures. */
function table(title, head, rows, about = "") {
  return make("section", { className: head.length > 4 ? "card whole" : "card" }, make("h3", {}, title), about ? make("p", { className: "quiet" }, about) : null,
    make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": title }, make("table", {},
      make("thead", {}, make("tr", {}, head.map((one, n) => make("th", { scope: "col", className: n ? "n" : "" }, one)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((one, n) => (n ? make("td", { className: "n" }, one) : make("th", { scope: "row" }, one)))))))));
}

/** Cards for everything that a record holds; those that it lacks are left out. */
export function record(known) {
  const { judged } = known;
  return [
    known.about === "box" ? make("p", { className: "card" }, t("record.box")) : null,
    figures(judged), classes(judged), confusion(judged), certificate(judged.leakage, judged),
    reliability(judged.reliability, t("record.reliability"), t("record.reliability.why", { n: judged.images })),
    parts(judged), elsewhere(known.elsewhere), strangers(known.strangers), heat(known.heat), splits(known.splits),
  ].filter(Boolean);
}

function figures(judged) {
  const about = t("record.judged", { n: judged.images, g: judged.groups, split: judged.split, protocol: judged.protocol, when: judged.measured.slice(0, 10) });
  const rows = Object.entries(judged.metrics).map(([name, one]) => [named(name), interval(one)]);
  return table(t("record.figures"), [t("record.figure"), t("record.value")], rows, about);
}

function classes({ per_class: each }) {
  const names = Object.keys(Object.values(each)[0]).filter((name) => name !== "support");
  return table(t("record.classes"), [t("label"), t("model.images"), ...names.map(named)],
    Object.entries(each).map(([label, one]) => [labelWords(label), one.support, ...names.map((name) => interval(one[name]))]));
}

function confusion({ labels, confusion: counts }) {
  return table(t("record.confusion"), ["", ...labels.map(labelWords)], counts.map((row, n) => [labelWords(labels[n]), ...row]), t("record.confusion.why"));
}

function certificate(leakage, { images }) {
  const held = leakage.certificate ?? {};
  const leaks = leakage.copies + leakage.twins + leakage.same_group;
  const fact = (value) => (typeof value === "object" && value ? Object.entries(value).map(([key, one]) => `${key}: ${fact(one)}`).join("; ") : String(value));
  const rows = [
    ["record.copies", leakage.copies], ["record.twins", leakage.twins], ["record.group", leakage.same_group],
    ["record.clean", leakage.clean && `${leakage.clean.images}: ${interval(leakage.clean.accuracy)}`],
    ["record.leaked", leakage.leaked && `${leakage.leaked.images}: ${interval(leakage.leaked.accuracy)}`],
    ["record.compared", held.compared], ["record.method", held.method], ["record.thresholds", held.thresholds && fact(held.thresholds)],
    ...Object.entries(held.indices ?? {}).map(([which, one]) => [`record.index.${which}`, t("record.index", { ...one, n: one.images, g: one.groups })]),
  ].filter(([, value]) => value !== null && value !== undefined);
  return make("section", { className: "card" }, make("h3", {}, t("record.certificate")),
    make("p", { className: leaks || !held.complete ? "verdict bad" : "verdict" },
      t(leaks ? "record.leaks" : held.complete ? "record.none" : "record.unknown", { n: leaks, of: images })),
    make("dl", { className: "facts" }, rows.flatMap(([key, value]) => [make("dt", {}, t(key)), make("dd", {}, String(value))])));
}

function parts({ parts: kinds }) {
  const rows = Object.entries(kinds ?? {}).flatMap(([kind, each]) =>
    Object.entries(each).map(([name, one]) => [`${named(kind)} ${name}`, one.images, interval(one.accuracy)]));
  return rows.length ? table(t("record.parts"), [t("record.part"), t("model.images"), t("model.accuracy")], rows) : null;
}

const models = (each, cells) => Object.entries(each).map(([name, one]) => [t(`record.model.${name}`), ...cells(one)]);

function elsewhere(each) {
  if (!each) return null;
  const names = ["sensitivity at 0.5", "specificity at 0.5", "specificity at sensitivity 0.9"];
  return table(t("record.elsewhere"), [t("model"), "AUROC", ...names.map(named)],
    models(each, (one) => [`${one.AUROC.toFixed(3)} (${one["AUROC low, high"].map((v) => v.toFixed(3)).join("–")})`, ...names.map((name) => one[name].toFixed(2))]),
    t("record.elsewhere.why", { a: Object.values(each)[0]["slices with tumour"], b: Object.values(each)[0]["slices without"] }));
}

function strangers(each) {
  if (!each) return null;
  const kinds = Object.keys(Object.values(each)[0]);
  return table(t("record.strangers"), [t("model"), ...kinds.map(named)], models(each, (one) => kinds.map((kind) => percent(one[kind].refused))), t("record.strangers.why"));
}

function heat(one) {
  if (!one) return null;
  const rows = ["pointing game", "energy in outline"].map((name) => [named(name), percent(one[name].model), percent(one[name].middle)]);
  return table(t("heat"), ["", t("model"), t("record.middle")], rows, t("record.heat.why", { n: one.outlines }));
}

function splits(roads) {
  if (!roads) return null;
  return table(t("record.splits"), [t("record.split"), t("model.images"), t("model.accuracy"), t("record.seen"), t("record.clean")],
    roads.map((one) => [t(`record.split.${one.split}`), one.images, interval(one.accuracy), `${one.seen} (${Math.round((100 * one.seen) / one.images)} %)`, interval(one.clean.accuracy)]),
    t("record.splits.why"));
}

const SVG = "http://www.w3.org/2000/svg";

function draw(tag, given, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Bins of {confidence, accuracy, images} as a chart, a dot's area by its images, and as a table. */
export function reliability(bins, title, about) {
  const most = Math.max(...bins.map((one) => one.images));
  const line = (x1, y1, x2, y2, more = {}) => draw("line", { x1, y1, x2, y2, stroke: "currentColor", "stroke-width": 0.5, ...more });
  const word = (x, y, text, anchor) => draw("text", { x, y, "text-anchor": anchor, "font-size": 4.6, fill: "currentColor" }, text);
  const chart = draw("svg", { viewBox: "-18 -14 128 134", class: "chart", role: "img", "aria-label": title },
    ...[0, 25, 50, 75, 100].flatMap((at) => [
      line(0, 100 - at, 100, 100 - at, { opacity: 0.2 }), line(at, 0, at, 100, { opacity: 0.2 }),
      word(-2, 101.5 - at, `${at} %`, "end"), word(at, 107, `${at} %`, "middle"),
    ]),
    line(0, 100, 100, 0, { "stroke-dasharray": "2 2" }),
    draw("polyline", { points: bins.map((one) => `${100 * one.confidence},${100 - 100 * one.accuracy}`).join(" "), fill: "none", stroke: "var(--bar)", "stroke-width": 0.8 }),
    ...bins.map((one) => draw("circle", { cx: 100 * one.confidence, cy: 100 - 100 * one.accuracy, r: 1 + 3 * Math.sqrt(one.images / most), fill: "var(--bar)" })),
    word(50, 117, t("model.confidence"), "middle"), word(-14, -8, t("model.accuracy"), "start"));
  const rows = bins.map((one) => [percent(one.confidence), percent(one.accuracy), one.images]);
  return make("section", { className: "card" }, make("h3", {}, title), make("p", { className: "quiet" }, about), chart,
    make("details", {}, make("summary", {}, t("record.table")), table(title, ["confidence", "accuracy", "images"].map((key) => t(`model.${key}`)), rows).lastChild));
}
