"""Functions as tools: the schema that a model sees, and the arguments it writes back."""

import asyncio
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from inference_gateway.client.errors import InferenceGatewayError, InferenceGatewayValidationError
from inference_gateway.client.tools import FunctionTool, ToolError, to_definition, tool
from inference_gateway.types import ChatCompletionTool, CreateChatCompletionRequest, FunctionObject, OtherTool


class Unit(Enum):
    CELSIUS = "c"
    KELVIN = "k"


class Place(BaseModel):
    city: str
    country: str | None = None


@dataclass
class Span:
    start: int
    end: int = 9


class Options(TypedDict, total=False):
    fast: bool


def weather(
    city: str,
    days: int = 1,
    unit: Literal["c", "f"] = "c",
    note: str | None = None,
) -> dict[str, object]:
    """Find the weather.

    Args:
        city: Name of the city.
        days: How far ahead, in days.

    Returns:
        The weather.
    """
    return {"city": city, "days": days, "unit": unit, "note": note}


def parameters_of(function: Callable[..., object], *, strict: bool | None = None) -> dict[str, object]:
    function_object = to_definition(FunctionTool(function, strict=strict)).model_dump(exclude_unset=True)
    schema = function_object["function"]["parameters"]
    assert isinstance(schema, dict)
    Draft202012Validator.check_schema(schema)
    return schema


# ---- what the model sees -------------------------------------------------------------------------------


def test_hints_and_docstring_become_the_definition() -> None:
    definition = to_definition(tool(weather))
    assert isinstance(definition, ChatCompletionTool)
    assert definition.model_dump(by_alias=True, exclude_unset=True) == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Find the weather.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name of the city."},
                    "days": {"type": "integer", "default": 1, "description": "How far ahead, in days."},
                    "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }


def test_a_request_takes_the_definition() -> None:
    message = {"role": "user", "content": "x"}
    body = {"model": "m", "messages": [message], "tools": [to_definition(weather)]}
    request = CreateChatCompletionRequest.model_validate(body)
    assert request.tools == [to_definition(weather)]


def test_strict_requires_every_parameter_and_says_so() -> None:
    definition = FunctionTool(weather, strict=True).definition.model_dump(exclude_unset=True)
    assert definition["function"]["strict"] is True
    assert definition["function"]["parameters"]["required"] == ["city", "days", "unit", "note"]


def test_strict_can_be_refused_in_so_many_words() -> None:
    definition = FunctionTool(weather, strict=False).definition.model_dump(exclude_unset=True)
    assert definition["function"]["strict"] is False
    assert definition["function"]["parameters"]["required"] == ["city"]


def test_the_decorator_takes_options() -> None:
    @tool(name="look-up", description="Look it up.", strict=True)
    def find(word: str) -> str:
        """Not this."""
        return word.upper()

    function = find.definition.function
    assert (function.name, function.description, function.strict) == ("look-up", "Look it up.", True)
    assert find.name == "look-up"
    assert find("a") == "A"


def test_the_decorator_leaves_the_function_callable() -> None:
    decorated = tool(weather)
    assert decorated("Bonn", days=2) == weather("Bonn", 2)
    assert decorated.__doc__ == weather.__doc__
    assert repr(decorated) == "FunctionTool('weather')"


def test_an_annotated_description_goes_before_the_docstrings() -> None:
    def find(word: Annotated[str, Field(description="From the hint.", max_length=3)]) -> None:
        """Find.

        :param word: From the docstring.
        """

    properties = parameters_of(find)["properties"]
    assert properties == {"word": {"type": "string", "maxLength": 3, "description": "From the hint."}}


def test_an_annotation_without_a_description_takes_the_docstrings() -> None:
    def find(word: Annotated[str, Field(max_length=3)]) -> None:
        """Find.

        :param word: From the docstring.
        """

    properties = parameters_of(find)["properties"]
    assert properties == {"word": {"type": "string", "maxLength": 3, "description": "From the docstring."}}


def test_a_function_without_parameters_takes_none() -> None:
    def now() -> str:
        return "now"

    schema = parameters_of(now)
    assert schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert "description" not in FunctionTool(now).definition.function.model_fields_set


def test_hints_may_be_strings() -> None:
    def find(place: "Place", *, more: "list[Span]") -> None: ...

    schema = parameters_of(find)
    assert schema["required"] == ["place", "more"]


def test_parameters_may_be_named_like_what_pydantic_keeps() -> None:
    def find(schema: str, copy: int, model_config: str, _hidden: bool, p0: str) -> object:
        return [schema, copy, model_config, _hidden, p0]

    assert parameters_of(find)["required"] == ["schema", "copy", "model_config", "_hidden", "p0"]
    arguments = '{"schema": "s", "copy": 1, "model_config": "m", "_hidden": true, "p0": "p"}'
    assert FunctionTool(find).run(arguments) == ["s", 1, "m", True, "p"]


