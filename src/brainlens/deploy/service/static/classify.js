// Owns the way in: files dropped or chosen, samples, progress; the reading itself is reading.js's.

import { Refused, ask, classify, json } from "./api.js";
import { $, make, say } from "./dom.js";
import { labelWords, t } from "./words.js";
import { Sheet } from "./reading.js";

const READER = "brainlens-reader";
let page = null; // what app.js gives: fail, clear
let sheet = null;
let stop = null;
let about = null;

export const reader = () => $("reader").value.trim();

export function begin(given) {
  page = given;
  $("reader").value = localStorage.getItem(READER) ?? "";
  $("reader").addEventListener("change", () => localStorage.setItem(READER, reader()));
  $("choose").addEventListener("click", () => $("files").click());
  $("choose-folder").addEventListener("click", () => $("folder").click());
  for (const id of ["files", "folder"]) {
    $(id).addEventListener("change", () => {
      const files = [...$(id).files].map((file) => [file, file.webkitRelativePath || file.name]);
      $(id).value = "";
      send(files).catch(page.fail);
    });
  }
  $("cancel").addEventListener("click", () => stop?.abort());
  listen();
  offer().catch(page.fail);
}

export function learn(given) {
  about = given;
}

/** Words changed: say the samples and the open reading anew. */
export function spoken() {
  for (const one of document.querySelectorAll("#samples [data-label]")) one.textContent = labelWords(one.dataset.label);
  sheet?.draw();
}

/** Enter the section; with an id, the reading of the history. */
export async function enter(id) {
  if (!id || sheet?.reading.id === id) return;
  say(t("loading"));
  open(await json(`/readings/${encodeURIComponent(id)}`));
}

function open(reading) {
  $("entry").hidden = true;
  $("working").hidden = true;
  $("result").hidden = false;
  sheet?.close();
  sheet = new Sheet($("result"), reading, { about, again, reader, fail: page.fail });
  sheet.draw();
  say(t("ready", { n: reading.slices.length }));
}

function again() {
  sheet?.close();
  sheet = null;
  $("result").hidden = true;
  $("result").replaceChildren();
  $("entry").hidden = false;
  if (location.hash !== "#classify") location.hash = "#classify";
  $("choose").focus();
}

/** Send files, [File, path] each, and show their reading. */
async function send(files) {
  if (stop) return;
  page.clear();
  if (!files.length) throw new Refused(0, "empty", "", "");
  // A server that turns an upload away half-way looks to a browser as if it were gone.
  const most = about?.limits;
  if (most && (files.length > most.files || files.reduce((sum, [file]) => sum + file.size, 0) > most.upload)) throw new Refused(413, "too-large", "", "");
  const form = new FormData();
  for (const [file, path] of files) form.append("files", file, path);
  form.append("reader", reader());
  const [before, progress] = [$("result").hidden, $("progress")];
  progress.removeAttribute("value");
  $("working-text").textContent = t("sending", { n: files.length });
  $("entry").hidden = true;
  $("result").hidden = true;
  $("working").hidden = false;
  $("cancel").focus();
  stop = new AbortController();
  try {
    const reading = await classify(form, ({ done, of }) => {
      Object.assign(progress, { max: of, value: done });
      $("working-text").textContent = t("judging", { done, of });
    }, stop.signal);
    open(reading);
    window.history.replaceState(null, "", `#classify/${reading.id}`);
    $("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (error) {
    $("entry").hidden = !before;
    $("result").hidden = before;
    page.fail(error);
  } finally {
    $("working").hidden = true;
    stop = null;
  }
}

async function offer() {
  const { samples } = await json("/samples");
  const cases = {}; // of each label the slices of one head
  for (const one of samples) (cases[one.label] ??= []).push(one);
  for (const [label, slices] of Object.entries(cases)) {
    const picture = make("img", { alt: "", width: 104, height: 104 });
    const button = make("button", { type: "button", on: { click: () => sample(label, slices).catch(page.fail) } }, picture,
      make("span", { "data-label": label }, labelWords(label)));
    $("samples").append(make("li", {}, button));
    const middle = slices[Math.floor(slices.length / 2)];
    fetched(middle.name).then((blob) => { picture.src = URL.createObjectURL(blob); }).catch(page.fail);
  }
}

const fetched = async (name) => (await ask(`/samples/${name}`)).blob();

async function sample(label, slices) {
  const blobs = await Promise.all(slices.map((one) => fetched(one.name)));
  await send(blobs.map((blob, n) => [new File([blob], slices[n].name), `sample-${label}/${slices[n].name}`]));
}

/** Dropping works anywhere on the page. */
function listen() {
  let depth = 0;
  const holds = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (shown) => { $("over").hidden = !shown; };
  addEventListener("dragenter", (event) => { if (holds(event)) { depth += 1; over(true); } });
  addEventListener("dragleave", (event) => { if (holds(event)) { depth -= 1; over(depth > 0); } });
  addEventListener("dragover", (event) => { if (holds(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map((file) => [file, file.name]);
    try {
      const files = entries.length ? (await Promise.all(entries.map(walk))).flat() : plain;
      if (location.hash.slice(1).split("/")[0] !== "classify") location.hash = "#classify";
      await send(files);
    } catch (error) {
      page.fail(error);
    }
  });
}

/** The files of a dropped entry, folders opened, as [File, path]. */
async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [[file, entry.fullPath.replace(/^\//, "")]];
  }
  const folder = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => folder.readEntries(done, failed));
    if (!some.length) break;
    found.push(...some);
  }
  const visible = found.filter((one) => !one.name.startsWith("."));
  return (await Promise.all(visible.map(walk))).flat();
}
