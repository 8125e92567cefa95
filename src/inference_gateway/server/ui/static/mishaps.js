// The last requests that did not end well.

import { html, useState } from "./dom.js";
import { usePolled } from "./api.js";
import { moment } from "./format.js";
import { Copy, Trouble } from "./parts.js";

export function Mishaps({ generation }) {
  const { value, error } = usePolled("ui/api/errors", 4000, { generation });
  if (!value) return error ? html`<${Trouble} error=${error} />` : html`<p class="empty">Asking…</p>`;
  return html`<div class="halves">
    <${Listed} id="failures" title="Failed" mishaps=${value.failures}
      none="No request has failed at a provider." note="At a provider, or by the end of the gateway." />
    <${Listed} id="refusals" title="Refused" mishaps=${value.refusals}
      none="No request was refused." note="By the gateway, before a provider was asked." /></div>
    <p class="fine">The newest first, of all worker processes; what people write and models answer is not kept. The log
      has more under the request’s id.</p>`;
}

const FIRST = 10;

function Listed({ id, title, mishaps, none, note }) {
  const [isWhole, setIsWhole] = useState(false);
  const shown = isWhole ? mishaps : mishaps.slice(0, FIRST);
  return html`<section class="card" aria-labelledby=${id}><header><h3 id=${id}>${title}</h3><span class="unit">${note}</span></header>
    ${mishaps.length === 0 ? html`<p class="empty">${none}</p>` : html`<ul class="mishaps">${shown.map((each) => html`
      <li key=${`${each.request_id} ${each.at}`}>
        <p class="head"><time dateTime=${new Date(each.at * 1000).toISOString()}>${moment(each.at)}</time>
          <span class=${`state ${each.outcome === "rejected" ? "warn" : "bad"}`}>${(each.code || each.outcome).replaceAll("_", " ")}</span>
          ${each.status > 0 && html`<span class="fine">status ${each.status}</span>`}
          ${each.model && html`<span class="name">${each.model}</span>`}
          ${each.provider && html`<span class="fine">at ${each.provider}</span>`}</p>
        <p>${each.message || "The provider refused the request."}</p>
        <p class="fine id"><code class="name">${each.request_id || "no id"}</code> <span class="name">${each.path}</span>
          ${each.request_id && html`<${Copy} text=${each.request_id} title=${`Copy the request id ${each.request_id}`} />`}</p>
      </li>`)}</ul>`}
    ${shown.length < mishaps.length && html`<button type="button" class="quiet" onClick=${() => setIsWhole(true)}>Show all ${mishaps.length}</button>`}
  </section>`;
}