def test_a_method_can_be_a_tool() -> None:
    class Shelf:
        def find(self, title: str) -> str:
            return f"found {title}"

    method = FunctionTool(Shelf().find)
    assert method.name == "find"
    assert method.run('{"title": "x"}') == "found x"


def test_definitions_go_through_as_they_are() -> None:
    definition = ChatCompletionTool(type="function", function=FunctionObject(name="f"))
    assert to_definition(definition) is definition
    assert to_definition({"type": "function", "function": {"name": "f"}}) == definition
    other = to_definition({"type": "web_search", "max_uses": 2})
    assert isinstance(other, OtherTool)
    assert other.model_dump() == {"type": "web_search", "max_uses": 2}


def unhinted(city):  # type: ignore[no-untyped-def]
    return city


def starred(*cities: str) -> None: ...


def lost(city: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


def garbled(city: "not a hint") -> None: ...  # type: ignore[valid-type]  # noqa: F722


def unknown(lock: threading.Event) -> None: ...


def callback(then: Callable[[], int]) -> None: ...


def positional(city: str, /) -> None: ...


@pytest.mark.parametrize(
    ("function", "field"),
    [
        (unhinted, "tools.unhinted.city"),
        (starred, "tools.starred.cities"),
        (positional, "tools.positional.city"),
        (lost, "tools.lost"),
        (garbled, "tools.garbled"),
        (unknown, "tools.unknown"),
        (callback, "tools.callback"),
        (lambda: 1, "tools.<lambda>"),
    ],
)
def test_a_function_that_cannot_be_described_is_refused_by_name(
    function: Callable[..., object], field: str
) -> None:
    with pytest.raises(InferenceGatewayValidationError) as caught:
        tool(function)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "value", [3, "weather", {"type": "function"}, {"type": "function", "function": {}}, None]
)
def test_what_is_no_tool_is_refused(value: object) -> None:
    with pytest.raises(InferenceGatewayValidationError):
        to_definition(value)  # type: ignore[arg-type]


# ---- what the model writes -----------------------------------------------------------------------------


def test_arguments_become_what_the_hints_say() -> None:
    def find(place: Place, span: Span, unit: Unit, options: Options, days: list[int]) -> object:
        return [place, span, unit, options, days]

    arguments = """{"place": {"city": "Bonn"}, "span": {"start": 1}, "unit": "k", "options": {"fast": true},
        "days": [1, 2]}"""
    expected = [Place(city="Bonn"), Span(1), Unit.KELVIN, {"fast": True}, [1, 2]]
    assert FunctionTool(find).run(arguments) == expected


def test_defaults_are_the_functions_own() -> None:
    seen: list[str] = []

    def note(word: str = "x", into: list[str] = seen) -> list[str]:
        into.append(word)
        return into

    assert FunctionTool(note).run("{}") is seen
    assert FunctionTool(note).run("") == ["x", "x"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("{}", "city: Field required"),
        ('{"city": 3}', "city: Input should be a valid string"),
        ('{"city": "x", "days": "soon"}', "days: Input should be a valid integer"),
        ('{"city": "x", "town": "y"}', "town: Extra inputs are not permitted"),
        ('{"p0": "x"}', "city: Field required"),
        ('{"city": "x"', "Invalid JSON"),
        ("[]", "object"),
        ("[" * 100_000, "Invalid JSON"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error_that_names_them(arguments: str, complaint: str) -> None:
    with pytest.raises(ToolError, match=complaint):
        FunctionTool(weather).run(arguments)


def test_a_tool_error_is_one_of_the_sdks() -> None:
    assert issubclass(ToolError, InferenceGatewayError)


async def double(number: int) -> int:
    """Double it."""
    await asyncio.sleep(0)
    return 2 * number


def test_an_async_function_runs_without_a_loop() -> None:
    assert FunctionTool(double).run('{"number": 2}') == 4


async def test_an_async_function_runs_beside_a_running_loop() -> None:
    assert FunctionTool(double).run('{"number": 2}') == 4


async def test_an_async_function_runs_in_the_callers_loop() -> None:
    loops: list[object] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    await FunctionTool(note).arun("")
    assert loops == [asyncio.get_running_loop()]


async def test_a_sync_function_does_not_hold_up_the_loop() -> None:
    def where() -> int:
        return threading.get_ident()

    assert await FunctionTool(where).arun("") != threading.get_ident()


async def test_an_object_with_an_async_call_is_awaited() -> None:
    class Doubler:
        """Doubles."""

        async def __call__(self, number: int) -> int:
            return 2 * number

    doubler = FunctionTool(Doubler())
    assert doubler.name == "Doubler"
    assert await doubler.arun('{"number": 2}') == doubler.run('{"number": 2}') == 4


def test_a_wrapped_function_is_described_by_what_it_wraps() -> None:
    @functools.wraps(weather)
    def traced(*args: object, **kwargs: object) -> object:
        return weather(*args, **kwargs)  # type: ignore[arg-type]

    assert to_definition(traced) == to_definition(weather)
