"""Which fields cross, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.transport import headers
from inference_gateway.server.transport.headers import RequestHeaderRule
from inference_gateway.server.transport.messages import Header

NEVER_ASKED = [
    b"authorization",
    b"connection",
    b"content-length",
    b"cookie",
    b"forwarded",
    b"host",
    b"keep-alive",
    b"api-key",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"via",
    b"anthropic-api-key",
    b"openai-api-key",
    b"x-api-key",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-gateway-timeout",
    b"x-goog-api-key",
    b"x-real-ip",
    b"x-request-id",
]
ALWAYS_ASKED = [b"traceparent", b"tracestate", b"anthropic-version", b"openai-organization"]
OF_A_RAW_BODY = [b"accept", b"accept-encoding", b"content-encoding", b"content-type", b"range"]
NEVER_ANSWERED = [
    *sorted(headers.HOP_BY_HOP),
    b"access-control-allow-origin",
    b"alt-svc",
    b"content-length",
    b"date",
    b"server",
    b"set-cookie",
    b"strict-transport-security",
]


@pytest.mark.parametrize("name", NEVER_ASKED)
def test_credentials_cookies_and_hops_never_reach_a_provider(name: bytes) -> None:
    rule = RequestHeaderRule()
    assert rule.inference([(name, b"1")]) == []
    assert rule.raw([(name, b"1")]) == []


@pytest.mark.parametrize("name", ALWAYS_ASKED)
def test_traces_and_the_dialects_own_fields_reach_every_provider(name: bytes) -> None:
    rule = RequestHeaderRule()
    assert rule.inference([(name, b"1")]) == [(name, b"1")]
    assert rule.raw([(name, b"1")]) == [(name, b"1")]


@pytest.mark.parametrize("name", OF_A_RAW_BODY)
def test_what_describes_a_body_goes_only_where_the_body_itself_does(name: bytes) -> None:
    rule = RequestHeaderRule()
    assert rule.inference([(name, b"1")]) == []
    assert rule.raw([(name, b"1")]) == [(name, b"1")]


def test_further_names_cross_where_an_operator_says_so() -> None:
    rule = RequestHeaderRule(["x-tenant"])
    fields = [(b"x-tenant", b"a"), (b"x-other", b"b"), (b"x-tenant", b"c")]
    assert rule.inference(fields) == [(b"x-tenant", b"a"), (b"x-tenant", b"c")]
    assert rule.raw(fields) == [(b"x-tenant", b"a"), (b"x-tenant", b"c")]


@pytest.mark.parametrize("value", [b"openai-beta", b"close, OpenAI-Beta", b"close,\topenai-beta ,"])
def test_what_a_request_names_in_its_connection_field_ends_here(value: bytes) -> None:
    rule = RequestHeaderRule(["x-tenant"])
    fields = [(b"connection", value), (b"openai-beta", b"1"), (b"x-tenant", b"a")]
    assert rule.raw(fields) == [(b"x-tenant", b"a")]
    assert rule.inference(fields) == [(b"x-tenant", b"a")]


def test_all_connection_fields_count() -> None:
    fields = [(b"connection", b"close, A"), (b"x", b"1"), (b"connection", b" b ,c")]
    assert headers.connection_options(fields) >= {b"close", b"a", b"b", b"c"}
    assert headers.connection_options([(b"x", b"1")]) == frozenset()


@pytest.mark.parametrize(
    "name",
    [
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"ratelimit",
        b"ratelimit-policy",
        b"x-ratelimit-remaining-tokens",
        b"anthropic-ratelimit-requests-reset",
    ],
)
def test_limits_come_back_on_every_answer(name: bytes) -> None:
    assert headers.limits_and_ids([(name, b"1")]) == [(name, b"1")]
    assert headers.raw_answer([(name, b"1")]) == [(name, b"1")]


def test_the_id_that_a_provider_gave_comes_back_under_a_name_of_its_own() -> None:
    kept = [(b"x-upstream-request-id", b"req-1")]
    assert headers.limits_and_ids([(b"x-request-id", b"req-1")]) == kept
    assert headers.limits_and_ids([(b"request-id", b"req-1")]) == kept
    assert headers.raw_answer([(b"x-request-id", b"req-1")]) == kept
    assert (b"x-upstream-request-id", b"req-1") in headers.raw_answer([(b"request-id", b"req-1")])


@pytest.mark.parametrize("name", NEVER_ANSWERED)
def test_hops_cookies_and_the_gateways_own_fields_do_not_come_back(name: bytes) -> None:
    assert headers.raw_answer([(name, b"1")]) == []
    assert headers.limits_and_ids([(name, b"1")]) == []


def test_what_an_answer_names_in_its_connection_field_ends_here() -> None:
    fields = [
        (b"connection", b"X-Hop"),
        (b"x-hop", b"1"),
        (b"x-stays", b"2"),
        (b"content-type", b"text/plain"),
    ]
    assert headers.raw_answer(fields) == [(b"x-stays", b"2"), (b"content-type", b"text/plain")]


NAMES = st.sampled_from([*NEVER_ASKED, *ALWAYS_ASKED, *OF_A_RAW_BODY, b"x-other", b"connection"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"1", b"close", b"traceparent, x-other", b""])))


@given(FIELDS)
def test_a_rule_only_ever_leaves_out(fields: list[Header]) -> None:
    rule = RequestHeaderRule()
    for kept in (rule.inference(fields), rule.raw(fields)):
        rest = iter(fields)
        assert all(field in rest for field in kept)  # the same fields in the same order
        assert not {name for name, _ in kept} & {*NEVER_ASKED, *headers.connection_options(fields)}
