// Small things that several sections show.

import { html, useState } from "./dom.js";

/** What went wrong with asking for data. */
export function Trouble({ error }) {
  const text = error.status ? error.message : "The gateway does not answer.";
  return html`<p class="card wrong" role="alert">${text}</p>`;
}

/** Copies a text; says so. */
export function Copy({ text, title }) {
  const [done, setDone] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone("Copied");
    } catch {
      setDone("Not allowed here"); // pages without TLS may not, except on this machine
    }
    setTimeout(() => setDone(""), 2000);
  };
  return html`<button type="button" class="quiet" onClick=${copy} aria-label=${title}><span aria-live="polite">${done || "Copy"}</span></button>`;
}
