// How the page asks its gateway, and nobody else. The token is kept for this tab, and goes into a header only.

import { useEffect, useState } from "./dom.js";

/** Where the gateway is: this file is at ui/static/<version>/ below it, whatever stands before. */
export const ROOT = new URL("../../../", import.meta.url);
/** Which version of the page this is. */
export const VERSION = import.meta.url.split("/").at(-2);
const KEPT = "inference-gateway-token";
const PATIENCE = 10_000;
const SELDOM = 60_000; // where this key will not be told, however often it asks

let token = kept();

function kept() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // storage is switched off: the token lives as long as the page
  }
}

export function hasToken() {
  return token !== "";
}

export function setToken(text) {
  token = text;
  try {
    if (text) sessionStorage.setItem(KEPT, text);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // as above
  }
}

/** An answer that is an error, in the gateway's words. */
export class Refused extends Error {
  constructor(status, message, requestId) {
    super(message);
    this.status = status;
    this.requestId = requestId;
  }
}

/** Ask for a path of the gateway; rejects with `Refused` where the answer is an error. */
export async function ask(path, { body, signal } = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(new URL(path, ROOT), {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
  });
  if (!response.ok) throw await refused(response);
  return response;
}

async function refused(response) {
  const text = await response.text();
  return new Refused(response.status, said(text) || response.statusText, response.headers.get("x-request-id"));
}

/** The sentence in an error's body, whoever wrote it. */
export function said(text) {
  try {
    const { error } = JSON.parse(text);
    if (typeof error === "string") return error;
    return typeof error?.message === "string" ? error.message : text.slice(0, 500);
  } catch {
    return text.slice(0, 500);
  }
}

/** Ask for JSON again and again while the tab is seen. Returns what came last, and what is wrong now. */
export function usePolled(path, every, { active = true, generation = 0, taken } = {}) {
  const [state, setState] = useState({ value: null, error: null });
  useEffect(() => {
    if (!active) return undefined;
    let timer = null;
    let over = false;
    let asking = false;
    const look = async () => {
      if (over || asking || document.hidden) return;
      asking = true;
      clearTimeout(timer);
      let next = every;
      try {
        const response = await ask(path, { signal: AbortSignal.timeout(PATIENCE) });
        const value = await response.json();
        taken?.(value);
        if (!over) setState({ value, error: null });
      } catch (error) {
        if (error.status === 403) next = SELDOM;
        if (!over) setState((before) => ({ value: before.value, error }));
      }
      asking = false;
      if (!over) timer = setTimeout(look, next);
    };
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [path, every, active, generation]);
  return state;
}
