"""The providers' settings: built in and custom, and that no key gets into a message."""

from pathlib import Path

import pytest

from inference_gateway.server.configuration import Loaded, SettingsError, effective, load
from inference_gateway.server.settings import BUILT_IN_PROVIDERS, ProviderSettings, Secret


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load_text(text: str = "", **environ: str) -> Loaded:
    Path("gateway.yaml").write_text(text, encoding="utf-8")
    return load(environ=environ, config="gateway.yaml")


def problems_of(text: str = "", **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_text(text, **environ)
    return caught.value.problems


def test_every_built_in_provider_is_there_with_nothing_given() -> None:
    providers = load_text().settings.providers
    assert tuple(providers) == BUILT_IN_PROVIDERS
    assert providers["openai"] == ProviderSettings(id="openai")


@pytest.mark.parametrize("id", BUILT_IN_PROVIDERS)
def test_a_built_in_provider_is_set_by_its_variables(id: str) -> None:
    environ = {f"{id.upper()}_API_URL": "http://localhost:11434/v1/", f"{id.upper()}_API_KEY": " sk-1\n"}
    provider = load_text(**environ).settings.providers[id]
    assert provider == ProviderSettings(id=id, url="http://localhost:11434/v1", api_key=Secret("sk-1"))


def test_cloudflare_has_an_account() -> None:
    assert load_text(CLOUDFLARE_ACCOUNT_ID="ab12").settings.providers["cloudflare"].account_id == "ab12"
    text = "providers: {cloudflare: {account_id: cd34}}"
    assert load_text(text).settings.providers["cloudflare"].account_id == "cd34"
    (problem,) = problems_of("providers: {openai: {account_id: x}}")
    assert "'account_id' is not a setting" in problem


def test_a_custom_provider_has_everything_a_built_in_one_has() -> None:
    text = """
providers:
  together:
    name: Together AI
    url: https://api.together.xyz/v1/
    api_key_env: TOGETHER_API_KEY
    auth: x-header
    headers: {X-Team: a b, X-Other: 5}
    models_path: /models?limit=5
    chat_path: /chat
    accepts_stream_options: false
    reasoning_format: true
"""
    loaded = load_text(text, TOGETHER_API_KEY="sk-2")
    assert loaded.settings.providers["together"] == ProviderSettings(
        id="together",
        name="Together AI",
        url="https://api.together.xyz/v1",
        api_key=Secret("sk-2"),
        api_key_env="TOGETHER_API_KEY",
        auth="xheader",
        headers={"x-team": Secret("a b"), "x-other": Secret("5")},
        models_path="/models?limit=5",
        chat_path="/chat",
        accepts_stream_options=False,
        reasoning_format=True,
    )
    assert loaded.sources["providers.together.api_key"] == "environment"
    assert loaded.sources["providers.together.url"] == "gateway.yaml:5"


@pytest.mark.parametrize(
    ("keys", "auth"),
    [("", "none"), ("api_key: k", "bearer"), ("api_key_env: UNSET", "bearer"), ("auth: query", "query")],
)
def test_a_custom_provider_with_a_key_uses_it_as_a_bearer_token(keys: str, auth: str) -> None:
    loaded = load_text(f"providers: {{vllm: {{url: 'http://vllm:8000/v1', {keys}}}}}")
    assert loaded.settings.providers["vllm"].auth == auth


def test_the_file_changes_what_a_built_in_provider_does() -> None:
    text = "providers: {groq: {api_key: k, auth: query, chat_path: /c, headers: {X-A: b}}}"
    groq = load_text(text).settings.providers["groq"]
    assert groq == ProviderSettings(
        id="groq", api_key=Secret("k"), auth="query", chat_path="/c", headers={"x-a": Secret("b")}
    )


def test_a_named_variable_is_looked_for_in_dotenv_too() -> None:
    Path(".env").write_text("MY_KEY=from-dotenv\n")
    loaded = load_text("providers: {openai: {api_key_env: MY_KEY}}")
    assert loaded.settings.providers["openai"].api_key == Secret("from-dotenv")
    assert loaded.sources["OPENAI_API_KEY"] == ".env:1"


def test_a_named_variable_that_is_not_set_leaves_the_provider_without_a_key_and_says_so() -> None:
    loaded = load_text("providers: {openai: {api_key_env: MY_KEY}}", MY_KEY="")
    assert loaded.settings.providers["openai"].api_key is None
    assert loaded.warnings == (
        "gateway.yaml:1: providers.openai.api_key_env: MY_KEY is not set, so openai has no key",
    )


def test_a_named_variable_that_resembles_a_setting_is_no_slip() -> None:
    assert (
        load_text("providers: {openai: {api_key_env: OPENAI_API_KEY2}}", OPENAI_API_KEY2="k").warnings == ()
    )


@pytest.mark.parametrize("keys", ["api_key: in-file", "api_key_env: MY_KEY"])
def test_a_built_in_providers_own_variable_comes_before_the_file(keys: str) -> None:
    loaded = load_text(f"providers: {{openai: {{{keys}}}}}", OPENAI_API_KEY="own", MY_KEY="other")
    assert loaded.settings.providers["openai"].api_key == Secret("own")
    assert loaded.sources["OPENAI_API_KEY"] == "environment"


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        ("x: {}", "providers.x: a custom provider needs a url"),
        ("opnai: {api_key: k}", "providers.opnai: a custom provider needs a url, or did you mean openai?"),
        ("OpenAI: {url: 'http://h'}", "'OpenAI' is not an id of a-z, 0-9, _ and -; did you mean openai?"),
        ("_x: {url: 'http://h'}", "providers: '_x' is not an id"),
        ("mock: {url: 'http://h'}", "providers: 'mock' is the built-in mock; it is set by mock.enabled"),
        ("x: {url: 'http://h', api_key: k, api_key_env: K}", "api_key_env: stands beside api_key; keep one"),
        ("x: {url: 'http://h', urls: 1}", "providers.x: 'urls' is not a setting; did you mean url?"),
        ("x: {url: 'http://h', auth: basic}", "'basic' is not one of bearer, xheader, query, none"),
        ("x: {url: 'http://h', chat_path: chat}", "'chat' is not a path; give one such as /chat/completions"),
        ("x: {url: 'http://h', name: [a]}", "providers.x.name: a list; give one value"),
        ("x: {url: 'http://h', headers: {Host: a}}", "belongs to the connection and cannot be set"),
        ("x: {url: 'http://h', headers: {X-A: a, x-a: b}}", "the same header twice; keep one"),
        ('x: {url: "http://h", headers: {X-A: "a\\r\\nb"}}', "the value is not one line of ASCII"),
    ],
)
def test_a_provider_that_cannot_be_used_is_refused(provider: str, problem: str) -> None:
    (found,) = problems_of(f"providers: {{{provider}}}")
    assert problem in found


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1",
        "ftp://h",
        "http://",
        "http:///v1",
        "http://h:0",
        "http://h:99999",
        "http://h:",
        "http://h:x",
        "http://h?a=b",
        "http://h/?",
        "http://h#x",
        "http://u:hush@h",
        "http://u@h",
        "http://h/a b",
        "http://hö",
        "http://h\\@evil",
        "http://[::1",
        "http://[::g]/",
        "http://[::1]x:80",
        "http://a[::1]/",
        "http://-h",
    ],
)
def test_a_url_must_be_a_plain_one_and_is_not_shown(url: str) -> None:
    (problem,) = problems_of(OPENAI_API_URL=url)
    assert problem.startswith("environment: OPENAI_API_URL: ")
    assert "hush" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "http://ollama:8080/v1",
        "https://my_host.local",
        "http://[::1]:80/a",
        "HTTPS://API.example./v1",
        "https://api.cloudflare.com/client/v4/accounts/{ACCOUNT_ID}/ai",
    ],
)
def test_a_plain_url_is_taken(url: str) -> None:
    taken = load_text(OPENAI_API_URL=url + "//").settings.providers["openai"].url
    assert taken is not None
    assert taken.lower() == url.lower()


