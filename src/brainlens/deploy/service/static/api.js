// Owns the way to the server: every request, its token, its refusals.

export class Refused extends Error {
  constructor(status, code, message, next) {
    super(message);
    Object.assign(this, { status, code, next });
  }
}

const KEY = "brainlens-token";

async function askToken() {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  field.value = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  if (field.value) sessionStorage.setItem(KEY, field.value.trim());
  return Boolean(field.value);
}

async function refusal(answer) {
  try {
    const { code, message, next } = (await answer.json()).error;
    return new Refused(answer.status, code, message, next);
  } catch {
    return new Refused(answer.status, "fault", `HTTP ${answer.status}`, "");
  }
}

/** A request under api/v1, beside the page wherever a proxy puts it; asks for the token once. */
export async function ask(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(`api/v1${path}`, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "offline", "", "");
  }
  if (answer.ok) return answer;
  const refused = await refusal(answer);
  if (refused.status === 401 && (await askToken())) return ask(path, options);
  throw refused;
}

export const json = async (path, options) => (await ask(path, options)).json();

/** Lines of JSON as they come; the last is the reading. */
export async function classify(form, told, signal) {
  const answer = await ask("/classify", {
    method: "POST", body: form, signal, headers: { Accept: "application/x-ndjson" },
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let reading = null;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.progress) told(event.progress);
      if (event.error) throw new Refused(503, event.error.code, event.error.message, event.error.next);
      if (event.reading) reading = event.reading;
    }
  }
  if (!reading) throw new Refused(0, "offline", "", "");
  return reading;
}

/** Save what the server sends as a file. */
export async function save(path, name) {
  const answer = await ask(path);
  const given = /filename="([\w.-]+)"/.exec(answer.headers.get("Content-Disposition") ?? "");
  saveBlob(await answer.blob(), given?.[1] ?? name);
}

export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
