// The official client for JavaScript against one agent: `node client.mjs <URL> <1.0|0.3>`.
// Does a little of everything, and prints what came of it as JSON.
import { randomUUID } from 'node:crypto';
import { Role, TaskState } from '@a2a-js/sdk';
import { ClientFactory, ClientFactoryOptions, JsonRpcTransportFactory } from '@a2a-js/sdk/client';

const [url, version] = process.argv.slice(2);
const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
  transports: [new JsonRpcTransportFactory({ legacyCompat: { enabled: true } })],
}));
const found = await factory.createFromUrl(`${url}/.well-known/agent-card.json`, '');
const card = await found.getAgentCard();
const client = await factory.createFromAgentCard({
  ...card, supportedInterfaces: card.supportedInterfaces.filter((each) => each.protocolVersion === version),
});

const say = (text, taskId = '') => ({
  tenant: '', configuration: undefined, metadata: undefined,
  message: {
    messageId: randomUUID(), contextId: '', taskId, role: Role.ROLE_USER, metadata: undefined,
    extensions: [], referenceTaskIds: [],
    parts: [{ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: '' }],
  },
});
const texts = (parts) => parts.map((part) => part.content.value).join('');
const told = {};

const sent = await client.sendMessage(say('shout hello'));
told.sent = [TaskState[sent.status.state], texts(sent.artifacts[0].parts)];
told.talked = texts((await client.sendMessage(say('talk hi'))).parts);
told.streamed = [];
for await (const event of client.sendMessageStream(say('shout again'))) told.streamed.push(event.payload.$case);
told.got = TaskState[(await client.getTask({ tenant: '', id: sent.id })).status.state];
for await (const event of client.sendMessageStream(say('wait'))) {
  if (event.payload.$case === 'task') {
    told.cancelled = TaskState[(await client.cancelTask({ tenant: '', id: event.payload.value.id })).status.state];
  }
}
try {
  await client.getTask({ tenant: '', id: 'nowhere' });
} catch (error) {
  told.missing = error.constructor.name;
}
told.spoke = client.protocolVersion;
console.log(JSON.stringify(told));
