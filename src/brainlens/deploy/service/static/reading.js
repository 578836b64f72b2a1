// Owns one reading on the screen: the viewer with its tools, the strip, and the slice in view.

import { ask, save } from "./api.js";
import { make, percent, say, when } from "./dom.js";
import { current, labelWords, t } from "./words.js";
import { findings } from "./findings.js";
import { Viewer } from "./viewer.js";

const TABLE_TOOLS = [["level", "setLevel"], ["width", "setWidth"], ["zoom", "setZoom"], ["heat", "setHeat"]];

export class Sheet {
  /** `given` has about (the server), again, reader, fail. */
  constructor(place, reading, given) {
    Object.assign(this, { place, reading, given });
    this.path = `/readings/${reading.id}`;
    this.sorted = "suspicion";
    this.opacity = 60;
    this.pictures = new Map(); // thumbnails: object URLs by index
    this.at = this.order()[0];
    this.keys = (event) => this.key(event);
    document.addEventListener("keydown", this.keys);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    for (const url of this.pictures.values()) if (url) URL.revokeObjectURL(url);
  }

  /** The slices' indices as the strip has them. */
  order() {
    const { slices } = this.reading;
    const all = slices.map((one) => one.index);
    if (this.sorted === "place") return all;
    return all.sort((a, b) => (slices[b].suspicion ?? -1) - (slices[a].suspicion ?? -1) || a - b);
  }

  draw() {
    const { reading } = this;
    this.canvas = make("canvas", { tabIndex: 0, role: "img", "aria-label": t("screen") });
    this.caption = make("div", { className: "screen-name" });
    this.nothing = make("p", { className: "screen-none", hidden: true }, t("no.picture"));
    this.screen = make("div", { className: "screen" }, this.canvas, this.caption, this.nothing);
    this.side = make("div", { className: "side" });
    this.strip = make("ol", { className: "strip" });
    const left = make("div", {}, make("div", { className: "card look" }, this.screen, this.tools()));
    if (reading.slices.length > 1) left.append(this.stripCard());
    this.place.replaceChildren(this.top(), make("div", { className: "reading" }, left, this.side));
    this.viewer = new Viewer(this.canvas, { changed: () => this.told(), turned: (step) => this.step(step) });
    this.viewer.stacked = reading.slices.length > 1;
    this.viewer.opacity = this.opacity / 100;
    this.fillStrip();
    this.show(this.at);
  }

  top() {
    const { reading, given } = this;
    const saves = [["save.json", "", "json"], ["save.csv", "/csv", "csv"], ["save.report", `/report?language=${current()}`, "html"]];
    if (given.about?.sr && reading.studies.some((one) => one.kind === "dicom")) saves.push(["save.sr", "/dicom-sr", "dcm"]);
    return make("div", { className: "bar-top" },
      make("h2", {}, reading.name, " ", make("span", { className: "quiet" }, when(reading.at, current()))),
      make("div", { className: "row", role: "group", "aria-label": t("downloads") },
        saves.map(([words, path, ending]) => make("button", {
          type: "button", textContent: t(words),
          on: { click: () => save(this.path + path, `brainlens-${reading.id}.${ending}`).catch(given.fail) },
        })),
        make("button", { type: "button", className: "primary", textContent: t("again"), on: { click: given.again } })));
  }

  tools() {
    this.inputs = {};
    const sliders = TABLE_TOOLS.map(([name, act]) => {
      const shown = make("output", { htmlFor: `tool-${name}` });
      const input = make("input", { type: "range", id: `tool-${name}`, on: { input: () => this[act](Number(input.value)) } });
      this.inputs[name] = { input, shown, box: make("div", {}, make("label", { htmlFor: input.id }, t(name), shown), input) };
      return this.inputs[name].box;
    });
    const tool = (name) => make("button", {
      type: "button", textContent: t(`tool.${name}`), "aria-pressed": String(name === "window"),
      on: { click: (event) => this.take(name, event.currentTarget) },
    });
    this.hands = make("div", { className: "row" }, tool("window"), tool("pan"),
      make("button", { type: "button", textContent: t("reset"), on: { click: () => this.viewer.reset() } }));
    return make("div", {}, make("div", { className: "tools" }, sliders, this.hands), this.heatWords = make("p", { className: "quiet" }, t("heat.why")), make("p", { className: "quiet keys" }, t("keys")));
  }

  stripCard() {
    const choose = (name) => make("button", {
      type: "button", textContent: t(`sort.${name}`), "aria-pressed": String(this.sorted === name),
      on: { click: (event) => {
        this.sorted = name;
        for (const one of event.currentTarget.parentNode.children) one.setAttribute("aria-pressed", String(one === event.currentTarget));
        this.fillStrip();
        this.mark();
      } },
    });
    return make("section", { className: "card slices", "aria-label": t("strip") },
      make("div", { className: "row" }, choose("suspicion"), choose("place"),
        make("button", { type: "button", textContent: t("previous"), on: { click: () => this.step(-1) } }),
        make("button", { type: "button", textContent: t("next"), on: { click: () => this.step(1) } })),
      this.strip);
  }

