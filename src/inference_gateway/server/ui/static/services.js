// Whom the gateway speaks to: providers, and servers with tools.

import { html } from "./dom.js";
import { usePolled } from "./api.js";
import { ended, failed } from "./figures.js";
import { Trouble } from "./parts.js";
import { many, moment, number } from "./format.js";

const TONES = { available: "good", unavailable: "bad", connecting: "warn" };

export function Services({ generation, history }) {
  const { value, error } = usePolled("ui/api/services", 5000, { generation });
  const { value: mishaps } = usePolled("ui/api/errors", 5000, { generation });
  const between = history.between(300);
  if (!value) return error ? html`<${Trouble} error=${error} />` : html`<p class="empty">Asking…</p>`;
  return html`
    <${Providers} providers=${value.providers} between=${between} failures=${mishaps?.failures ?? []} />
    ${value.sections.map((section) => html`<${Section} key=${section.title} section=${section} />`)}
    ${value.sections.length === 0 && html`<p class="card note">No tools: set <code>MCP_ENABLED=true</code> and
      ${" "}<code>MCP_SERVERS</code> to offer those of MCP servers to every model, or <code>A2A_ENABLED=true</code> for agents.</p>`}
    <p class="fine">As the worker process sees them that answers this page; each has connections of its own.</p>`;
}

function Providers({ providers, between, failures }) {
  return html`<section aria-labelledby="providers"><h3 id="providers">Providers</h3><ul class="cards">${providers.map((provider) => {
    const asked = { outcomes: between?.providers[provider.id] ?? {} };
    const outcomes = Object.entries(asked.outcomes).filter(([, count]) => count > 0);
    const last = failures.find((each) => each.provider === provider.id);
    return html`<li class="card" key=${provider.id}>
      <header><h4>${provider.name}</h4>${failed(asked) > 0 && html`<span class="state bad">▲ ${number(failed(asked))} of ${number(ended(asked))} failed</span>`}
        <${State} provider=${provider} /></header>
      <p class="fine name">${provider.id}${provider.address ? ` · ${provider.address}` : " · inside the gateway"}</p>
      ${provider.error && html`<p class="wrong">Its models could not be listed: ${provider.error}</p>`}
      <p class="fine">${outcomes.length ? `Last 5 minutes: ${outcomes.map(([name, count]) => `${name.replace("_", " ")} ${number(count)}`).join(", ")}` : "No requests in the last 5 minutes"}</p>
      ${last && html`<p class="fine">Failed last at ${moment(last.at)}: ${last.message || "the provider refused the request"}, request <code class="name">${last.request_id}</code></p>`}
    </li>`;
  })}</ul></section>`;
}

function State({ provider }) {
  if (provider.error) return html`<span class="state bad">models not listed</span>`;
  if (provider.models === null) return html`<span class="state warn">asking</span>`;
  return html`<span class="state good">${many(provider.models, "model", "models")}</span>`;
}

function Section({ section }) {
  const id = section.title.replace(/\W/g, "-").toLowerCase();
  return html`<section aria-labelledby=${id}><h3 id=${id}>${section.title}</h3><ul class="cards">${section.services.map((service, place) => html`
    <li class="card" key=${place}>
      <header><h4>${service.name}</h4><span class=${`state ${TONES[service.state] ?? "warn"}`}>${service.state}</span></header>
      ${service.detail && html`<p class="fine name">${service.detail}</p>`}
      ${service.error && html`<p class="wrong">${service.error}</p>`}
      ${service.tools.length > 0 && html`<details><summary>${many(service.tools.length, "tool or skill", "tools or skills")}</summary>
        <dl class="tools">${service.tools.map((tool) => html`<div key=${tool.name}><dt class="name">${tool.name}</dt><dd class="fine">${tool.description}</dd></div>`)}</dl></details>`}
    </li>`)}</ul></section>`;
}
