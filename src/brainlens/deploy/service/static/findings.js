// Owns what is said of a slice, beside its picture: answer, bars, set, flags, cases, feedback.

import { json } from "./api.js";
import { make, percent, say } from "./dom.js";
import { flagWords, labelWords, reasonWords, t } from "./words.js";

/** The cards for one slice of a reading. */
export function findings(reading, one, given) {
  const several = reading.studies.some((study) => study.slices.length > 1);
  const cards = [make("section", { className: "card first", "aria-label": t("answer") }, answer(reading, one)), feedback(reading, one, given), details(reading, one)];
  // A study's answer comes before its slice's; a heap of single pictures has none of its own.
  if (reading.slices.length > 1) cards.splice(several ? 0 : 2, 0, studies(reading, one, given));
  return cards;
}

function answer(reading, one) {
  const p = Math.round(100 * reading.coverage);
  const head = one.refusal
    ? make("div", { className: "refusal" }, make("strong", {}, t("refused")), reasonWords(one.refusal), make("br"), make("span", { className: "quiet" }, t("refused.then")))
    : make("p", { className: "answer" }, labelWords(one.predicted), " ", make("small", {}, `${percent(one.confidence)} ${t("probability")}`));
  return make("div", {}, head, bars(one), one.refusal ? null : [
    make("h3", {}, t("set", { p })),
    one.candidates.length
      ? make("ul", { className: "chips" }, one.candidates.map((label) => make("li", {}, labelWords(label))))
      : make("p", {}, t("set.empty")),
    make("p", { className: "quiet" }, t(besides(reading.studies[one.study]) ? "set.study" : "set.why", { p })),
  ],
  make("h3", {}, t("flags")),
  one.flags.length
    ? make("ul", { className: "chips flags" }, one.flags.map((flag) => make("li", {}, flagWords(flag))))
    : make("p", { className: "quiet" }, t("flags.none")),
  one.similar.length ? similar(one.similar) : null);
}

/** Whether slices of a study were judged with their neighbours in mind: pictures never are. */
const besides = (study) => study.kind !== "picture" && study.slices.length > 1;

function bars(one) {
  const ranked = Object.entries(one.probabilities).sort((a, b) => b[1] - a[1]);
  return make("dl", { className: one.refusal ? "bars dimmed" : "bars" }, ranked.flatMap(([label, p]) => {
    const fill = make("div", { className: "bar-fill" });
    fill.style.width = `${100 * p}%`;
    return [make("dt", {}, labelWords(label)), make("dd", { className: "bar", "aria-hidden": "true" }, fill), make("dd", { className: "n" }, percent(p))];
  }));
}

function similar(cases) {
  return make("div", { className: "wide" }, make("h3", {}, t("similar")), make("table", { "aria-label": t("similar") },
    make("thead", {}, make("tr", {}, ["case", "label"].map((key) => make("th", { scope: "col" }, t(key))), make("th", { scope: "col", className: "n" }, t("distance")))),
    make("tbody", {}, cases.map((one) => make("tr", {}, make("td", { className: "name" }, one.name), make("td", {}, labelWords(one.label)),
      make("td", { className: "n" }, one.distance === null ? "–" : one.distance.toFixed(3)))))));
}

/** Each study with its pooled answer; of the one in view also what it is pooled from. */
function studies(reading, now, { show }) {
  const several = reading.studies.some((study) => study.slices.length > 1);
  return make("section", { className: several ? "card first" : "card", "aria-label": t("studies") }, make("h3", {}, t("studies")),
    make("ul", { className: "studies" }, reading.studies.map((study, number) => {
      const here = number === now.study;
      const title = reading.studies.length > 1
        ? make("button", { type: "button", className: "plain", "aria-current": String(here), on: { click: () => show(study.pooled?.from[0] ?? study.slices[0]) } }, study.title)
        : make("span", {}, study.title);
      return make("li", {}, title, make("strong", {}, study.pooled ? `${labelWords(study.pooled.predicted)} ${percent(study.pooled.confidence)}` : t("study.none")),
        here && study.slices.length > 1 ? pooled(reading, study) : null);
    })),
    several ? make("p", { className: "quiet" }, t("study.why")) : null);
}

