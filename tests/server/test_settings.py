"""Settings from the environment and `.env`: who wins, what is refused, what is only warned of."""

import copy
import json
import pickle
from pathlib import Path

import msgspec
import pytest

from inference_gateway.server.configuration import SettingsError, effective, load, load_process_settings
from inference_gateway.server.configuration.catalogue import SETTINGS
from inference_gateway.server.settings import MISSING_FEATURES, Secret, Settings


def settings_of(**environ: str) -> Settings:
    return load(environ=environ, dotenv=None).settings


def problems_of(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ, dotenv=None)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def warnings_of(**environ: str) -> tuple[str, ...]:
    return load(environ=environ, dotenv=None).warnings


def test_nothing_given_is_the_defaults() -> None:
    loaded = load(environ={}, dotenv=None)
    assert loaded.settings == Settings()
    assert loaded.warnings == ()
    assert set(loaded.sources.values()) == {"default"}


def test_defaults_are_the_documented_ones() -> None:
    settings = settings_of()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.client.response_header_timeout == 600.0
    assert settings.client.stream_idle_timeout == 300.0
    assert settings.client.timeout is None
    assert settings.mock.enabled is None
    assert settings.log_level == "info"


def test_each_kind_is_read() -> None:
    settings = settings_of(
        SERVER_PORT="0x1F90",
        SERVER_HOST="::1",
        SERVER_READ_TIMEOUT="1m30s",
        CLIENT_TIMEOUT="2.5",
        CLIENT_TLS_MIN_VERSION="TLS13",
        ENABLE_VISION="T",
        MOCK_ENABLED="0",
        ALLOWED_MODELS=" GPT-4o , openai/o3,",
        FORWARD_REQUEST_HEADERS="X-Team, x-team, X-Trace",
        SERVER_CORS_ORIGINS="https://App.example:443, http://[::1]:3000",
    )
    assert settings.server.port == 8080
    assert settings.server.host == "::1"
    assert settings.server.read_timeout == 90.0
    assert settings.client.timeout == 2.5
    assert settings.client.tls_min_version == "TLS13"
    assert settings.enable_vision is True
    assert settings.mock.enabled is False
    assert settings.allowed_models == {"gpt-4o", "openai/o3"}
    assert settings.forward_request_headers == ("x-team", "x-trace")
    assert settings.server.cors_origins == ("https://app.example", "http://[::1]:3000")


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_variable_counts_as_unset(blank: str) -> None:
    loaded = load(environ={"SERVER_PORT": blank, "OPENAI_API_KEY": blank, "MCP_ENABLED": blank}, dotenv=None)
    assert loaded.settings == Settings()
    assert loaded.sources["SERVER_PORT"] == "default"


def test_zero_is_no_bound_for_a_timeout_and_at_once_for_other_durations() -> None:
    settings = settings_of(
        SERVER_READ_TIMEOUT="0s", CLIENT_CONNECT_TIMEOUT="0", SERVER_DRAIN_TIMEOUT="0", MODELS_CACHE_TTL="0"
    )
    assert settings.server.read_timeout is None
    assert settings.client.connect_timeout is None
    assert settings.server.drain_timeout == 0.0
    assert settings.models.cache_ttl == 0.0


@pytest.mark.parametrize(("given", "size"), [("0", 10_485_760), ("-1", 10_485_760), ("512", 512)])
def test_a_body_size_of_zero_or_less_is_the_default(given: str, size: int) -> None:
    assert settings_of(SERVER_MAX_REQUEST_BODY_SIZE=given).server.max_request_body_size == size


def test_development_logs_at_debug_level_unless_told_otherwise() -> None:
    assert settings_of(ENVIRONMENT="development").log_level == "debug"
    assert settings_of(ENVIRONMENT="development", LOG_LEVEL="WARNING").log_level == "warning"


def test_the_environment_comes_before_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("SERVER_PORT=1\n\n# a comment\n\nexport SERVER_HOST='::'\nCLIENT_TIMEOUT=5s # why\n")
    loaded = load(environ={"SERVER_PORT": "2"}, dotenv=str(dotenv))
    assert (loaded.settings.server.port, loaded.settings.server.host) == (2, "::")
    assert loaded.settings.client.timeout == 5.0
    assert loaded.sources["SERVER_PORT"] == "environment"
    assert loaded.sources["SERVER_HOST"] == f"{dotenv}:5"
    assert loaded.sources["CLIENT_TIMEOUT"] == f"{dotenv}:6"


def test_an_empty_variable_leaves_the_word_to_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("SERVER_PORT=1\n")
    assert load(environ={"SERVER_PORT": ""}, dotenv=str(dotenv)).settings.server.port == 1


