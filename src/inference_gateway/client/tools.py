"""Python functions as tools of a model, and the loop that runs what the model calls. Sends nothing itself.

A `FunctionTool` is a function together with the schema that a model needs to call it. A `ToolRun` says
what to send next, takes the answer, and executes the calls in it.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import update_wrapper
from typing import Annotated, Generic, Literal, NamedTuple, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PydanticUserError, TypeAdapter, ValidationError
from pydantic import create_model as make_model
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from inference_gateway.client.accumulate import carries_result
from inference_gateway.client.docstrings import described
from inference_gateway.client.errors import InferenceGatewayError, field_errors, sentence, wrong
from inference_gateway.client.structured import QuietJsonSchema, first_line, strict_schema
from inference_gateway.types import (
    ChatCompletionChoice,
    ChatCompletionMessageToolCall,
    ChatCompletionTool,
    CreateChatCompletionResponse,
    FunctionObject,
    FunctionParameters,
    Message,
    OtherTool,
    ResponseMessage,
)
from inference_gateway.types.tools import AnyTool

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

Definition = ChatCompletionTool | OtherTool
ToolLike = Callable[..., object] | Definition | Mapping[str, object]
"""What is taken for a tool: a `FunctionTool`, a function with type hints, or a definition as it is sent."""

_DEFINITIONS: TypeAdapter[Definition] = TypeAdapter(AnyTool)


class ToolError(InferenceGatewayError):
    """A tool call failed, and the message says to the model what it should know about it."""


# ---- a function as a tool --------------------------------------------------------------------------------


class FunctionTool(Generic[P, R_co]):
    """A function that a model can call; calling it directly calls the function.

    Type hints become the schema of the arguments, the docstring the descriptions (parameters as in Google,
    NumPy or Sphinx style; `Annotated[..., Field(description=...)]` goes first). A parameter with a default
    is not required, but under `strict`, which requires all.

    :param name: instead of the function's own; at most 64 letters, digits, `_` and `-`.
    :param description: instead of the docstring's.
    :param strict: whether the provider is to enforce the schema; unset is the provider's default.
    :raises InferenceGatewayValidationError: the function cannot be described; `field` names the parameter.
    """

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> None:
        update_wrapper(self, function)
        self._function = function
        # The same, for arguments that are checked when it runs.
        self._by_keyword: Callable[..., object] = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        text, parameters = described(inspect.getdoc(function) or "")
        self._arguments = _arguments_model(self.name, function, parameters)
        schema = _schema_of(self.name, self._arguments)
        self.definition = _definition(
            self.name, text if description is None else description, schema, strict=strict
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def run(self, arguments: str) -> object:
        """Call the function with arguments that a model wrote; an async function is run to its end.

        :param arguments: a JSON object; "" is an empty one.
        :raises ToolError: they do not fit the type hints.
        """
        result = self._by_keyword(**self._checked(arguments))
        return _settled(result) if inspect.isawaitable(result) else result

    async def arun(self, arguments: str) -> object:
        """Do the same without blocking the event loop: a sync function runs in a thread.

        :raises ToolError: the arguments do not fit the type hints.
        """
        checked = self._checked(arguments)
        if inspect.iscoroutinefunction(self._by_keyword):
            return await self._by_keyword(**checked)
        result = await asyncio.to_thread(self._by_keyword, **checked)
        return await result if inspect.isawaitable(result) else result

    def _checked(self, arguments: str) -> dict[str, object]:
        try:
            model = self._arguments.model_validate_json(arguments.strip() or "{}")
        except ValidationError as error:
            raise ToolError(f"invalid arguments: {sentence(field_errors(error))}") from error
        # What was not given is left to the function's own default.
        fields = type(model).model_fields
        return {str(fields[name].alias): getattr(model, name) for name in model.model_fields_set}


@overload
def tool(function: Callable[P, R_co], /) -> FunctionTool[P, R_co]: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, strict: bool | None = None
) -> Callable[[Callable[P, R_co]], FunctionTool[P, R_co]]: ...
def tool(
    function: Callable[P, R_co] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
) -> FunctionTool[P, R_co] | Callable[[Callable[P, R_co]], FunctionTool[P, R_co]]:
    """Make a function a tool, as `@tool` or `@tool(name=..., description=..., strict=...)`.

    :raises InferenceGatewayValidationError: the function cannot be described.
    """

    def decorate(function: Callable[P, R_co]) -> FunctionTool[P, R_co]:
        return FunctionTool(function, name=name, description=description, strict=strict)

    return decorate if function is None else decorate(function)


def to_definition(tool: ToolLike) -> Definition:
    """Return a tool as it is sent to a provider.

    :raises InferenceGatewayValidationError: it is none.
    """
    return _declared(tool, "tool").definition


class _Declared(NamedTuple):
    definition: Definition
    function: FunctionTool[..., object] | None


def _declared(tool: ToolLike, place: str) -> _Declared:
    if isinstance(tool, FunctionTool):
        return _Declared(tool.definition, tool)
    if isinstance(tool, ChatCompletionTool | OtherTool):
        return _Declared(tool, None)
    if isinstance(tool, Mapping):
        try:
            return _Declared(_DEFINITIONS.validate_python(tool), None)
        except ValidationError as error:
            raise wrong(place, sentence(field_errors(error))) from error
    if not callable(tool):
        raise wrong(place, f"expected a function or the definition of a tool, got {tool!r}")
    function = FunctionTool(tool)
    return _Declared(function.definition, function)


def _arguments_model(
    tool_name: str, function: Callable[..., object], descriptions: Mapping[str, str]
) -> type[BaseModel]:
    """Build the model that checks a call's arguments.

    Its fields have made-up names: a parameter may be called like something that pydantic keeps for itself.
    """
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except (NameError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise wrong(f"tools.{tool_name}", f"its signature cannot be read: {error}") from error
    fields: dict[str, tuple[object, object]] = {}
    for position, parameter in enumerate(parameters):
        hint = _hint(tool_name, parameter, descriptions.get(parameter.name))
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[f"p{position}"] = (hint, default)
    config = ConfigDict(extra="forbid")
    module = getattr(function, "__module__", None) or __name__
    try:
        return make_model(tool_name, __config__=config, __module__=module, **fields)  # type: ignore[call-overload, no-any-return]
    except (PydanticUserError, NameError) as error:
        raise wrong(f"tools.{tool_name}", first_line(error)) from error


def _hint(tool_name: str, parameter: inspect.Parameter, description: str | None) -> object:
    place = f"tools.{tool_name}.{parameter.name}"
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise wrong(place, f"a tool cannot take {parameter.kind.description} parameters")
    if parameter.annotation is parameter.empty:
        raise wrong(place, "a tool's parameters need type hints")
    metadata = getattr(parameter.annotation, "__metadata__", ())
    if any(isinstance(each, FieldInfo) and each.description for each in metadata):
        description = None
    extra = {"description": description} if description else {}
    return Annotated[parameter.annotation, Field(alias=parameter.name, **extra)]  # type: ignore[call-overload]


def _schema_of(tool_name: str, arguments: type[BaseModel]) -> dict[str, JsonValue]:
    try:
        schema: dict[str, JsonValue] = arguments.model_json_schema(schema_generator=QuietJsonSchema)
    except PydanticUserError as error:
        raise wrong(f"tools.{tool_name}", first_line(error)) from error
    schema.pop("title", None)
    properties = schema["properties"]
    assert isinstance(properties, dict)
    for each in properties.values():
        if isinstance(each, dict) and each.get("default", ...) is None:
            del each["default"]
    return schema


def _definition(
    name: str, description: str, schema: dict[str, JsonValue], *, strict: bool | None
) -> ChatCompletionTool:
    given: dict[str, object] = {"name": name}
    if description:
        given["description"] = description
    given["parameters"] = FunctionParameters(**(strict_schema(schema) if strict else schema))
    if strict is not None:
        given["strict"] = strict
    try:
        return ChatCompletionTool(type="function", function=FunctionObject.model_validate(given))
    except ValidationError as error:
        raise wrong(f"tools.{name}", sentence(field_errors(error))) from error


def _settled(result: Awaitable[object]) -> object:
    """Wait for a coroutine, in a loop of its own: this thread may have one that is running."""

    async def wait() -> object:
        return await result

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(contextvars.copy_context().run, asyncio.run, wait()).result()


# ---- the loop --------------------------------------------------------------------------------------------

Call = ChatCompletionMessageToolCall

_GATEWAY_PREFIXES = ("mcp_", "a2a_")
_ENDS_A_RUN = {"content_filter", "refusal"}


@dataclass(frozen=True)
class ToolResult:
    """What a tool call came to: the text that the model gets, and whether it tells of a failure."""

    content: str
    is_error: bool = False


class Turn(NamedTuple):
    """The model's answer in one round; `calls` are those to execute before the next."""

    message: ResponseMessage | None
    calls: tuple[Call, ...]


