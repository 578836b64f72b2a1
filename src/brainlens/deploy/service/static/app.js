// Owns the page: its sections, language, appearance, and what it says when something goes wrong.

import { json } from "./api.js";
import { $, make, say } from "./dom.js";
import { errorWords, setLanguage, t, translate } from "./words.js";
import * as classify from "./classify.js";
import * as enhance from "./enhance.js";
import * as model from "./model.js";
import * as history from "./history.js";

const SECTIONS = { classify, enhance, style: enhance, model, history };
const LANGUAGE = "brainlens-language";
const THEME = "brainlens-theme";

/** Show what went wrong and what to do next; hidden again by the next success. */
export function fail(error) {
  if (error.name === "AbortError") return;
  const [what, next] = errorWords(error);
  const close = make("button", { type: "button", textContent: t("close"), on: { click: clear } });
  $("alert").replaceChildren(make("p", {}, make("b", {}, /[.。!?]$/.test(what) ? what : `${what}.`), " ", next), close);
  $("alert").hidden = false;
  if (!error.status && !error.code) console.error(error);
}

export function clear() {
  $("alert").hidden = true;
}

async function show() {
  const [name, id] = location.hash.slice(1).split("/");
  const section = SECTIONS[name] ? name : "classify";
  clear();
  for (const key of Object.keys(SECTIONS)) $(key).hidden = key !== section;
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.hash === `#${section}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${t(`tab.${section}`)} – brainlens`;
  await SECTIONS[section].enter?.(id);
}

function speak(name) {
  setLanguage(name);
  localStorage.setItem(LANGUAGE, name);
  $("language").value = name;
  translate();
  for (const part of new Set(Object.values(SECTIONS))) part.spoken?.();
  show().catch(fail);
}

function paint(theme) {
  const dark = theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  localStorage.setItem(THEME, theme);
  $("theme").value = theme;
}

async function start() {
  const preferred = navigator.languages.some((one) => /^zh-(hant|tw|hk|mo)/i.test(one)) && !/^en/i.test(navigator.language);
  paint(localStorage.getItem(THEME) ?? "auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint($("theme").value));
  $("theme").addEventListener("change", () => paint($("theme").value));
  $("language").addEventListener("change", () => speak($("language").value));
  addEventListener("hashchange", () => show().catch(fail));
  setLanguage(localStorage.getItem(LANGUAGE) ?? (preferred ? "zh-Hant" : "en"));
  for (const part of new Set(Object.values(SECTIONS))) part.begin({ fail, clear, say });
  try {
    const about = await json("/model");
    for (const part of new Set(Object.values(SECTIONS))) part.learn?.(about);
  } catch (error) {
    fail(error);
  }
  speak(localStorage.getItem(LANGUAGE) ?? (preferred ? "zh-Hant" : "en"));
  document.documentElement.dataset.ready = "true";
}

start().catch(fail);
