// What the gateway does at the moment: the tiles, the charts and the tables of the first section.

import { html, useState } from "./dom.js";
import { Chart } from "./charts.js";
import { OUTCOMES, SMOOTH, ended, failed, quantile } from "./figures.js";
import { bytes, many, moment, number, percent, seconds, span, total } from "./format.js";

const WINDOWS = [[60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"]];
const NOTHING = "Nothing to show yet. Send a request, for example in “Try it”.";

const perSecond = (value) => (value === null ? "–" : `${number(value)}/s`);

const CHARTS = [
  {
    title: "Requests", unit: "that ended, per second", format: perSecond,
    series: [
      ["all", (each) => ended(each) / each.seconds],
      ["failed", (each) => failed(each) / each.seconds],
    ],
  },
  {
    title: "Time to the whole answer", unit: "estimated from a histogram", format: seconds,
    series: [
      ["median", (each) => quantile(each.duration, 0.5)],
      ["95 %", (each) => quantile(each.duration, 0.95)],
      ["99 %", (each) => quantile(each.duration, 0.99)],
    ],
  },
  {
    title: "Time to the first token", unit: "of streams, estimated from a histogram", format: seconds,
    series: [
      ["median", (each) => quantile(each.firstToken, 0.5)],
      ["95 %", (each) => quantile(each.firstToken, 0.95)],
    ],
  },
  {
    title: "The gateway’s own time", unit: "waiting for the provider left out, estimated", format: seconds,
    series: [
      ["median", (each) => quantile(each.overhead, 0.5)],
      ["95 %", (each) => quantile(each.overhead, 0.95)],
    ],
  },
  {
    title: "Tokens", unit: "per second, as providers count", format: perSecond,
    series: [
      ["in", (each) => each.input / each.seconds],
      ["out", (each) => each.output / each.seconds],
    ],
  },
  {
    title: "Under way", unit: "at the time", format: number,
    series: [
      ["streams", (each) => each.open.streams],
      ["requests", (each) => each.open.requests],
    ],
  },
];

export function Overview({ status, history }) {
  const [range, setRange] = useState(300);
  const counted = status.counted;
  if (!counted) {
    return html`<p class="card note">Figures are counted where the gateway runs its own server
      (<code>inference-gateway serve</code>), and not under an ASGI server. Everything else is here.</p>`;
  }
  const between = history.between(range);
  const recent = history.between(SMOOTH + 2);
  return html`
    <div class="bar">
      <${Since} counted=${counted} now=${status.now} />
      <div class="field inline"><label for="range">Show the last</label>
        <select id="range" value=${range} onChange=${(event) => setRange(Number(event.target.value))}>
          ${WINDOWS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}
        </select></div>
    </div>
    <${Tiles} between=${between} recent=${recent} open=${counted.figures.open} />
    <div class="charts">${CHARTS.map((chart) => html`<${Drawn} key=${chart.title} chart=${chart} history=${history} range=${range} />`)}</div>
    <div class="halves">
      <${Outcomes} between=${between} />
      <${Models} between=${between} />
    </div>
    <p class="fine">${many(counted.workers, "worker process", "worker processes")},
      ${" "}${many(counted.figures.open.client_connections, "client connection", "client connections")},
      ${" "}${many(counted.figures.open.provider_connections, "connection", "connections")} to providers in use and
      ${" "}${number(counted.figures.open.idle_provider_connections)} idle,
      ${" "}${bytes(counted.figures.open.bytes_in_flight)} waiting for slow clients.
      Charts are averages over ${SMOOTH} seconds.</p>`;
}

function Drawn({ chart, history, range }) {
  const { times, values } = history.series(range, chart.series.map(([, make]) => make));
  const series = chart.series.map(([name], place) => ({ name, values: values[place] }));
  return html`<${Chart} title=${chart.title} unit=${chart.unit} times=${times} series=${series} format=${chart.format} empty=${NOTHING} />`;
}

function Since({ counted, now }) {
  const up = `Up for ${span(Math.max(0, now - counted.started))}.`;
  if (counted.since === null) {
    return html`<p>${up} Beginning to count: ${counted.counting} of ${counted.workers} processes do.</p>`;
  }
  const how = counted.always
    ? ""
    : " While this page is looked at; set TELEMETRY_ENABLED=true to count all the time.";
  return html`<p>${up} Counting since <b>${moment(counted.since)}</b>.${how}</p>`;
}

function Tiles({ between, recent, open }) {
  const all = between ? ended(between) : 0;
  const bad = between ? failed(between) : 0;
  const broken = between ? (between.outcomes.cut ?? 0) + (between.outcomes.stalled ?? 0) : 0;
  const tiles = [
    ["Requests per second", recent ? number(ended(recent) / recent.seconds) : "–", "over the last 10 seconds"],
    ["Streams open", number(open.streams), `${many(open.requests, "request", "requests")} under way`],
    ["Whole answer", between ? seconds(quantile(between.duration, 0.95)) : "–", "95 % are faster"],
    ["First token", between ? seconds(quantile(between.firstToken, 0.95)) : "–", "95 % are faster"],
    ["Gateway’s own time", between ? seconds(quantile(between.overhead, 0.5)) : "–", "half is faster"],
    ["Tokens in / out", between ? `${total(between.input)} / ${total(between.output)}` : "–", "in the time shown"],
    ["Failed", all ? percent(bad, all) : "–", `${number(bad)} of ${many(all, "request", "requests")}`, bad > 0],
    ["Cut or stalled", number(broken), "answers that are not whole", broken > 0],
  ];
  return html`<dl class="tiles">${tiles.map(([title, value, note, alarm]) => html`
    <div class=${alarm ? "tile alarm" : "tile"} key=${title}><dt>${title}</dt>
      <dd class="value">${alarm ? html`<span aria-hidden="true">▲ </span>` : ""}${value}</dd><dd class="fine">${note}</dd></div>`)}</dl>`;
}

function Outcomes({ between }) {
  const all = between ? ended(between) : 0;
  const refused = Object.entries(between?.refused ?? {}).filter(([, count]) => count > 0);
  return html`<section class="card" aria-labelledby="outcomes"><h3 id="outcomes">How requests ended</h3>
    <table class="outcomes"><thead><tr><th scope="col">Outcome</th><th scope="col" class="number">Requests</th>
      <th scope="col" class="number">Share</th></tr></thead>
      <tbody>${OUTCOMES.map((outcome) => {
        const count = between?.outcomes[outcome.id] ?? 0;
        return html`<tr key=${outcome.id} class=${count ? outcome.tone : "none"}>
          <th scope="row"><b>${count && outcome.tone === "bad" ? "▲ " : ""}${outcome.title}</b> <span class="fine">${outcome.meaning}</span></th>
          <td class="number">${number(count)}</td>
          <td class="number"><meter min="0" max="1" value=${all ? count / all : 0} aria-hidden="true"></meter>${" "}${percent(count, all)}</td></tr>`;
      })}</tbody></table>
    ${refused.length > 0 && html`<p class="fine">Refused, of any kind: ${refused.map(([code, count]) => `${code} ${number(count)}`).join(", ")}.</p>`}
  </section>`;
}

function Models({ between }) {
  const models = [...(between?.models ?? [])].sort((a, b) => b.requests - a.requests).slice(0, 12);
  const tools = Object.entries(between?.tools ?? {}).filter(([, count]) => count > 0);
  return html`<section class="card" aria-labelledby="models"><h3 id="models">Models asked</h3>
    ${models.length === 0 ? html`<p class="empty">${NOTHING}</p>` : html`
    <div class="scroll" tabindex="0" role="region" aria-label="Models, as a table"><table><thead><tr><th scope="col">Model</th><th scope="col">Provider</th>
      <th scope="col" class="number">Requests</th><th scope="col" class="number">Tokens in</th><th scope="col" class="number">out</th></tr></thead>
      <tbody>${models.map((each) => html`<tr key=${`${each.provider} ${each.model}`}><th scope="row" class="name wide">${each.model || "–"}</th>
        <td>${each.provider}</td><td class="number">${number(each.requests)}</td>
        <td class="number">${number(each.input)}</td><td class="number">${number(each.output)}</td></tr>`)}</tbody></table></div>`}
    ${tools.length > 0 && html`<p class="fine">Tools called: ${tools.map(([name, count]) => `${name} ${number(count)}`).join(", ")}.</p>`}
  </section>`;
}
