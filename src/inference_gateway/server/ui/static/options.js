// What a chat is sent with: the model, and what else there is to choose.

import { html, useState } from "./dom.js";

const OTHER = "\u0000other";

export const DEFAULTS = { model: "", system: "", temperature: "", most: "", tools: "", parsed: false };

/** The request's fields beside messages; throws a sentence where an option cannot be used. */
export function fieldsOf(options) {
  const fields = { model: options.model.trim() };
  if (!fields.model) throw new Error("Choose a model, or write the name of one.");
  if (options.temperature !== "") fields.temperature = Number(options.temperature);
  if (options.most !== "") fields.max_tokens = Number(options.most);
  if (options.tools.trim()) fields.tools = tools(options.tools);
  if (options.parsed) fields.reasoning_format = "parsed";
  return fields;
}

function tools(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`The tools are not JSON: ${error.message}`);
  }
  if (!Array.isArray(value)) throw new Error("The tools must be a JSON list.");
  return value;
}

export function Options({ models, trouble, options, change }) {
  const set = (name) => (event) => change({ ...options, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  return html`<section class="card options" aria-labelledby="options"><h3 id="options">What is sent</h3>
    <${ModelPicker} models=${models} trouble=${trouble} value=${options.model} set=${(model) => change({ ...options, model })} />
    <label class="field">System prompt
      <textarea rows="2" value=${options.system} onInput=${set("system")} placeholder="None"></textarea></label>
    <details><summary>More options</summary>
      <div class="pair"><label class="field">Temperature <input type="number" min="0" max="2" step="0.1" value=${options.temperature} onInput=${set("temperature")} placeholder="Default" /></label>
        <label class="field">Most tokens <input type="number" min="1" step="1" value=${options.most} onInput=${set("most")} placeholder="Default" /></label></div>
      <label class="check"><input type="checkbox" checked=${options.parsed} onChange=${set("parsed")} /> Keep reasoning apart from the answer</label>
      <label class="field">Tools of your own, as a JSON list
        <textarea rows="4" class="name" value=${options.tools} onInput=${set("tools")} spellcheck="false"
          placeholder='[{"type": "function", "function": {"name": "get_weather"}}]'></textarea></label>
    </details></section>`;
}

function ModelPicker({ models, trouble, value, set }) {
  const ids = models.map((model) => model.id);
  const [isOther, setIsOther] = useState(false);
  const shown = isOther || (value && !ids.includes(value)) ? OTHER : value;
  const providers = [...new Set(models.map((model) => model.served_by ?? model.id.split("/")[0]))];
  const choose = (event) => {
    setIsOther(event.target.value === OTHER);
    if (event.target.value !== OTHER) set(event.target.value);
  };
  return html`<div class="field"><label for="model">Model</label>
      <select id="model" value=${shown} onChange=${choose}>
        ${!value && html`<option value="">${models.length ? "Choose one" : "No models are listed"}</option>`}
        ${providers.map((provider) => html`<optgroup key=${provider} label=${provider}>${models
          .filter((model) => (model.served_by ?? model.id.split("/")[0]) === provider)
          .map((model) => html`<option key=${model.id} value=${model.id}>${model.id}</option>`)}</optgroup>`)}
        <option value=${OTHER}>Another model…</option>
      </select></div>
    ${shown === OTHER && html`<label class="field">Its name
      <input type="text" class="name" value=${value} onInput=${(event) => set(event.target.value)} placeholder="provider/model" spellcheck="false" autocapitalize="off" /></label>`}
    ${trouble && html`<p class="wrong">${trouble}</p>`}`;
}
