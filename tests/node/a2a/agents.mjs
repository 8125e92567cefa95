// Agents on loopback, built on the official SDK for JavaScript. Prints `ready <base URL>`.
// `/new` speaks A2A 1.0, `/old` A2A 0.3 alone. What they do is the first word of the message: `shout`, `talk`,
// `ask`, `wait`, `mixed`, `fail`, `login`. `GET /waiting` and `GET /cancelled` list tasks that wait, or waited.
import { randomUUID } from 'node:crypto';
import express from 'express';
import { Role, TaskState } from '@a2a-js/sdk';
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server';
import { agentCardHandler, jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express';

const cancelled = [];
const waiting = new Map();
const PIXEL = Buffer.from('89504e470d0a1a0a', 'hex');

const piece = ($case, value, mediaType = '', filename = '') => ({
  content: { $case, value }, metadata: undefined, filename, mediaType,
});

class Speaker {
  constructor(context, bus) {
    Object.assign(this, { bus, taskId: context.taskId, contextId: context.contextId, before: context.task });
  }

  message(text) {
    const { taskId, contextId } = this;
    return {
      messageId: randomUUID(), contextId, taskId, role: Role.ROLE_AGENT, parts: [piece('text', text)],
      metadata: undefined, extensions: [], referenceTaskIds: [],
    };
  }

  begin(message) {
    this.bus.publish(AgentEvent.task(this.before ?? {
      id: this.taskId, contextId: this.contextId, artifacts: [], history: [message], metadata: {},
      status: { state: TaskState.TASK_STATE_SUBMITTED, timestamp: new Date().toISOString(), message: undefined },
    }));
    this.status(TaskState.TASK_STATE_WORKING);
  }

  status(state, text) {
    this.bus.publish(AgentEvent.statusUpdate({
      taskId: this.taskId, contextId: this.contextId, metadata: {},
      status: { state, message: text ? this.message(text) : undefined, timestamp: new Date().toISOString() },
    }));
  }

  artifact(parts, { append = false, lastChunk = true } = {}) {
    this.bus.publish(AgentEvent.artifactUpdate({
      taskId: this.taskId, contextId: this.contextId, append, lastChunk, metadata: {},
      artifact: {
        artifactId: 'made', name: 'made', description: '', parts, metadata: undefined, extensions: [],
      },
    }));
  }
}

const ACTS = {
  async shout(speaker, rest) {
    const half = Math.ceil(rest.length / 2);
    speaker.artifact([piece('text', rest.slice(0, half).toUpperCase())], { lastChunk: false });
    speaker.artifact([piece('text', rest.slice(half).toUpperCase())], { append: true });
    speaker.status(TaskState.TASK_STATE_COMPLETED);
  },
  async ask(speaker, rest) {
    if (!speaker.before) return speaker.status(TaskState.TASK_STATE_INPUT_REQUIRED, 'Which one?');
    speaker.artifact([piece('text', `chosen: ${rest}`)]);
    return speaker.status(TaskState.TASK_STATE_COMPLETED);
  },
  async wait(speaker) {
    await new Promise((over) => waiting.set(speaker.taskId, over));
    cancelled.push(speaker.taskId);
    speaker.status(TaskState.TASK_STATE_CANCELED);
  },
  async mixed(speaker) {
    speaker.artifact([
      piece('text', 'words'),
      piece('data', { answer: 42 }),
      piece('raw', Buffer.from('a,b\n1,2\n'), 'text/csv', 'table.csv'),
      piece('raw', PIXEL, 'image/png', 'pixel.png'),
      piece('raw', Buffer.from([0, 1, 2]), 'application/octet-stream', 'blob.bin'),
      piece('url', 'https://example.com/report.pdf', 'application/pdf', 'report.pdf'),
    ]);
    speaker.status(TaskState.TASK_STATE_COMPLETED);
  },
  async fail(speaker) {
    speaker.status(TaskState.TASK_STATE_FAILED, 'I cannot do that.');
  },
  async login(speaker) {
    speaker.status(TaskState.TASK_STATE_AUTH_REQUIRED, 'Who are you?');
  },
};

const executor = {
  async execute(context, bus) {
    const said = context.userMessage.parts.map((part) => part.content?.value ?? '').join('');
    const [word, ...rest] = said.split(' ');
    const speaker = new Speaker(context, bus);
    if (word === 'talk') {
      bus.publish(AgentEvent.message(speaker.message(rest.join(' '))));
    } else {
      speaker.begin(context.userMessage);
      await (ACTS[word] ?? ACTS.shout)(speaker, rest.join(' '));
    }
    bus.finished();
  },
  async cancelTask(taskId) {
    waiting.get(taskId)?.();
  },
};

function card(url, name, protocolVersion, streaming) {
  return {
    name, description: 'Says it louder.', version: '1.0.0',
    supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', tenant: '', protocolVersion }],
    capabilities: { streaming, pushNotifications: false, extensions: [], extendedAgentCard: false },
    defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    provider: undefined, securitySchemes: {}, securityRequirements: [], signatures: [],
    skills: [{
      id: 'shout', name: 'Shout', description: 'Louder.', tags: ['text'], examples: [], inputModes: [],
      outputModes: [], securityRequirements: [],
    }],
  };
}

function mount(app, base, path, { version, streaming }) {
  const requestHandler = new DefaultRequestHandler(
    card(`${base}${path}`, `Node ${path.slice(1)}`, version, streaming), new InMemoryTaskStore(), executor);
  const legacyCompat = { enabled: version !== '1.0' };
  // An agent of A2A 0.3 has never heard of the header: whatever it says, it is answered in that dialect.
  if (legacyCompat.enabled) {
    app.use(path, (request, response, next) => { request.headers['a2a-version'] = '0.3'; next(); });
  }
  app.use(`${path}/.well-known/agent-card.json`, agentCardHandler({ agentCardProvider: requestHandler, legacyCompat }));
  app.use(path, jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication, legacyCompat }));
}

const app = express();
const server = app.listen(0, '127.0.0.1', () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  mount(app, base, '/new', { version: '1.0', streaming: true });
  mount(app, base, '/old', { version: '0.3', streaming: true });
  mount(app, base, '/polled', { version: '1.0', streaming: false });
  app.get('/waiting', (request, response) => response.json([...waiting.keys()]));
  app.get('/cancelled', (request, response) => response.json(cancelled));
  console.log(`ready ${base}`);
});