HUSH = "hush-5d41402a"


@pytest.mark.parametrize(
    "text",
    [
        f"providers: {{openai: {{api_key: '{HUSH} x'}}}}",
        f"providers: {{openai: {{api_key: [{HUSH}]}}}}",
        f"providers: {{openai: {{api_key: {{{HUSH}: 1}}}}}}",
        f"providers: {{openai: {{api_key:{HUSH}, url: 'http://h'}}}}",
        f"providers: {{openai: {HUSH}}}",
        f"providers: {{openai: {{api_key: *{HUSH}}}}}",
        f"providers: {{openai: {{api_key: !{HUSH}! x}}}}",
        f"providers: {{openai: {{api_key: !{HUSH} x}}}}",
        f"providers: {{openai: {{api_key: '{HUSH}",
        f"providers:\n  openai:\n    api_key: a: {HUSH}\n",
        f"providers: {{openai: {{api_key_env: {HUSH}}}}}",
        f"providers: {{openai: {{api_key: a, api_key: {HUSH}}}}}",
        f"providers: {{openai: {{url: 'https://h/?key={HUSH}'}}}}",
        f"providers: {{openai: {{headers: {{'Authorization: {HUSH}': 1}}}}}}",
        f'providers: {{openai: {{headers: {{Authorization: "{HUSH}\\0"}}}}}}',
    ],
)
def test_no_message_shows_a_key(text: str) -> None:
    assert HUSH not in "\n".join(problems_of(text))


def test_nothing_that_is_shown_shows_a_key() -> None:
    text = f"providers: {{x: {{url: 'http://h', api_key: {HUSH}, headers: {{X-A: {HUSH}}}}}}}"
    loaded = load_text(text, OPENAI_API_KEY=HUSH)
    assert HUSH not in repr(loaded)
    assert HUSH not in repr(effective(loaded))
    rows = {row.name: (row.value, row.source) for row in effective(loaded)}
    assert rows["OPENAI_API_KEY"] == ("********", "environment")
    assert rows["providers.x.api_key"] == ("********", "gateway.yaml:1")
    assert rows["providers.x.headers.x-a"] == ("********", "gateway.yaml:1")


@pytest.mark.parametrize("key", [f"{HUSH} x", f"{HUSH}\nx", f"{HUSH}\u200b", f"{HUSH}é"])
def test_a_key_with_a_stray_character_is_refused_without_being_shown(key: str) -> None:
    (problem,) = problems_of(OPENAI_API_KEY=key)
    assert problem == (
        "environment: OPENAI_API_KEY: "
        "the key has white space, a control character or a letter outside ASCII in it"
    )
