// The chat to try the gateway with. It says what is sent, and shows what comes as it comes, and how it ends.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./dom.js";
import { Answer, open } from "./answers.js";
import { ROOT, Refused, ask, hasToken } from "./api.js";
import { Code } from "./code.js";
import { DEFAULTS, Options, fieldsOf } from "./options.js";
import { snippets } from "./snippets.js";
import { asMessage, events, nothing, withEvent } from "./stream.js";

const REDRAWN = 40;
const PATIENCE = 3000;
const BROKE_OFF = "the connection broke off";
const BASE = new URL("v1", ROOT).href;
const TRIALS = [
  ["A whole answer", "mock/echo", "Hello, gateway! Say this again, word by word."],
  ["A slow stream", "mock/lab:tokens=60,tokens_per_second=12", "Take your time."],
  ["A provider that breaks off", "mock/lab:tokens=40,tokens_per_second=20,cut_after_events=12", "What happens when you break off?"],
  ["A provider that is down", "mock/lab:status=503", "Are you there?"],
  ["A call of a tool", "mock/tools", '[[{"name": "get_weather", "arguments": {"city": "Paris"}}], "Thank you."]'],
];

/** @param origin changes with the process that answers; null while none does. */
export function Chat({ generation, origin, hidden }) {
  const { models, trouble } = useModels(!hidden && origin !== null, [generation, origin]);
  const [options, setOptions] = useState(DEFAULTS);
  const [turns, setTurns] = useState([]);
  const [draft, setDraft] = useState("");
  const [problem, setProblem] = useState("");
  const [sent, setSent] = useState(null);
  const under = useRef(null);
  const input = useRef(null);
  const isBusy = turns.at(-1)?.state === "open";
  const usable = options.model ? options : { ...options, model: models[0]?.id ?? "" };

  const send = async (added, chosen = usable) => {
    let fields;
    try {
      fields = fieldsOf(chosen);
    } catch (error) {
      setProblem(error.message);
      return;
    }
    setProblem("");
    const asked = [...turns, ...added];
    const messages = messagesOf(asked, chosen.system);
    const body = { ...fields, messages, stream: true, stream_options: { include_usage: true } };
    setSent(body);
    under.current = new AbortController();
    const show = (turn) => setTurns([...asked, turn]);
    await answered(body, under.current.signal, show);
    input.current?.focus({ preventScroll: true });
  };
  const say = (text, chosen) => {
    if (!text.trim() || isBusy) return;
    setDraft("");
    send([{ role: "user", content: text }], chosen);
  };
  const waiting = turns.length > 0 && open(turns.at(-1)).length > 0;
  const parts = useMemo(() => sent && snippets(BASE, sent, hasToken()), [sent]);
  const tryIt = (model, text) => {
    const chosen = { ...usable, model };
    setOptions(chosen);
    say(text, chosen);
  };

  return html`<div class="chat" hidden=${hidden}>
    <section class="card talk" aria-labelledby="talk"><header><h3 id="talk">Conversation</h3>
        <button type="button" class="quiet" disabled=${!turns.length || isBusy} onClick=${() => { setTurns([]); setSent(null); }}>New conversation</button></header>
      <${Transcript} turns=${turns} reply=${waiting ? send : null}>
        <${Trials} models=${models} tryIt=${tryIt} /></${Transcript}>
      <p class="unseen" role="status">${spoken(turns.at(-1))}</p>
      <form class="composer" onSubmit=${(event) => { event.preventDefault(); say(draft); }}>
        <label class="unseen" for="message">Message</label>
        <textarea id="message" ref=${input} rows="2" value=${draft} placeholder="Write a message. Enter sends it, Shift+Enter begins a line."
          onInput=${(event) => setDraft(event.target.value)} onKeyDown=${(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
              event.preventDefault();
              say(draft);
            }
          }}></textarea>
        ${isBusy
          ? html`<button key="stop" type="button" class="stop" onClick=${() => under.current.abort()}>Stop</button>`
          : html`<button key="send" type="submit" disabled=${!draft.trim()}>Send</button>`}
      </form>
      ${problem && html`<p class="wrong" role="alert">${problem}</p>`}
    </section>
    <div class="beside"><${Options} models=${models} trouble=${trouble} options=${usable} change=${setOptions} />
      ${parts ? html`<${Code} parts=${parts} />` : html`<p class="card note">Once something was sent, the <code>curl</code>, Python and TypeScript code for it stands here.</p>`}</div>
  </div>`;
}

