// Owns enlarging and style: a form in, before and after under one slider out.

import { json, saveBlob } from "./api.js";
import { $, make, say } from "./dom.js";
import { t } from "./words.js";

let page = null;
const shown = new Map(); // by form: puts its result on the page, in the page's language

export function begin(given) {
  page = given;
  listen("enhance", "enhance.working", (done) => [
    make("p", {}, t("enhance.done", { w: done.width, h: done.height, method: done.method })),
    typeof done.psnr === "number" ? make("p", {}, make("strong", {}, t("psnr", { a: done.psnr.toFixed(2), b: done.bicubic_psnr.toFixed(2), c: done.ssim.toFixed(4) }))) : null,
  ], "mark.short");
  listen("style", "style.working", (done) => [make("p", {}, t("style.by", { name: done.method }))], "style.short");
  $("method").addEventListener("change", limit);
}

export function learn(about) {
  $("method").replaceChildren(...about.methods.map((name) => make("option", { value: name }, name)));
  limit();
  $("enhance-missing").hidden = about.methods.includes("esrgan");
  $("style-missing").hidden = about.styles;
  $("style-form").hidden = !about.styles;
}

/** Words changed: say the results anew. */
export function spoken() {
  for (const show of shown.values()) show();
}

/** A network enlarges 4 times, the classics as asked. */
function limit() {
  const fixed = $("method").value === "esrgan";
  if (fixed) $("scale").value = "4";
  for (const option of $("scale").options) option.disabled = fixed && option.value !== "4";
}

function listen(name, working, told, mark) {
  const [form, result] = [$(`${name}-form`), $(`${name}-result`)];
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    page.clear();
    const given = new FormData(form);
    for (const [key, value] of [...given]) if (value instanceof File && !value.size) given.delete(key);
    const button = form.querySelector("button");
    button.disabled = true;
    result.replaceChildren(make("p", { className: "quiet" }, t(working)), make("progress", { "aria-label": t(working) }));
    say(t(working));
    try {
      const done = await json(`/${name}`, { method: "POST", body: given });
      shown.set(name, () => result.replaceChildren(...told(done).filter(Boolean), slider(done, name, t(mark)), keep(done, name)));
      shown.get(name)();
      say(result.textContent);
    } catch (error) {
      shown.delete(name);
      result.replaceChildren();
      page.fail(error);
    } finally {
      button.disabled = false;
    }
  });
}

function slider(done, name, mark) {
  const after = make("img", { alt: "", src: `data:image/png;base64,${done.picture}` });
  const coarse = name === "enhance"; // its own pixels are to be seen
  const before = make("img", { alt: "", className: coarse ? "over-half coarse" : "over-half", src: `data:image/png;base64,${done.before}` });
  const edge = make("div", { className: "edge" });
  const input = make("input", { type: "range", min: 0, max: 100, value: 50, id: `split-${done.method}` });
  const cut = () => {
    before.style.clipPath = `inset(0 ${100 - input.value}% 0 0)`;
    edge.style.left = `${input.value}%`;
  };
  input.addEventListener("input", cut);
  cut();
  return make("div", { className: "split" }, make("label", { htmlFor: input.id }, t("before")), input,
    make("div", { className: "compare" }, after, before, edge, make("span", { className: "mark" }, mark)));
}

function keep(done, name) {
  const act = () => saveBlob(new Blob([Uint8Array.from(atob(done.picture), (c) => c.charCodeAt(0))], { type: "image/png" }), `brainlens-${name}-${done.method}.png`);
  return make("p", {}, make("button", { type: "button", textContent: t("save.png"), on: { click: act } }));
}