class ToolRun:
    """A conversation in which the model's tool calls are executed until it calls no more.

    Whoever has a connection drives it::

        while (request := run.next_request()) is not None:
            run.accept(send(**request))
            run.execute_all()

    It ends with an answer that calls no tools, refuses, or calls a tool that was given as a definition
    without a function: such calls are the caller's to execute. So are none of those that the gateway ran
    itself, which are left out of the conversation. A `tool_choice` that forces a call holds for the first
    round only, as it would never end otherwise.

    :param max_iterations: most requests to send.
    :param on_error: `report` tells the model what failed, `raise` raises it.
    :param max_parallel_tool_calls: most calls of one answer to execute at a time; above 1, in threads.
    :param on_tool_start: called with each call before it is executed, in the thread that executes it.
    :param on_tool_end: called with each call and its `ToolResult`; not if `on_error="raise"` raises.
    :param request: further fields of every request.
    :ivar messages: the conversation so far; the caller's list is left alone.
    :ivar completion: the last answer.
    :ivar exhausted: whether it ended at `max_iterations` with calls that were not executed.
    :raises InferenceGatewayValidationError: an argument is wrong; `field` names it.
    """

    def __init__(
        self,
        *,
        model: str,
        messages: Iterable[Message | Mapping[str, object]],
        tools: Iterable[ToolLike],
        max_iterations: int = 10,
        on_error: Literal["report", "raise"] = "report",
        max_parallel_tool_calls: int = 1,
        on_tool_start: Callable[[Call], object] | None = None,
        on_tool_end: Callable[[Call, ToolResult], object] | None = None,
        **request: object,
    ) -> None:
        self._max_iterations = _at_least_one("max_iterations", max_iterations)
        self._max_parallel = _at_least_one("max_parallel_tool_calls", max_parallel_tool_calls)
        if on_error not in {"report", "raise"}:
            raise wrong("on_error", f"expected 'report' or 'raise', got {on_error!r}")
        self._raises = on_error == "raise"
        self._on_start = on_tool_start
        self._on_end = on_tool_end
        declared = [_declared(each, f"tools.{position}") for position, each in enumerate(tools)]
        self._functions = _by_name(declared)
        self._request = {"model": model, **request}
        if declared:
            self._request["tools"] = [each.definition for each in declared]
        # As the run goes on
        self.messages: list[Message | Mapping[str, object]] = list(messages)
        self.completion: CreateChatCompletionResponse | None = None
        self.exhausted = False
        self._finished = False
        self._iterations = 0
        self._pending: tuple[Call, ...] = ()

    def next_request(self) -> dict[str, object] | None:
        """Return the arguments of the next request; `None` when the run has ended.

        :raises RuntimeError: the calls of the last answer are not executed yet.
        """
        if self._finished:
            return None
        if self._pending:
            raise RuntimeError("execute the tool calls of the last answer first")
        request = {**self._request, "messages": list(self.messages)}
        if self._iterations and _forces_a_call(request.get("tool_choice")):
            del request["tool_choice"]
        return request

    def accept(self, completion: CreateChatCompletionResponse) -> Turn:
        """Take the answer to the last request. Only its first choice counts."""
        self._iterations += 1
        self.completion = completion
        if not completion.choices:
            self._finished = True
            return Turn(None, ())
        choice = completion.choices[0]
        calls = self._unanswered(choice)
        self.messages.append(_with_calls(choice.message, calls))
        self._finished = not calls or self._must_end(choice, calls)
        if not self._finished and self._iterations >= self._max_iterations:
            self._finished = self.exhausted = True
        self._pending = () if self._finished else tuple(calls)
        return Turn(choice.message, self._pending)

    def execute_all(self) -> list[Message]:
        """Execute the calls of the last answer, and add their results to the conversation, in order.

        :returns: the messages added; none if there is nothing to execute.
        :raises Exception: what a tool raised, or `ToolError`, if `on_error="raise"`.
        """
        if self._max_parallel == 1 or len(self._pending) <= 1:
            return self._answered([self._execute(call) for call in self._pending])
        with ThreadPoolExecutor(self._max_parallel) as threads:
            started = [
                threads.submit(contextvars.copy_context().run, self._execute, call) for call in self._pending
            ]
            try:
                results = [each.result() for each in started]
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return self._answered(results)

    async def aexecute_all(self) -> list[Message]:
        """Do the same without blocking the event loop: sync functions run in threads."""
        gate = asyncio.Semaphore(self._max_parallel)

        async def execute(call: Call) -> ToolResult:
            async with gate:
                return await self._aexecute(call)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(execute(call)) for call in self._pending]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return self._answered([task.result() for task in tasks])

    def _unanswered(self, choice: ChatCompletionChoice) -> list[Call]:
        """Return the calls that wait for a result, without those that the gateway answered itself."""
        calls = [call for call in choice.message.tool_calls or [] if not carries_result(call)]
        if choice.finish_reason == "tool_calls":
            return calls
        return [
            call
            for call in calls
            if call.function.name in self._functions or not call.function.name.startswith(_GATEWAY_PREFIXES)
        ]

    def _must_end(self, choice: ChatCompletionChoice, calls: list[Call]) -> bool:
        if choice.message.refusal or choice.finish_reason in _ENDS_A_RUN:
            return True
        return any(self._is_the_callers(call) for call in calls)

    def _is_the_callers(self, call: Call) -> bool:
        name = call.function.name
        return call.type != "function" or (name in self._functions and self._functions[name] is None)

    def _execute(self, call: Call) -> ToolResult:
        self._started(call)
        try:
            result = _result_of(self._function_of(call).run(call.function.arguments))
        except Exception as error:
            if self._raises:
                raise
            result = _failure(error)
        return self._ended(call, result)

    async def _aexecute(self, call: Call) -> ToolResult:
        self._started(call)
        try:
            result = _result_of(await self._function_of(call).arun(call.function.arguments))
        except Exception as error:
            if self._raises:
                raise
            result = _failure(error)
        return self._ended(call, result)

    def _function_of(self, call: Call) -> FunctionTool[..., object]:
        function = self._functions.get(call.function.name)
        if function is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise ToolError(f"there is no tool {call.function.name!r}; there are: {known}")
        return function

    def _started(self, call: Call) -> None:
        if self._on_start:
            self._on_start(call)

    def _ended(self, call: Call, result: ToolResult) -> ToolResult:
        if self._on_end:
            self._on_end(call, result)
        return result

    def _answered(self, results: list[ToolResult]) -> list[Message]:
        added = [
            Message(role="tool", tool_call_id=call.id, content=result.content)
            for call, result in zip(self._pending, results, strict=True)
        ]
        self.messages += added
        self._pending = ()
        return added