/** Which slices a study's answer is the mean of, and why others were not judged. */
function pooled(reading, study) {
  const place = (index) => `#${study.slices.indexOf(index) + 1}`;
  const refused = study.slices.map((index) => reading.slices[index].refusal).filter(Boolean);
  const why = new Map(); // by its first reason, how many
  for (const words of refused.map((all) => reasonWords(all.split("; ")[0].replace(/ \([^)]*\)$/, "")))) why.set(words, (why.get(words) ?? 0) + 1);
  return make("div", { className: "quiet" },
    study.pooled ? t("study.from", { places: study.pooled.from.map(place).join(", ") }) : null,
    refused.length ? make("div", {}, t("study.refused", { n: refused.length, of: study.slices.length }), " ", [...why].sort((a, b) => b[1] - a[1]).map(([words, n]) => `${words.replace(/[.。]$/, "")} (${n})`).join("; ")) : null);
}

function feedback(reading, one, { reader, fail }) {
  const choice = (name, value, words, checked) => make("label", {}, make("input", { type: "radio", name, value, checked }), words);
  const label = make("select", { name: "label", "aria-label": t("label"), hidden: true }, reading.labels.map((name) => make("option", { value: name }, labelWords(name))));
  const note = make("textarea", { name: "note", maxLength: 4000, id: "note" });
  const form = make("form", {}, make("fieldset", {}, make("legend", {}, t("say.title")),
    reading.slices.length > 1 ? make("div", { className: "choice", role: "radiogroup" }, choice("about", "slice", t("say.slice"), true), choice("about", "reading", t("say.reading"))) : null,
    make("div", { className: "choice", role: "radiogroup" }, choice("verdict", "agree", t("say.agree"), true), choice("verdict", "other", t("say.other")), choice("verdict", "note", t("say.note"))),
    label, make("label", { htmlFor: "note" }, t("note")), note,
    make("p", { className: "row" }, make("button", {}, t("say.save")), make("span", { className: "quiet" }))));
  form.addEventListener("change", () => { label.hidden = form.elements.verdict.value !== "other"; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const whole = form.elements.about?.value === "reading";
    const verdict = form.elements.verdict.value;
    const said = { verdict, slice: whole ? null : one.index, label: verdict === "other" ? label.value : "", note: note.value, reader: reader() };
    try {
      const { entry } = await json(`/readings/${reading.id}/feedback`, {
        method: "POST", body: JSON.stringify(said), headers: { "Content-Type": "application/json" },
      });
      form.querySelector(".row .quiet").textContent = t("say.saved", { n: entry });
      say(t("say.saved", { n: entry }));
    } catch (error) {
      fail(error);
    }
  });
  return make("section", { className: "card" }, form);
}

function details(reading, one) {
  const rows = [
    ["file", one.name], ["size", `${one.width} × ${one.height}`], ["digest", one.digest], ["novelty", one.novelty === null ? null : one.novelty.toFixed(3)],
    ...Object.entries(one.facts).map(([key, value]) => [key, String(value)]),
    ["model", `${reading.model.name} (${reading.model.digest.slice(0, 12)}…)`], ["entry", reading.entry], ["who", reading.reader || null],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return make("section", { className: "card" }, make("details", {}, make("summary", {}, t("details")),
    make("dl", { className: "facts" }, rows.flatMap(([key, value]) => [make("dt", {}, t(key)), make("dd", {}, value)]))),
  reading.unreadable.length ? make("details", { open: true }, make("summary", {}, `${t("unreadable")} (${reading.unreadable.length})`),
    make("ul", {}, reading.unreadable.map((bad) => make("li", {}, bad.message)))) : null);
}
