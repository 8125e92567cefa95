// Numbers as people read them. Pure.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** A number in three digits or so. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  if (Math.abs(value) < 10_000) return Math.abs(value) < 100 ? trimmed(value) : WHOLE.format(value);
  return SHORT.format(value);
}

/** A number with little room. */
export function total(value) {
  return Math.abs(value) < 1000 ? number(value) : SHORT.format(value);
}

/** Seconds in the unit that fits. */
export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0 s";
  if (value < 0.001) return `${trimmed(value * 1e6)} µs`;
  if (value < 1) return `${trimmed(value * 1e3)} ms`;
  if (value < 120) return `${trimmed(value)} s`;
  return span(value);
}

/** A long time in two units. */
export function span(value) {
  const units = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => value >= size);
  if (first < 0) return "0 s";
  const [unit, size] = units[first];
  const whole = Math.floor(value / size);
  const next = units[first + 1];
  const rest = next ? Math.floor((value - whole * size) / next[1]) : 0;
  return rest ? `${whole} ${unit} ${rest} ${next[0]}` : `${whole} ${unit}`;
}

/** Bytes in the unit that fits. */
export function bytes(value) {
  if (value < 1000) return `${number(value)} B`;
  return value < 1e6 ? `${trimmed(value / 1e3)} kB` : `${trimmed(value / 1e6)} MB`;
}

/** A share in percent. */
export function percent(part, whole) {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  return share > 0 && share < 0.1 ? "< 0.1 %" : `${trimmed(share)} %`;
}

/** When it was: the time of day, and the day where that is another one; `value` in seconds since 1970. */
export function moment(value) {
  const at = new Date(value * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? clock(value) : `${at.toLocaleDateString("en", { month: "short", day: "numeric" })}, ${clock(value)}`;
}

/** How many of something. */
export function many(count, one, more) {
  return `${number(count)} ${count === 1 ? one : more}`;
}

/** Time of day; `value` in seconds since 1970. */
export function clock(value) {
  return new Date(value * 1000).toLocaleTimeString([], { hour12: false });
}

function trimmed(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