def _at_least_one(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise wrong(name, f"expected a whole number of at least 1, got {value!r}")
    return value


def _by_name(declared: list[_Declared]) -> dict[str, FunctionTool[..., object] | None]:
    functions: dict[str, FunctionTool[..., object] | None] = {}
    for each in declared:
        if isinstance(each.definition, ChatCompletionTool):
            name = each.definition.function.name
            if name in functions:
                raise wrong("tools", f"two tools are named {name!r}")
            functions[name] = each.function
    return functions


def _forces_a_call(tool_choice: object) -> bool:
    return tool_choice is not None and str(tool_choice) not in {"none", "auto"}


def _with_calls(message: ResponseMessage, calls: list[Call]) -> ResponseMessage:
    """Leave out calls that nobody will answer: a provider refuses a call without a result.

    Those that carry their result stay: the gateway makes a tool's message of it.
    """
    calls = [call for call in message.tool_calls or [] if call in calls or carries_result(call)]
    if len(calls) == len(message.tool_calls or []):
        return message
    kept = message.model_copy(update={"tool_calls": calls or None})
    if not calls:
        kept.model_fields_set.discard("tool_calls")
    return kept


def _result_of(value: object) -> ToolResult:
    """Write what a tool returned: text as it is, anything else as JSON."""
    return ToolResult(value if isinstance(value, str) else to_json(value, fallback=str).decode())


def _failure(error: Exception) -> ToolResult:
    text = str(error) if isinstance(error, ToolError) else f"{type(error).__name__}: {error}"
    return ToolResult(f"Error: {text}", is_error=True)
