// Light or dark: as the system says, until somebody chooses.

import { html, useEffect, useState } from "./dom.js";

const KEPT = "inference-gateway-theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");

let choice = kept();

function kept() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // storage is switched off: a choice lives as long as the page
  }
}

function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

function apply() {
  document.documentElement.dataset.theme = choice || (DARK.matches ? "dark" : "light");
  document.dispatchEvent(new Event("themechange"));
}

/** Once, before anything is drawn. */
export function startTheme() {
  apply();
  DARK.addEventListener("change", apply);
}

/** Something that changes with the theme: what is drawn with its colours is drawn anew. */
export function useTheme() {
  const [dark, setDark] = useState(isDark());
  useEffect(() => {
    const look = () => setDark(isDark());
    document.addEventListener("themechange", look);
    return () => document.removeEventListener("themechange", look);
  }, []);
  return dark;
}

export function ThemeSwitch() {
  const dark = useTheme();
  const turn = () => {
    choice = dark ? "light" : "dark";
    try {
      localStorage.setItem(KEPT, choice);
    } catch {
      // as above
    }
    apply();
  };
  return html`<button type="button" class="quiet icon" onClick=${turn} aria-label=${dark ? "Light theme" : "Dark theme"}
    title=${dark ? "Light theme" : "Dark theme"}><span aria-hidden="true">${dark ? "☀" : "☾"}</span></button>`;
}