/** What can be chosen: asked for whenever the chat comes into view, as it may have changed. */
function useModels(isWanted, changes) {
  const [found, setFound] = useState({ models: [], trouble: "" });
  useEffect(() => {
    if (!isWanted) return undefined;
    const over = new AbortController();
    (async () => {
      try {
        const response = await ask("v1/models", { signal: over.signal });
        const { data } = await response.json();
        setFound({ models: data, trouble: "" });
      } catch (error) {
        if (!over.signal.aborted) setFound((before) => ({ ...before, trouble: `The models could not be listed: ${error.message}` }));
      }
    })();
    return () => over.abort();
  }, [isWanted, ...changes]);
  return found;
}

/** What goes into the request: answers that brought nothing are left out, with what they answered. */
function messagesOf(turns, system) {
  const messages = system.trim() ? [{ role: "system", content: system }] : [];
  turns.forEach((turn, place) => {
    const next = turns[place + 1];
    const isEmpty = (each) => each?.answer && each.state !== "whole" && !each.answer.text;
    if (turn.answer) {
      if (!isEmpty(turn)) messages.push(asMessage(turn.answer));
    } else if (!isEmpty(next)) {
      messages.push(turn);
    }
  });
  return messages;
}

/** Ask, and show each state of the answer until it has ended. */
async function answered(body, signal, show) {
  const began = performance.now();
  const since = () => (performance.now() - began) / 1000;
  let turn = { model: body.model, answer: nothing(), state: "open", requestId: "", first: 0 };
  let timer = null;
  const later = () => {
    timer ??= setTimeout(() => { timer = null; show(turn); }, REDRAWN);
  };
  show(turn);
  try {
    const response = await ask("v1/chat/completions", { body, signal });
    turn = { ...turn, requestId: response.headers.get("x-request-id") ?? "" };
    for await (const data of events(response)) {
      turn = { ...turn, first: turn.first || since(), answer: withEvent(turn.answer, data) };
      later();
    }
    turn = ending(turn);
  } catch (error) {
    turn = await failed(turn, error, signal.aborted);
  }
  clearTimeout(timer);
  show({ ...turn, took: since() });
}

function ending(turn) {
  if (turn.answer.error) return { ...turn, state: "cut", error: turn.answer.error };
  if (!turn.answer.isDone) return { ...turn, state: "cut", error: "the stream ended before the answer did" };
  return { ...turn, state: "whole" };
}

async function failed(turn, error, isStopped) {
  if (isStopped) return { ...turn, state: "stopped" };
  if (error instanceof Refused) {
    return { ...turn, state: "refused", status: error.status, error: error.message, requestId: error.requestId ?? "" };
  }
  if (!turn.requestId) return { ...turn, state: "refused", error: "The gateway does not answer." };
  return { ...turn, state: "cut", error: turn.answer.error || (await reason(turn.requestId)) };
}

/** Why a stream broke off. Its last event said so, but a browser may drop that with the connection. */
async function reason(requestId) {
  try {
    const response = await ask("ui/api/errors", { signal: AbortSignal.timeout(PATIENCE) });
    const { failures } = await response.json();
    return failures.find((each) => each.request_id === requestId)?.message || BROKE_OFF;
  } catch {
    return BROKE_OFF; // not for this token, or the gateway is gone
  }
}

function spoken(turn) {
  const words = {
    open: "The answer is being written.",
    whole: "The answer is complete.",
    cut: "The answer was cut.",
    refused: "The request failed.",
    stopped: "Stopped.",
  };
  return words[turn?.state] ?? "";
}

function Transcript({ turns, reply, children }) {
  const place = useRef(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (isAtEnd.current) place.current.scrollTop = place.current.scrollHeight;
  }, [turns]);
  const look = ({ target }) => {
    isAtEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 60;
  };
  return html`<div class="transcript" ref=${place} onScroll=${look} tabindex="0" role="region" aria-label="Messages">
    ${turns.length === 0 && children}
    ${turns.map((turn, number) => turn.answer
      ? html`<${Answer} key=${number} turn=${turn} reply=${number === turns.length - 1 ? reply : null} />`
      : html`<article key=${number} class=${`turn ${turn.role}`} aria-label=${turn.role === "tool" ? "Result of a tool" : "Your message"}>
          <header><b>${turn.role === "tool" ? "Result of a tool" : "You"}</b></header><p class="said">${turn.content}</p></article>`)}
  </div>`;
}

function Trials({ models, tryIt }) {
  const hasMock = models.some((model) => model.id.startsWith("mock/"));
  return html`<div class="empty"><p>${models.length ? "Say something to a model." : "No model is listed yet."}</p>
    ${hasMock && html`<p>The built-in provider answers without a key, and breaks on purpose. Try:</p>
      <div class="trials">${TRIALS.map(([title, model, text]) => html`<button key=${title} type="button" class="quiet" onClick=${() => tryIt(model, text)}>${title}</button>`)}</div>`}</div>`;
}
