"""The Python snippets of the SDK page, as users copy them. Their text is not ours to change.

`follows` names the snippet whose variables one goes on with, where the page says so.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Snippet:
    text: str
    follows: str = ""


CHAT = """
from inference_gateway import InferenceGatewayClient, Message

client = InferenceGatewayClient('http://localhost:8080/v1')

response = client.create_chat_completion(
    model='deepseek/deepseek-v4-flash',
    messages=[
        Message(role='system', content='You are a helpful assistant.'),
        Message(role='user', content='What is Python?'),
    ],
)
print(response.choices[0].message.content.root)
"""

STREAMING = """
import json

from inference_gateway import InferenceGatewayClient, Message
from inference_gateway.models import CreateChatCompletionStreamResponse

client = InferenceGatewayClient('http://localhost:8080/v1')

for chunk in client.create_chat_completion_stream(
    model='deepseek/deepseek-v4-flash',
    messages=[Message(role='user', content='Tell me a story.')],
):
    if not chunk.data:
        continue
    data = json.loads(chunk.data)
    stream_response = CreateChatCompletionStreamResponse.model_validate(data)
    for choice in stream_response.choices:
        if choice.delta.content:
            print(choice.delta.content, end='', flush=True)
"""

TOOLS = """
from inference_gateway import InferenceGatewayClient, Message
from inference_gateway.models import ChatCompletionTool, FunctionObject, FunctionParameters

client = InferenceGatewayClient('http://localhost:8080/v1')

tools = [
    ChatCompletionTool(
        type='function',
        function=FunctionObject(
            name='get_current_weather',
            description='Get the current weather in a given location',
            parameters=FunctionParameters(
                type='object',
                properties={
                    'location': {
                        'type': 'string',
                        'description': 'The city and state, e.g. San Francisco, CA',
                    },
                    'unit': {
                        'type': 'string',
                        'enum': ['celsius', 'fahrenheit'],
                    },
                },
                required=['location'],
            ),
        ),
    ),
]

response = client.create_chat_completion(
    model='deepseek/deepseek-v4-flash',
    messages=[Message(role='user', content='What is the weather in New York?')],
    tools=tools,
)

for tool_call in response.choices[0].message.tool_calls or []:
    print(tool_call.function.name, tool_call.function.arguments)
"""

PARAMETERS = """
from inference_gateway import InferenceGatewayClient, Message

client = InferenceGatewayClient('http://localhost:8080/v1')

response = client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='Summarize the CAP theorem.')],
    temperature=0.7,  # 0-2, default 1
    top_p=0.9,  # 0-1, default 1
    n=1,  # 1-128 choices, default 1
    max_completion_tokens=512,  # upper bound incl. reasoning tokens
    frequency_penalty=0.0,  # -2..2, default 0
    presence_penalty=0.0,  # -2..2, default 0
    seed=42,  # best-effort determinism
    user='user-123',  # end-user identifier
    reasoning_effort='low',  # minimal | low | medium | high
)
"""

STOP = """
# A single stop sequence.
client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='Count to ten.')],
    stop='\\n\\n',
)

# Or up to four sequences.
client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='Count to ten.')],
    stop=['END', 'STOP'],
)
"""

JSON_OBJECT = """
response = client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[
        Message(role='system', content='Respond with a JSON object.'),
        Message(role='user', content='Return the capital of France as {"city": "..."}.'),
    ],
    response_format={'type': 'json_object'},
)
"""

JSON_SCHEMA = """
response = client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='Which city is the Eiffel Tower in?')],
    response_format={
        'type': 'json_schema',
        'json_schema': {
            'name': 'city',
            'strict': True,
            'schema': {
                'type': 'object',
                'properties': {'city': {'type': 'string'}},
                'required': ['city'],
            },
        },
    },
)
"""

TOOL_CHOICE = """
# Force the model to call at least one tool.
client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='What is the weather in New York?')],
    tools=tools,
    tool_choice='required',
)

# Or force one specific function by name.
client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='What is the weather in New York?')],
    tools=tools,
    tool_choice={'type': 'function', 'function': {'name': 'get_current_weather'}},
)
"""

LOGPROBS = """
response = client.create_chat_completion(
    model='openai/gpt-4o',
    messages=[Message(role='user', content='Pick a number.')],
    logprobs=True,
    top_logprobs=5,  # 0-20; requires logprobs=True
    logit_bias={'50256': -100},  # token ID -> bias (-100..100)
)
"""

VISION = """
from inference_gateway import (
    InferenceGatewayClient,
    Message,
    TextContentPart,
    ImageContentPart,
    ImageURL,
)

