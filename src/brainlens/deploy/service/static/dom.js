// Owns making elements: text is always text, whatever a file name or a header holds.

export const $ = (id) => document.getElementById(id);

/** An element with properties, attributes (names with a dash, or role, for, class) and children. */
export function make(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (key in node && !key.includes("-")) node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

/** Say something to a screen reader, without a word on the screen. */
export function say(text) {
  $("status").textContent = text;
}

/** A moment, with the month in letters: 3/4 is two days. */
export const when = (at, language) => new Date(at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });

export const percent = (p) => (p === null ? "–" : `${(100 * p).toFixed(1)} %`);
