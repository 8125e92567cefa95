// A chart with a title, a unit, a legend that says values, and its figures as a table behind it.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { clock } from "./format.js";
import { useTheme } from "./theme.js";

const uPlot = window.uPlot;
const HEIGHT = 170;
const ROWS = 12;
const DASHES = [[], [7, 4], [2, 3]];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Places of values that have no neighbour, and so no line. */
function alone(plot, series) {
  const values = plot.data[series];
  const isAlone = (at) => values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
  return [...values.keys()].filter(isAlone);
}

function options(width, names, format, hovered) {
  const quiet = colour("--quiet");
  const axis = { stroke: quiet, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const font = "12px system-ui, sans-serif";
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 30, 0, 0],
    cursor: { y: false, points: { size: 8 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, font, grid: { show: false }, size: 32, gap: 9, space: 70, values: (_, ticks) => ticks.map((tick) => clock(tick)) },
      { ...axis, font, size: 62, space: 34, values: (_, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [{}, ...names.map((_, place) => ({
      stroke: colour(`--series-${place + 1}`),
      width: 2,
      dash: DASHES[place],
      points: { show: true, size: 5, fill: colour(`--series-${place + 1}`), filter: alone },
      spanGaps: false,
    }))],
    hooks: { setCursor: [(plot) => hovered(plot.cursor.idx ?? null)] },
  };
}

/** @param series `[{ name, values }]`, drawn over `times`; `format` writes a value with its unit. */
export function Chart({ title, unit, times, series, format, empty }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [hover, setHover] = useState(null);
  const dark = useTheme();
  const names = series.map((each) => each.name);
  const has = series.some((each) => each.values.some((value) => value !== null));

  useLayoutEffect(() => {
    const node = place.current;
    if (!has || !node) return undefined;
    const drawn = new uPlot(options(node.clientWidth || 300, names, format, setHover), [times, ...series.map((s) => s.values)], node);
    plot.current = drawn;
    const observer = new ResizeObserver(() => {
      if (node.clientWidth) drawn.setSize({ width: node.clientWidth, height: HEIGHT });
    });
    observer.observe(node);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [has, dark, names.join()]);
  useEffect(() => {
    plot.current?.setData([times, ...series.map((each) => each.values)]);
  });

  const at = hover !== null && hover < times.length ? hover : times.length - 1;
  const values = series.map((each) => `${each.name} ${format(each.values[at] ?? null)}`).join(", ");
  return html`<section class="card chart" aria-label=${title}>
    <header><h3>${title}</h3><span class="unit">${unit}</span>
      <span class="when fine">${hover !== null && times[at] ? clock(times[at]) : has ? "now" : ""}</span></header>
    <ul class="legend">${series.map((each, number) => html`<li key=${each.name}>
      <span class=${`swatch series-${number + 1}`} aria-hidden="true"></span>${each.name}
      <b>${format(each.values[at] ?? null)}</b></li>`)}</ul>
    ${has
      ? html`<div class="plot" ref=${place} role="img" aria-label=${`${title}, now: ${values}`}></div>`
      : html`<p class="empty">${empty}</p>`}
    ${has && html`<details class="behind"><summary>Show as a table</summary>
      <${Table} title=${title} times=${times} series=${series} format=${format} /></details>`}
  </section>`;
}

function Table({ title, times, series, format }) {
  const step = Math.max(1, Math.ceil(times.length / ROWS));
  const rows = times.map((_, number) => number).filter((number) => (times.length - 1 - number) % step === 0).reverse();
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${`${title}, as a table`}><table>
    <caption class="unseen">${title}</caption>
    <thead><tr><th scope="col">Time</th>${series.map((each) => html`<th scope="col" class="number">${each.name}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${times[row]}><th scope="row">${clock(times[row])}</th>
      ${series.map((each) => html`<td class="number">${format(each.values[row])}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}
