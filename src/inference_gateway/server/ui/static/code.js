// The code of what was just sent, in tabs.

import { html, useRef, useState } from "./dom.js";
import { Copy } from "./parts.js";

export function Code({ parts }) {
  const [chosen, setChosen] = useState(0);
  const tabs = useRef([]);
  const turn = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (chosen + step + parts.length) % parts.length;
    setChosen(next);
    tabs.current[next].focus();
  };
  const part = parts[chosen];
  return html`<section class="card code" aria-labelledby="code"><header><h3 id="code">The code for it</h3>
      <${Copy} text=${part.code} title=${`Copy the code for ${part.title}`} /></header>
    <div role="tablist" aria-labelledby="code" class="tabs" onKeyDown=${turn}>${parts.map((each, place) => html`
      <button key=${each.title} type="button" role="tab" id=${`code-tab-${place}`} aria-controls="code-text" aria-selected=${place === chosen ? "true" : "false"}
        tabindex=${place === chosen ? 0 : -1} ref=${(node) => { tabs.current[place] = node; }} onClick=${() => setChosen(place)}>${each.title}</button>`)}</div>
    <pre id="code-text" role="tabpanel" tabindex="0" aria-labelledby=${`code-tab-${chosen}`}><code>${part.code}</code></pre>
  </section>`;
}
