// The page: who asks, which section, whether the gateway answers.

import { html, render, useEffect, useRef, useState } from "./dom.js";
import { Refused, VERSION, hasToken, setToken, usePolled } from "./api.js";
import { Chat } from "./chat.js";
import { History } from "./figures.js";
import { Mishaps } from "./mishaps.js";
import { Overview } from "./overview.js";
import { Trouble } from "./parts.js";
import { Services } from "./services.js";
import { Settings } from "./settings.js";
import { ThemeSwitch, startTheme } from "./theme.js";
import { moment } from "./format.js";

const SECTIONS = [
  ["overview", "Overview"],
  ["try", "Try it"],
  ["services", "Services"],
  ["errors", "Errors"],
  ["settings", "Settings"],
];

const OFTEN = 2000;
const SOON = 600; // while processes begin to count, or nobody answers

function useSection() {
  const read = () => SECTIONS.find(([id]) => `#${id}` === location.hash)?.[0] ?? "overview";
  const [section, setSection] = useState(read());
  useEffect(() => {
    const look = () => setSection(read());
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  return section;
}

function App() {
  const section = useSection();
  const [generation, setGeneration] = useState(0);
  const [refusal, setRefusal] = useState("");
  const [restart, setRestart] = useState(0);
  const history = useRef(new History());
  const taken = (status) => {
    if (history.current.add(status)) setRestart(status.now);
  };
  const [every, setEvery] = useState(SOON);
  const { value: status, error } = usePolled("ui/api/status", every, { active: !refusal, generation, taken });
  const isLost = error !== null && !(error instanceof Refused);
  useEffect(() => {
    setEvery(isLost || status?.counted?.since === null ? SOON : OFTEN);
  }, [status, error]);
  useEffect(() => {
    if (error instanceof Refused && error.status === 401) setRefusal(hasToken() ? "This token is not good, or not any more." : "none");
  }, [error]);
  useEffect(() => {
    document.title = `${SECTIONS.find(([id]) => id === section)[1]} · Inference Gateway`;
  }, [section]);
  const enter = (token) => {
    setToken(token);
    setRefusal("");
    setGeneration(generation + 1);
  };
  return html`
    <a class="skip" href="#content" onClick=${(event) => { event.preventDefault(); document.getElementById("content").focus(); }}>Skip to the content</a>
    <${Header} version=${status?.version} state=${stateOf(status, error, refusal)} leave=${hasToken() && !refusal ? () => enter("") : null} />
    ${!refusal && html`<nav aria-label="Sections"><ul>${SECTIONS.map(([id, title]) => html`<li key=${id}>
      <a href=${`#${id}`} aria-current=${id === section ? "page" : undefined}>${title}</a></li>`)}</ul></nav>`}
    <div role="status" class="notices">
      ${isLost && html`<p class="notice bad">The gateway does not answer. Trying again…</p>`}
      ${!isLost && restart > 0 && html`<p class="notice">The gateway was started anew; its figures begin again at ${moment(restart)}.
        <button type="button" class="quiet" onClick=${() => setRestart(0)}>Dismiss</button></p>`}
      ${status && status.page !== VERSION && html`<p class="notice">The gateway has another version of this page.
        <button type="button" class="quiet" onClick=${() => location.reload()}>Load it</button></p>`}
    </div>
    <main id="content" tabindex="-1">
      ${refusal
        ? html`<${Door} refusal=${refusal === "none" ? "" : refusal} enter=${enter} />`
        : html`<${Content} section=${section} status=${status} error=${error} generation=${generation} history=${history.current} origin=${isLost ? null : restart} />`}
    </main>`;
}

function stateOf(status, error, refusal) {
  if (refusal) return ["warn", "locked"];
  if (error) return error instanceof Refused ? ["warn", "not told"] : ["bad", "not answering"];
  return status ? ["good", "live"] : ["warn", "connecting"];
}

function Header({ version, state, leave }) {
  return html`<header class="top">
    <h1><span class="mark" aria-hidden="true"></span>Inference Gateway</h1>
    ${version && html`<span class="fine">${version}</span>`}
    <span class=${`state ${state[0]}`}>${state[1]}</span>
    <span class="grow"></span>
    ${leave && html`<button type="button" class="quiet" onClick=${leave}>Forget token</button>`}
    <${ThemeSwitch} />
  </header>`;
}

function Content({ section, status, error, generation, history, origin }) {
  const title = SECTIONS.find(([id]) => id === section)[1];
  const isRefused = error instanceof Refused && !status;
  return html`<h2 class=${section === "overview" ? "unseen" : ""}>${title}</h2>
    ${section === "overview" && (status ? html`<${Overview} status=${status} history=${history} />` : isRefused ? html`<${Trouble} error=${error} />` : html`<p class="empty">Asking…</p>`)}
    <${Chat} generation=${generation} origin=${origin} hidden=${section !== "try"} />
    ${section === "services" && html`<${Services} generation=${generation} history=${history} />`}
    ${section === "errors" && html`<${Mishaps} generation=${generation} />`}
    ${section === "settings" && html`<${Settings} generation=${generation} />`}`;
}

function Door({ refusal, enter }) {
  const [text, setText] = useState("");
  const input = useRef(null);
  useEffect(() => input.current.focus(), []);
  return html`<form class="card door" onSubmit=${(event) => { event.preventDefault(); enter(text.trim()); }}>
    <h2>Who asks?</h2>
    <p>This gateway wants to know its callers. Give an API key, or a token of its OpenID Connect issuer.</p>
    <label class="field">API key or token
      <input type="password" ref=${input} value=${text} onInput=${(event) => setText(event.target.value)} autocomplete="off" spellcheck="false" required
        aria-describedby="kept" aria-invalid=${refusal ? "true" : undefined} /></label>
    ${refusal && html`<p class="wrong" role="alert">${refusal}</p>`}
    <p class="fine" id="kept">It is kept in this tab until it is closed, and sent to this gateway only.</p>
    <button type="submit" disabled=${!text.trim()}>Continue</button>
  </form>`;
}

startTheme();
render(html`<${App} />`, document.getElementById("app"));
