// Every setting in effect; the server has masked what is secret.

import { html, useState } from "./dom.js";
import { usePolled } from "./api.js";
import { Trouble } from "./parts.js";

export function Settings({ generation }) {
  const { value, error } = usePolled("ui/api/settings", 60_000, { generation });
  const [wanted, setWanted] = useState("");
  const [onlySet, setOnlySet] = useState(false);
  if (!value) return error ? html`<${Trouble} error=${error} />` : html`<p class="empty">Asking…</p>`;
  const shown = value.settings.filter((row) =>
    (!onlySet || row.source !== "default") && `${row.name} ${row.value}`.toLowerCase().includes(wanted.toLowerCase()));
  return html`<section class="card" aria-labelledby="in-effect"><header><h3 id="in-effect">In effect</h3>
      <span class="unit" aria-live="polite">${shown.length} of ${value.settings.length}; secrets are masked</span></header>
    <div class="bar"><label class="field">Find <input type="search" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${onlySet} onChange=${(event) => setOnlySet(event.target.checked)} /> Only what is not the default</label></div>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Settings, as a table"><table><thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Source</th></tr></thead>
      <tbody>${shown.map((row) => html`<tr key=${row.name} class=${row.source === "default" ? "none" : ""}>
        <th scope="row"><code>${row.name}</code></th><td class="name">${row.value || "–"}</td><td class="short">${row.source}</td></tr>`)}</tbody></table></div>
  </section>`;
}