client = InferenceGatewayClient('http://localhost:8080/v1')

response = client.create_chat_completion(
    model='anthropic/claude-opus-4-8',
    messages=[
        Message(
            role='user',
            content=[
                TextContentPart(type='text', text='What is in this image?'),
                ImageContentPart(
                    type='image_url',
                    image_url=ImageURL(
                        url='https://example.com/image.jpg',
                        detail='auto',
                    ),
                ),
            ],
        ),
    ],
)
"""

REASONING = """
from inference_gateway import InferenceGatewayClient, Message

client = InferenceGatewayClient('http://localhost:8080/v1')

response = client.create_chat_completion(
    model='deepseek/deepseek-reasoner',
    messages=[Message(role='user', content='How many r are in strawberry?')],
    reasoning_format='parsed',
)

message = response.choices[0].message
print('Reasoning:', message.reasoning_content)
print('Answer:', message.content.root)
"""

# The page tells the reader to put this loop in place of the one in its streaming snippet.
REASONING_STREAM = STREAMING.replace(
    """
        if choice.delta.content:
""",
    """
        if choice.delta.reasoning_content:
            print(choice.delta.reasoning_content, end='', flush=True)
        if choice.delta.content:
""",
)

EXTRA_CONTENT = """
response = client.create_chat_completion(
    model='google/gemini-3-flash',
    messages=messages,
    tools=tools,
)

assistant_message = response.choices[0].message
for tool_call in assistant_message.tool_calls or []:
    extra = tool_call.extra_content
    if extra and extra.google and extra.google.thought_signature:
        print('thought_signature:', extra.google.thought_signature)

# Append the assistant message unchanged so extra_content (Google's
# thought_signature) is echoed back verbatim on the follow-up request.
messages.append(assistant_message)
for tool_call in assistant_message.tool_calls or []:
    result = run_tool(tool_call)  # your executor -> str
    messages.append(Message(role='tool', tool_call_id=tool_call.id, content=result))

final = client.create_chat_completion(
    model='google/gemini-3-flash',
    messages=messages,
    tools=tools,
)
"""

MODELS = """
from inference_gateway import InferenceGatewayClient

client = InferenceGatewayClient('http://localhost:8080/v1')

# Liveness probe - True when healthy, False on any error (never raises).
if not client.health_check():
    raise RuntimeError('gateway is not healthy')

# Every model across all configured providers.
models = client.list_models()
for model in models.data:
    print('model:', model.id, '->', model.served_by.root)

# Narrow the listing to a single provider.
openai_models = client.list_models(provider='openai')

# MCP tools (requires MCP exposed on the gateway).
tools = client.list_tools()
for tool in tools.data:
    print(f'tool: {tool.name} (server: {tool.server})')
"""

PROXY = """
from inference_gateway import InferenceGatewayClient

client = InferenceGatewayClient('http://localhost:8080/v1')

embeddings = client.proxy_request(
    provider='openai',
    path='embeddings',
    method='POST',
    json_data={
        'model': 'text-embedding-3-small',
        'input': 'Hello world',
    },
)
print(embeddings)
"""

OPTIONS = """
from inference_gateway import InferenceGatewayClient, Message

with InferenceGatewayClient(
    'http://localhost:8080/v1',
    token='your-api-token',
    timeout=60.0,
    use_httpx=True,
) as client:
    response = client.create_chat_completion(
        model='deepseek/deepseek-v4-flash',
        messages=[Message(role='user', content='Hello!')],
    )
    print(response.choices[0].message.content.root)
"""

SNIPPETS = {
    "chat": Snippet(CHAT),
    "streaming": Snippet(STREAMING),
    "tools": Snippet(TOOLS),
    "parameters": Snippet(PARAMETERS),
    "stop": Snippet(STOP, follows="parameters"),
    "json_object": Snippet(JSON_OBJECT, follows="parameters"),
    "json_schema": Snippet(JSON_SCHEMA, follows="parameters"),
    "tool_choice": Snippet(TOOL_CHOICE, follows="tools"),
    "logprobs": Snippet(LOGPROBS, follows="parameters"),
    "vision": Snippet(VISION),
    "reasoning": Snippet(REASONING),
    "reasoning_stream": Snippet(REASONING_STREAM),
    "extra_content": Snippet(EXTRA_CONTENT, follows="tools"),
    "models": Snippet(MODELS),
    "proxy": Snippet(PROXY),
    "options": Snippet(OPTIONS),
}
