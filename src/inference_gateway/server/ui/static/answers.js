// One answer as it comes: reasoning, text, calls of tools, and how it ended.

import { html, useState } from "./dom.js";
import { many, number, seconds } from "./format.js";
import { resultOf } from "./stream.js";

export function Answer({ turn, reply }) {
  const { answer } = turn;
  const isOpen = turn.state === "open";
  return html`<article class="turn assistant" aria-label="Answer">
    <header><b>Assistant</b> <span class="fine name">${turn.model}</span>${isOpen && html`<span class="working" aria-hidden="true"></span>`}</header>
    ${answer.reasoning && html`<details class="reasoning" open=${isOpen && !answer.text}><summary>Reasoning</summary><p class="said">${answer.reasoning}</p></details>`}
    ${answer.calls.map((call, place) => html`<${Call} key=${place} call=${call} isOver=${!isOpen} />`)}
    ${answer.text && html`<p class="said">${answer.text}</p>`}
    ${!isOpen && !answer.text && !answer.calls.length && turn.state === "whole" && html`<p class="fine">An empty answer.</p>`}
    <${End} turn=${turn} />
    ${reply && html`<${Results} calls=${open(turn)} reply=${reply} />`}
  </article>`;
}

/** Calls that are for whoever asked. */
export function open(turn) {
  return turn.state === "whole" ? turn.answer.calls.filter((call) => resultOf(call) === undefined) : [];
}

function Call({ call, isOver }) {
  const result = resultOf(call);
  const whose = result !== undefined ? "run by the gateway" : isOver ? "for you to run" : "being written";
  return html`<section class="call" aria-label=${`Call of the tool ${call.name}`}>
    <p class="head"><span aria-hidden="true">⚙</span> <b class="name">${call.name}</b> <span class=${`state ${result !== undefined ? "good" : "warn"}`}>${whose}</span></p>
    <pre tabindex="0" aria-label="Arguments"><code>${pretty(call.arguments)}</code></pre>
    ${result !== undefined && html`<p class="fine">Result</p><pre tabindex="0" aria-label="Result"><code>${pretty(String(result))}</code></pre>`}
  </section>`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function End({ turn }) {
  const { answer } = turn;
  const facts = [
    answer.finish && `ended with “${answer.finish}”`,
    turn.first && `first token after ${seconds(turn.first)}`,
    turn.took && `${seconds(turn.took)} in all`,
    answer.usage && `${many(answer.usage.prompt_tokens, "token", "tokens")} in, ${number(answer.usage.completion_tokens)} out`,
  ].filter(Boolean);
  return html`
    ${turn.state === "cut" && html`<p class="wrong" role="alert"><b>▲ Cut.</b> This answer is not whole: ${turn.error}</p>`}
    ${turn.state === "refused" && html`<p class="wrong" role="alert"><b>▲ ${turn.status ? `Error ${turn.status}.` : "No answer."}</b> ${turn.error}</p>`}
    ${turn.state === "stopped" && html`<p class="warning"><b>■ Stopped by you.</b> This answer is not whole.</p>`}
    ${turn.state === "whole" && answer.finish === "length" && html`<p class="warning"><b>■ Out of room.</b> The model stopped at its limit of tokens.</p>`}
    ${turn.state !== "open" && html`<p class="fine facts">${facts.join(" · ")}${turn.requestId && html` · request <code class="name">${turn.requestId}</code>`}</p>`}`;
}

function Results({ calls, reply }) {
  const [texts, setTexts] = useState(calls.map(() => ""));
  const send = (event) => {
    event.preventDefault();
    reply(calls.map((call, place) => ({ role: "tool", tool_call_id: call.id, content: texts[place] })));
  };
  return html`<form class="results" onSubmit=${send}>
    <p class="fine">The model waits for ${calls.length === 1 ? "this tool" : "these tools"}. Say what came of ${calls.length === 1 ? "it" : "them"}:</p>
    ${calls.map((call, place) => html`<label class="field" key=${call.id}><span class="name">${call.name}</span>
      <input type="text" value=${texts[place]} onInput=${(event) => setTexts(texts.toSpliced(place, 1, event.target.value))} /></label>`)}
    <button type="submit">Send results</button></form>`;
}
