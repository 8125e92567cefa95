"""The OpenAPI document: valid, whole, and the same in both committed files."""

import json
import re
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import ValidationError

from inference_gateway.models import CreateChatCompletionRequest
from inference_gateway.server.api import openapi
from inference_gateway.server.api.routes import ROUTES


class Row(NamedTuple):
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    operation_id: str
    summary: str = "Does it"
    is_public: bool = False


EVERY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ROWS = (
    Row(("GET", "HEAD"), ("/health", "/v1/health"), "healthCheck", is_public=True),
    Row(("GET",), ("/v1/models/{id}",), "getModel"),
    Row(("POST",), ("/v1/chat/completions",), "createChatCompletion"),
    Row(EVERY_METHOD, ("/proxy/{provider}/{path}", "/v1/proxy/{provider}/{path}"), "proxy"),
)

DOCUMENT: dict[str, Any] = openapi.document(ROUTES)
OWN: dict[str, Any] = openapi.document(ROWS)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }


def references(value: object) -> set[str]:
    return set(re.findall(r'"#(/components/[^"]+)"', json.dumps(value)))


def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    )


def test_the_committed_files_are_what_is_generated() -> None:
    written = (openapi.CHECKOUT / "openapi.yaml").read_text(encoding="utf-8")
    assert written == openapi.as_yaml(DOCUMENT), "run `make openapi`"
    assert openapi.PACKAGED.read_text(encoding="utf-8") == openapi.as_json(DOCUMENT), "run `make openapi`"


def test_both_formats_say_the_same() -> None:
    assert yaml.safe_load(openapi.as_yaml(DOCUMENT)) == json.loads(openapi.as_json(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("document", [DOCUMENT, OWN], ids=["routes", "rows"])
def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_nothing_refers_to_what_is_not_there() -> None:
    for reference in references(DOCUMENT):
        _, _, kind, name = reference.split("/")
        assert name in DOCUMENT["components"][kind]


def test_every_operation_that_is_described_has_a_route() -> None:
    assert {route.operation_id for route in ROUTES} == set(openapi.OPERATIONS)


def test_an_operation_has_one_id_per_method_and_alias() -> None:
    assert list(operations(OWN)) == [
        "healthCheck",
        "healthCheckHead",
        "healthCheckV1",
        "healthCheckHeadV1",
        "getModel",
        "createChatCompletion",
        *(f"proxy{method.capitalize()}{alias}" for alias in ("", "V1") for method in EVERY_METHOD),
    ]


def test_path_parameters_come_from_the_template() -> None:
    assert operations(OWN)["proxyGet"]["parameters"] == [
        {"$ref": "#/components/parameters/ProviderPath"},
        {"$ref": "#/components/parameters/PathPath"},
        {"$ref": "#/components/parameters/GatewayTimeout"},
    ]


def test_only_methods_with_a_body_have_one() -> None:
    with_body = {name for name, operation in operations(OWN).items() if "requestBody" in operation}
    assert with_body >= {"createChatCompletion", "proxyPost", "proxyPut", "proxyPatch"}
    assert not with_body & {"proxyGet", "proxyHead", "proxyOptions", "getModel"}


def test_a_completion_comes_whole_or_in_events() -> None:
    answer = DOCUMENT["components"]["responses"]["ChatCompletion"]
    assert set(answer["content"]) == {"application/json", "text/event-stream"}
    assert {"X-Request-Id", "X-Upstream-Request-Id", "Retry-After"} <= set(answer["headers"])


def test_probes_ask_for_no_token() -> None:
    assert operations(OWN)["healthCheck"]["security"] == []
    assert "security" not in operations(OWN)["proxyGet"]


def test_an_error_answer_is_a_sentence_under_its_status() -> None:
    responses = operations(OWN)["createChatCompletion"]["responses"]
    statuses = {200, 400, 401, 403, 408, 413, 414, 415, 431, 500, 502, 503, 504}
    assert set(responses) == {*map(str, statuses), "default"}
    validator("Error").validate({"error": "no"})
    assert not validator("Error").is_valid({"error": {"message": "no"}})


def test_a_route_that_nobody_describes_is_refused() -> None:
    with pytest.raises(LookupError, match="'listWishes' has no row"):
        openapi.document([Row(("GET",), ("/wishes",), "listWishes")])


def test_a_path_parameter_that_nobody_describes_is_refused() -> None:
    with pytest.raises(LookupError, match="/v1/models/"):
        openapi.document([Row(("GET",), ("/v1/models/{wish}",), "getModel")])


def test_two_operations_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="healthCheck"):
        openapi.document([Row(("GET",), ("/health",), "healthCheck"), Row(("GET",), ("/h",), "healthCheck")])


REQUESTS = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.just([{"role": "user", "content": "Hi"}])},
    optional={
        "temperature": st.floats(-1, 3) | st.booleans(),
        "top_p": st.floats(-1, 2) | st.none(),
        "n": st.integers(-1, 130) | st.just("1"),
        "stop": st.text() | st.lists(st.text(), max_size=6),
        "top_logprobs": st.integers(-1, 22),
        "logit_bias": st.dictionaries(st.text(), st.integers(-101, 101)),
        "reasoning_effort": st.sampled_from(["low", "none", "utmost"]),
        "tool_choice": st.sampled_from(["auto", "any", {"type": "function"}, {"type": "custom"}]),
        "response_format": st.sampled_from([{"type": "text"}, {"type": "json_schema"}, {"type": "yaml"}]),
        "stream": st.booleans() | st.none(),
        "metadata": st.none() | st.dictionaries(st.text(), st.text()),
    },
)


@given(REQUESTS)
def test_the_types_and_the_document_agree_on_requests(request_: dict[str, object]) -> None:
    try:
        CreateChatCompletionRequest.model_validate(request_)
    except ValidationError:
        accepted = False
    else:
        accepted = True
    assert validator("CreateChatCompletionRequest").is_valid(request_) == accepted