  fillStrip() {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); this.thumbnail(entry.target); }
    }, { root: null, rootMargin: "200px" });
    this.strip.replaceChildren(...this.order().map((index) => {
      const one = this.reading.slices[index];
      const meter = make("span", { className: "meter" }, make("span"));
      meter.firstChild.style.width = `${100 * (one.suspicion ?? 0)}%`;
      const button = make("button", { type: "button", "data-index": index, title: one.name, on: { click: () => this.show(index) } },
        make("img", { alt: "" }), make("b", {}, this.number(one)),
        make("span", { className: "strip-words" }, one.refusal ? t("refused") : labelWords(one.predicted)),
        make("span", {}, this.suspicion(one)), meter);
      seen.observe(button);
      return make("li", {}, button);
    }));
  }

  /** What the strip is sorted by: the probability of any tumour. */
  suspicion({ suspicion }) {
    if (suspicion === null) return "–";
    return this.given.about?.healthy ? t("strip.any", { p: percent(suspicion) }) : percent(suspicion);
  }

  number(one) {
    const study = this.reading.studies[one.study];
    return study.slices.length > 1 ? `#${study.slices.indexOf(one.index) + 1}` : one.name;
  }

  async thumbnail(button) {
    const index = Number(button.dataset.index);
    if (!this.pictures.has(index)) {
      this.pictures.set(index, null);
      try {
        const blob = await (await ask(`${this.path}/slices/${index}/picture?side=96`)).blob();
        this.pictures.set(index, URL.createObjectURL(blob));
      } catch { /* not kept: the strip shows black */ }
    }
    const url = this.pictures.get(index);
    if (url) button.querySelector("img").src = url;
  }

  async show(index) {
    this.at = index;
    const one = this.reading.slices[index];
    this.side.replaceChildren(...findings(this.reading, one, { ...this.given, show: (n) => this.show(n) }));
    this.mark();
    const of = this.reading.slices.length;
    this.caption.replaceChildren(make("span", {}, one.name), make("span", {}, of > 1 ? t("of", { n: this.order().indexOf(index) + 1, of }) : ""));
    say(one.refusal ? t("refused") : `${labelWords(one.predicted)} ${percent(one.confidence)}`);
    let buffer = null;
    try {
      buffer = await (await ask(`${this.path}/slices/${index}/values`)).arrayBuffer();
    } catch (error) {
      if (error.code !== "not-kept") this.given.fail(error);
    }
    if (this.at !== index) return;
    this.nothing.hidden = Boolean(buffer);
    const { low, high } = one.shown;
    const step = (high - low) / 400 || 1;
    Object.assign(this.inputs.level.input, { min: low, max: high, step });
    Object.assign(this.inputs.width.input, { min: step, max: Math.max(step, high - low), step });
    Object.assign(this.inputs.zoom.input, { min: 0.5, max: 12, step: 0.1 });
    Object.assign(this.inputs.heat.input, { min: 0, max: 100, step: 5, value: this.opacity });
    this.inputs.heat.box.hidden = !one.heat;
    this.heatWords.hidden = !one.heat;
    this.viewer.show(one, buffer);
  }

  mark() {
    this.strip.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const button = this.strip.querySelector(`[data-index="${this.at}"]`);
    button?.setAttribute("aria-current", "true");
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** The tools show what the screen shows. */
  told() {
    const { viewer, inputs } = this;
    if (!viewer?.slice) return;
    const whole = viewer.slice.shown.high - viewer.slice.shown.low > 20;
    const number = (v) => v.toLocaleString(undefined, { maximumFractionDigits: whole ? 0 : 3 });
    for (const [name, value, text] of [
      ["level", viewer.level, number(viewer.level)], ["width", viewer.width, number(viewer.width)],
      ["zoom", viewer.zoom, `${viewer.zoom.toFixed(1)} ×`], ["heat", this.opacity, `${this.opacity} %`],
    ]) {
      inputs[name].input.value = value;
      inputs[name].input.setAttribute("aria-valuetext", text);
      inputs[name].shown.textContent = text;
    }
  }

  setLevel(value) { this.viewer.setWindow(value, this.viewer.width); this.told(); }
  setWidth(value) { this.viewer.setWindow(this.viewer.level, value); this.told(); }
  setZoom(value) { this.viewer.setZoom(value); }
  setHeat(value) { this.opacity = value; this.viewer.setOpacity(value / 100); this.told(); }

  take(name, button) {
    this.viewer.tool = name;
    this.screen.classList.toggle("pan", name === "pan");
    for (const one of this.hands.querySelectorAll("[aria-pressed]")) one.setAttribute("aria-pressed", String(one === button));
  }

  step(by) {
    const order = this.order();
    const next = order[order.indexOf(this.at) + by];
    if (next !== undefined) this.show(next);
  }

  key(event) {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !this.place.offsetParent) return;
    const acts = {
      ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), "0": () => this.viewer.reset(),
      "+": () => this.viewer.setZoom(this.viewer.zoom * 1.2), "=": () => this.viewer.setZoom(this.viewer.zoom * 1.2),
      "-": () => this.viewer.setZoom(this.viewer.zoom / 1.2), h: () => this.setHeat(this.opacity ? 0 : 60),
    };
    const act = acts[event.key] ?? acts[event.key.toLowerCase()];
    if (act) { event.preventDefault(); act(); }
  }
}
