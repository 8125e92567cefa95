// A chat stream read and put together. An answer is whole only if the stream says so.

import { said } from "./api.js";

/** Data of each event, as it comes. */
export async function* events(response) {
  // Decoded here: what waits between two streams is lost when the connection breaks, and with it the reason.
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      if (data.length) yield data.join("\n");
    }
  }
}

/** An answer before anything came of it. */
export function nothing() {
  return { text: "", reasoning: "", calls: [], finish: "", usage: null, isDone: false, error: "" };
}

/** The answer with one more event in it. */
export function withEvent(answer, data) {
  if (data === "[DONE]") return { ...answer, isDone: true };
  const event = JSON.parse(data);
  if (event.error) return { ...answer, error: said(data) };
  const choice = event.choices?.[0];
  const delta = choice?.delta ?? {};
  return {
    ...answer,
    text: answer.text + (delta.content ?? ""),
    reasoning: answer.reasoning + (delta.reasoning_content ?? delta.reasoning ?? ""),
    calls: (delta.tool_calls ?? []).reduce(withCall, answer.calls),
    finish: choice?.finish_reason ?? answer.finish,
    usage: event.usage ?? answer.usage,
  };
}

function withCall(calls, piece) {
  // Not every provider begins to number them at 0.
  const index = piece.index ?? calls.length;
  const found = calls.findIndex((each) => each.index === index);
  const place = found < 0 ? calls.length : found;
  const old = calls[place] ?? { id: "", name: "", arguments: "", extra: null };
  const call = {
    index,
    id: piece.id || old.id,
    name: piece.function?.name || old.name,
    arguments: old.arguments + (piece.function?.arguments ?? ""),
    extra: piece.extra_content ? { ...old.extra, ...piece.extra_content } : old.extra,
  };
  return calls.toSpliced(place, 1, call);
}

/** What the gateway's own tool returned for a call; undefined where it is not the gateway's. */
export function resultOf(call) {
  return call.extra?.gateway?.result;
}

/** The answer as a message of the conversation. */
export function asMessage(answer) {
  const message = { role: "assistant", content: answer.text };
  if (answer.calls.length) {
    message.tool_calls = answer.calls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: call.arguments },
      ...(call.extra ? { extra_content: call.extra } : {}),
    }));
  }
  return message;
}
