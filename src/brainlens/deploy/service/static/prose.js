// Owns Markdown as elements: headings, paragraphs, lists, tables, bold, italic, code. Links lead to
// files that a page without the repository has not, so their words alone are shown. Text is always text.

import { make } from "./dom.js";

const MARKS = /\*\*(.+?)\*\*|\*([^*]+)\*|`([^`]+)`|\[([^\]]+)\]\([^)]*\)/g;
const TAGS = [["strong", 1], ["em", 2], ["code", 3]];

function words(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(MARKS)) {
    found.push(text.slice(at, match.index));
    const tag = TAGS.find(([, group]) => match[group]);
    found.push(tag ? make(tag[0], {}, words(match[tag[1]])) : match[4]);
    at = match.index + match[0].length;
  }
  return [...found, text.slice(at)].flat().filter((one) => one !== "");
}

const cells = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(lines) {
  const [head, , ...rows] = lines.map(cells);
  return make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": head.join(", ") }, make("table", {},
    make("thead", {}, make("tr", {}, head.map((cell) => make("th", { scope: "col" }, words(cell))))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, words(cell))))))));
}

/** A block of lines between two blank ones; `base` is the level of its first heading. */
function block(lines, base) {
  const heading = /^(#+) (.*)/.exec(lines[0]);
  if (heading) return make(`h${Math.min(6, base + heading[1].length - 1)}`, {}, words(heading[2]));
  if (lines[0].startsWith("|")) return table(lines);
  if (/^[-*] /.test(lines[0])) {
    const items = lines.join("\n").split(/\n?^[-*] /m).filter(Boolean);
    return make("ul", {}, items.map((item) => make("li", {}, words(item.replace(/\s+/g, " ").trim()))));
  }
  return make("p", {}, words(lines.join(" ")));
}

/** The elements of a Markdown text. */
export function prose(text, base = 3) {
  return text.trim().split(/\n\s*\n/).map((part) => block(part.split("\n"), base));
}
