// The request that was just sent, as programs that send it again. Pure. A token is a variable, never itself.

const VARIABLE = "INFERENCE_GATEWAY_TOKEN";
const KNOWN_TO_OPENAI = new Set(["model", "messages", "stream", "stream_options", "temperature", "max_tokens", "tools"]);

/** @returns `[{ title, language, code }]` */
export function snippets(base, body, hasToken) {
  return [
    { title: "curl", code: curl(base, body, hasToken) },
    { title: "Python openai", code: openaiPython(base, body, hasToken) },
    { title: "Python SDK", code: ownPython(base, body, hasToken) },
    { title: "TypeScript", code: typescript(base, body, hasToken) },
  ];
}

function curl(base, body, hasToken) {
  const token = hasToken ? ` \\\n  -H "Authorization: Bearer $${VARIABLE}"` : "";
  return `curl -N ${quoted(`${base}/chat/completions`)} \\\n  -H 'Content-Type: application/json'${token} \\\n  -d ${quoted(JSON.stringify(body, null, 2))}\n`;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function openaiPython(base, body, hasToken) {
  const known = Object.entries(body).filter(([name]) => KNOWN_TO_OPENAI.has(name));
  const more = Object.entries(body).filter(([name]) => !KNOWN_TO_OPENAI.has(name));
  const lines = known.map(([name, value]) => `    ${name}=${python(value, 4)},`);
  if (more.length) lines.push(`    extra_body=${python(Object.fromEntries(more), 4)},`);
  const key = hasToken ? `os.environ["${VARIABLE}"]` : '"unused"';
  return `${hasToken ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${python(base)}, api_key=${key})
stream = client.chat.completions.create(
${lines.join("\n")}
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
print()
`;
}

function ownPython(base, body, hasToken) {
  const { model, messages, stream, ...more } = body;
  const lines = Object.entries({ model, messages, ...more }).map(([name, value]) => `    ${name}=${python(value, 4)},`);
  const token = hasToken ? `, os.environ["${VARIABLE}"]` : "";
  return `${hasToken ? "import os\n\n" : ""}from inference_gateway import InferenceGatewayClient

client = InferenceGatewayClient(${python(base)}${token})
with client.create_chat_completion_stream(
${lines.join("\n")}
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
`;
}

function typescript(base, body, hasToken) {
  const fields = JSON.stringify(body, null, 2);
  const key = hasToken ? `process.env.${VARIABLE}` : '"unused"';
  const isExtended = body.messages.some((each) => each.tool_calls?.some((call) => call.extra_content));
  const isKnown = !isExtended && Object.keys(body).every((name) => KNOWN_TO_OPENAI.has(name));
  const as = isKnown ? "" : " as OpenAI.ChatCompletionCreateParamsStreaming";
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: ${key} });
const stream = await client.chat.completions.create(${fields}${as});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
console.log();
`;
}

/** A JSON value as Python writes it. */
export function python(value, indent = 0) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  const flat = flatPython(value);
  if (flat.length + indent < 90) return flat;
  const deeper = " ".repeat(indent + 4);
  const items = Array.isArray(value)
    ? value.map((each) => `${deeper}${python(each, indent + 4)},`)
    : Object.entries(value).map(([name, each]) => `${deeper}${python(name)}: ${python(each, indent + 4)},`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return `${open}\n${items.join("\n")}\n${" ".repeat(indent)}${close}`;
}

function flatPython(value) {
  if (Array.isArray(value)) return `[${value.map(flatAny).join(", ")}]`;
  return `{${Object.entries(value).map(([name, each]) => `${python(name)}: ${flatAny(each)}`).join(", ")}}`;
}

function flatAny(value) {
  return value !== null && typeof value === "object" ? flatPython(value) : python(value);
}