def test_dotenv_expands_nothing_and_its_last_word_counts(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("OPENAI_API_KEY=first\nOPENAI_API_KEY=${HOME}\n")
    provider = load(environ={"HOME": "/root"}, dotenv=str(dotenv)).settings.providers["openai"]
    assert provider.api_key == Secret("${HOME}")


def test_a_bad_line_of_dotenv_is_named_and_not_shown(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("A=1\n\nsk-secret key\n")
    with pytest.raises(SettingsError) as caught:
        load(environ={}, dotenv=str(dotenv))
    assert caught.value.problems == (f"{dotenv}:3: not a line of the form NAME=value",)


def test_a_missing_dotenv_is_fine_and_an_unreadable_one_is_not(tmp_path: Path) -> None:
    assert load(environ={}, dotenv=str(tmp_path / "none")).settings == Settings()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(environ={}, dotenv=str(tmp_path))
    (tmp_path / "latin").write_bytes(b"A=\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(environ={}, dotenv=str(tmp_path / "latin"))


def test_the_process_is_read_with_its_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("GATEWAY_CONFIG_PATH=gateway.yaml\n")
    (tmp_path / "gateway.yaml").write_text("server:\n  port: 9001\n")
    (tmp_path / "other.yaml").write_text("server:\n  port: 9002\n")
    monkeypatch.setenv("SERVER_HOST", "0.0.0.0")
    loaded = load_process_settings()
    assert (loaded.settings.server.host, loaded.settings.server.port) == ("0.0.0.0", 9001)
    assert loaded.sources["SERVER_PORT"] == "gateway.yaml:2"
    assert load_process_settings("other.yaml").settings.server.port == 9002


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SERVER_PORT", "70000", "'70000' is out of bounds; give 0 to 65535"),
        ("SERVER_PORT", "-1", "'-1' is out of bounds; give 0 to 65535"),
        ("SERVER_PORT", "80a", "'80a' is not a whole number"),
        ("SERVER_PORT", "010", "'010' is not a whole number"),
        ("SERVER_MAX_CONNECTIONS", "0", "'0' is out of bounds; give 1 or more"),
        ("SERVER_READ_TIMEOUT", "-5s", "'-5s' is negative; give a duration from 0 on, such as 30s"),
        ("SERVER_DRAIN_TIMEOUT", "9999999h", "'9999999h' is out of bounds; give at most a hundred years"),
        (
            "CLIENT_TIMEOUT",
            "soon",
            "'soon' is not a duration; give one such as 30s, 1m30s or 250ms, or seconds",
        ),
        ("ENABLE_VISION", "yes", "'yes' is not true or false"),
        ("MOCK_ENABLED", "TrUe", "'TrUe' is not true or false"),
        ("LOG_LEVEL", "loud", "'loud' is not one of debug, info, warning, error"),
        ("ENVIRONMENT", "staging", "'staging' is not one of production, development"),
        ("CLIENT_TLS_MIN_VERSION", "TLS11", "'TLS11' is not one of TLS12, TLS13"),
        (
            "SERVER_HOST",
            "http://x",
            "'http://x' is not an address or a host name; give one such as 0.0.0.0 or ::1",
        ),
        ("SSL_CERT_FILE", "/no/such.pem", "cannot read '/no/such.pem': No such file or directory"),
        ("FORWARD_REQUEST_HEADERS", "Cookie", "'cookie' is never passed on to a provider; take it out"),
        ("FORWARD_REQUEST_HEADERS", "Proxy-X", "'proxy-x' is never passed on to a provider; take it out"),
        (
            "SERVER_CORS_ORIGINS",
            "*,http://a",
            "`*` allows every origin already; give it alone, or origins without it",
        ),
        (
            "SERVER_CORS_ORIGINS",
            "https://a/",
            "an origin has no path and no slash at its end; give one such as https://app.example.com",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_could(name: str, value: str, reason: str) -> None:
    assert problems_of(**{name: value}) == (f"environment: {name}: {reason}",)


def test_a_header_to_forward_must_be_a_name_and_is_not_shown_if_it_is_none() -> None:
    (problem,) = problems_of(FORWARD_REQUEST_HEADERS="Authorization: Bearer sk-1")
    assert "not a header's name" in problem
    assert "sk-1" not in problem


@pytest.mark.parametrize(
    "header",
    [
        "authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "forwarded",
        "x-forwarded-for",
        "proxy-authorization",
        "host",
        "content-length",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "accept-encoding",
    ],
)
def test_a_header_that_is_never_forwarded_cannot_be_asked_for(header: str) -> None:
    assert len(problems_of(FORWARD_REQUEST_HEADERS=header.title())) == 1


def test_all_problems_are_reported_at_once() -> None:
    found = problems_of(SERVER_PORT="x", LOG_LEVEL="x", OPENAI_API_URL="x", AUTH_ENABLED="true")
    assert len(found) == 4


@pytest.mark.parametrize("feature", MISSING_FEATURES, ids=lambda feature: feature.switches[0])
def test_a_missing_feature_is_taken_while_off_and_refused_when_on(feature: object) -> None:
    assert isinstance(feature, type(MISSING_FEATURES[0]))
    on = {"false": "true", "true": "0", "": "anything"}[feature.off]
    others = dict.fromkeys(feature.settings, "whatever")
    assert settings_of(**dict.fromkeys(feature.switches, feature.off), **others) == Settings()
    for name in feature.switches:
        (problem,) = problems_of(**{name: on})
        assert problem.startswith(
            f"environment: {name}: {feature.title} is not part of this version; leave it"
        )
    assert len(problems_of(**dict.fromkeys(feature.switches, on))) == 1


def test_a_switch_of_a_missing_feature_must_be_true_or_false() -> None:
    assert problems_of(AUTH_ENABLED="perhaps") == (
        "environment: AUTH_ENABLED: 'perhaps' is not true or false",
    )


def test_switching_off_in_the_environment_overrules_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("MCP_ENABLED=true\n")
    assert load(environ={"MCP_ENABLED": "false"}, dotenv=str(dotenv)).settings == Settings()


def test_an_old_name_works_with_a_warning() -> None:
    assert warnings_of(AUTH_ENABLE="false") == (
        "environment: AUTH_ENABLE is an old name of AUTH_ENABLED; use the new one",
    )
    assert warnings_of(METRICS_PUSH_ENABLED="1") == (
        "environment: METRICS_PUSH_ENABLED is an old name of TELEMETRY_METRICS_PUSH_ENABLED; use the new one",
    )


def test_two_names_of_one_setting_may_agree_and_must_not_differ() -> None:
    assert len(warnings_of(AUTH_ENABLE="false", ENABLE_AUTH="0", AUTH_ENABLED="F")) == 2
    (problem,) = problems_of(AUTH_ENABLE="true", AUTH_ENABLED="false")
    assert (
        "AUTH_ENABLE and AUTH_ENABLED are two names of one setting and differ; keep AUTH_ENABLED" in problem
    )
    assert "AUTH_ENABLE and ENABLE_AUTH are two names" in problems_of(AUTH_ENABLE="0", ENABLE_AUTH="1")[0]
    (problem,) = problems_of(OIDC_CLIENT_SECRET="hush-1", AUTH_OIDC_CLIENT_SECRET="hush-2")
    assert "hush" not in problem


@pytest.mark.parametrize(
    ("name", "likely"),
    [("SERVER_PROT", "SERVER_PORT"), ("OPENAI_APIKEY", "OPENAI_API_KEY"), ("MCP_ENABELD", "MCP_ENABLED")],
)
def test_a_misspelt_variable_is_pointed_out(name: str, likely: str) -> None:
    assert warnings_of(**{name: "x"}) == (f"environment: {name} is not a setting; did you mean {likely}?",)


def test_other_programs_variables_are_left_alone() -> None:
    assert (
        warnings_of(PATH="/bin", OPENAI_ORG_ID="x", SERVER_SOFTWARE="y", HTTPS_PROXY="z", LOGNAME="r") == ()
    )


def test_variables_without_effect_are_taken_silently() -> None:
    loaded = load(
        environ={"APPLICATION_NAME": "x", "DEBUG_MAX_MESSAGES": "5", "CLIENT_DISABLE_COMPRESSION": "true"},
        dotenv=None,
    )
    assert loaded.settings == Settings()
    assert loaded.warnings == ()


def test_what_is_in_effect_can_be_given_again_and_is_the_same() -> None:
    given = {
        "SERVER_READ_TIMEOUT": "90s",
        "CLIENT_TIMEOUT": "0",
        "SERVER_IDLE_TIMEOUT": "0",
        "ALLOWED_MODELS": "b,a",
        "SERVER_CORS_ORIGINS": "*",
    }
    loaded = load(environ=given, dotenv=None)
    again = {row.name: row.value for row in effective(loaded)}
    assert load(environ=again, dotenv=None).settings == loaded.settings
    assert {row.name for row in effective(loaded)} >= {setting.variable for setting in SETTINGS}


def test_a_secret_shows_itself_to_reveal_alone() -> None:
    secret = Secret("sk-hush")
    assert secret.reveal() == "sk-hush"
    assert "hush" not in f"{secret} {secret!r} {secret:>20} {[secret]}"
    assert (secret == Secret("sk-hush"), secret == Secret("x"), secret == "sk-hush") == (True, False, False)
    assert len({secret, Secret("sk-hush")}) == 1
    assert copy.deepcopy({"key": secret}) == {"key": secret}
    assert copy.copy(secret) is secret


def test_a_secret_cannot_be_written_out_by_accident() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("x"))
    with pytest.raises(TypeError):
        json.dumps(Secret("x"))
    with pytest.raises(TypeError):
        msgspec.json.encode(Secret("x"))
