/** Text as the server counts it (Unicode code points), and values as people read them. */

/** The UTF-16 index of the `count`-th code point from index `start`; the end of the text when it is shorter. */
export function codePointIndex(text, count, start = 0) {
  let index = start;
  for (let left = count; left > 0 && index < text.length; left -= 1) {
    index += text.codePointAt(index) > 0xffff ? 2 : 1;
  }
  return index;
}

export function countCodePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** As `domain.text.is_table_row`: `Day: Monday; Hours: closed.` */
export function isTableRow(text) {
  return /^[^:;.?!]+: [^;]*(?:; [^:;]+: [^;]*)+$/.test(text);
}

/** [before, quote, after] around the code points start..end. */
export function cut(text, start, end) {
  const from = codePointIndex(text, start);
  const to = codePointIndex(text, end - start, from);
  return [text.slice(0, from), text.slice(from, to), text.slice(to)];
}

/** Hex SHA-256 of the UTF-8 text; null where the browser offers no cryptography (plain HTTP on a network). */
export async function sha256Hex(text) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const NUMBER = new Intl.NumberFormat("en");

export function formatNumber(value) {
  return NUMBER.format(value);
}

/** plural(1, "passage") is "1 passage", plural(2, "passage") is "2 passages". */
export function plural(count, noun) {
  return `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function formatBytes(bytes) {
  if (bytes < 1000) return plural(bytes, "byte");
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

export function formatSeconds(milliseconds) {
  return milliseconds < 950 ? `${(milliseconds / 1000).toFixed(2)} s` : `${(milliseconds / 1000).toFixed(1)} s`;
}

const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

export function formatAgo(isoTime, now = Date.now()) {
  const seconds = (Date.parse(isoTime) - now) / 1000;
  if (seconds > -45) return "just now";
  if (seconds > -3600) return AGO.format(Math.round(seconds / 60), "minute");
  if (seconds > -86400) return AGO.format(Math.round(seconds / 3600), "hour");
  if (seconds > -86400 * 30) return AGO.format(Math.round(seconds / 86400), "day");
  return new Date(isoTime).toLocaleDateString();
}
