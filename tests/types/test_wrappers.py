"""Values under `.root`, and the smaller types."""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from inference_gateway.models import (
    ChatCompletionToolChoiceOption,
    ContentPart,
    Error,
    FinishReason,
    ListModelsResponse,
    ListToolsResponse,
    MessageContent,
    MessageRole,
    Model,
    Provider,
    ProviderAuthType,
    SSEvent,
)
from inference_gateway.types import Open

OPEN_PROVIDER = TypeAdapter[Provider](Open[Provider])


def test_a_word_is_its_string() -> None:
    provider = Provider("openai")
    assert provider.root == provider == "openai"
    assert type(provider.root) is str
    assert f"{provider}" == "openai"
    assert hash(provider) == hash("openai")
    assert repr(provider) == "Provider('openai')"
    assert json.dumps([provider]) == '["openai"]'


def test_a_word_can_be_given_by_the_name_of_the_wrapper() -> None:
    assert MessageRole(root="user") == "user"


@pytest.mark.parametrize("kind", [Provider, MessageRole, FinishReason, ProviderAuthType])
def test_an_unknown_word_cannot_be_built(kind: type[Provider]) -> None:
    with pytest.raises(ValueError, match=f"'nope' is not a {kind.__name__}"):
        kind("nope")


def test_a_historic_spelling_is_the_word_of_today() -> None:
    assert ProviderAuthType("x-header") == "xheader"


@given(st.text())
def test_any_word_can_be_read_and_survives_copies(word: str) -> None:
    provider = OPEN_PROVIDER.validate_python(word)
    assert isinstance(provider, Provider)
    assert provider.root == word
    assert provider.is_known == (word in Provider.known)
    assert copy.deepcopy(provider) == word
    assert pickle.loads(pickle.dumps(provider)) == provider
    assert type(OPEN_PROVIDER.dump_python(provider)) is str


@given(st.none() | st.text(), st.none() | st.text())
def test_contents_compare_and_hash_as_their_values(one: str | None, other: str | None) -> None:
    assert (MessageContent(one) == MessageContent(other)) == (one == other)
    assert MessageContent(one) == one
    assert hash(MessageContent(one)) == hash(one)
    assert bool(MessageContent(one)) == bool(one)
    assert str(MessageContent(one)) == (one or "")


def test_contents_of_parts_compare_as_lists() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "file", "file": {}}, {"type": "text", "text": "b"}]
    content = MessageContent.model_validate(parts)
    assert content == MessageContent.model_validate(parts)
    assert content == content.root
    assert hash(content) == hash(MessageContent.model_validate(parts))
    assert str(content) == "ab"


def test_a_choice_prints_as_its_value() -> None:
    assert str(ChatCompletionToolChoiceOption("auto")) == "auto"


def test_a_part_can_be_built_wrapped() -> None:
    part = ContentPart.model_validate({"type": "text", "text": "a"})
    assert MessageContent([part]).text == "a"


def test_a_list_with_a_provider_of_tomorrow_is_readable() -> None:
    row = {"id": "new/m", "object": "model", "created": 1, "owned_by": "new", "served_by": "new"}
    models = ListModelsResponse.model_validate({"object": "list", "provider": "new", "data": [row]})
    assert models.data[0].served_by.root == "new"
    assert models.provider == "new"
    assert models.model_dump(exclude_unset=True)["data"] == [row]


def test_a_model_without_a_provider_still_has_a_root_to_read() -> None:
    assert Model.model_validate({"id": "m"}).served_by.root == ""


@pytest.mark.parametrize("name", ["context_window", "pricing", "modalities"])
def test_metadata_may_be_unresolved(name: str) -> None:
    row = {"id": "m", name: None}
    assert Model.model_validate(row).model_dump(exclude_unset=True) == row


def test_metadata_is_typed() -> None:
    model = Model.model_validate(
        {
            "id": "m",
            "context_window": {"tokens": 8192, "source": "provider"},
            "pricing": {"currency": "USD", "input_per_token": "0.00000015", "subscription": True},
            "modalities": {"input": ["text", "smell"], "output": ["text"]},
        }
    )
    assert model.context_window is not None
    assert model.context_window.tokens == 8192
    assert model.pricing is not None
    assert model.pricing.input_per_token == "0.00000015"
    assert model.modalities is not None
    assert model.modalities.input == ["text", "smell"]


@pytest.mark.parametrize("tools", ["data", "tools"])
@pytest.mark.parametrize("schema", ["input_schema", "inputSchema"])
def test_tools_are_read_in_both_spellings(tools: str, schema: str) -> None:
    tool = {"name": "mcp_time", "description": "", "server": "http://mcp", schema: {"type": "object"}}
    read = ListToolsResponse.model_validate({"object": "list", tools: [tool]})
    assert read.data[0].name == "mcp_time"
    assert read.data[0].input_schema == {"type": "object"}


@pytest.mark.parametrize("error", ["no", {"message": "no", "type": "t", "code": 7, "param": None, "x": 1}])
def test_an_error_is_read_in_both_shapes(error: object) -> None:
    read = Error.model_validate({"error": error})
    assert read.message == "no"
    assert read.model_dump(exclude_unset=True) == {"error": error}


def test_an_event_may_have_a_name_of_its_own() -> None:
    event = SSEvent(event="content-delta", data="{}", retry=3)
    assert (event.event, event.data, event.retry, event.id) == ("content-delta", "{}", 3, None)
    assert SSEvent(event="message").event == "message"
