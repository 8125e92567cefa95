"""Settings from a YAML file: its places, and what it must not say."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_gateway.server.configuration import Loaded, SettingsError, load
from inference_gateway.server.settings import FEATURE_SECTIONS, Settings


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load_text(text: str, **environ: str) -> Loaded:
    Path("gateway.yaml").write_text(text, encoding="utf-8")
    return load(environ=environ, config="gateway.yaml", dotenv=None)


def problems_of(text: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_text(text, **environ)
    assert all("\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def test_the_file_says_what_variables_say() -> None:
    text = """
log_level: warning
allowed_models: [GPT-4o, "openai/o3"]
disallowed_models: a, b
server:
  port: 0x10
  read_timeout: 30
  idle_timeout: 0s
client: {tls_min_version: TLS13}
mock: {enabled: true}
"""
    loaded = load_text(text)
    assert loaded.settings.log_level == "warning"
    assert loaded.settings.allowed_models == {"gpt-4o", "openai/o3"}
    assert loaded.settings.disallowed_models == {"a", "b"}
    assert loaded.settings.server.port == 16
    assert loaded.settings.server.read_timeout == 30.0
    assert loaded.settings.server.idle_timeout is None
    assert loaded.settings.client.tls_min_version == "TLS13"
    assert loaded.settings.mock.enabled is True
    assert loaded.sources["SERVER_PORT"] == "gateway.yaml:6"


def test_variables_come_before_the_file() -> None:
    loaded = load_text("server: {port: 1, host: '::1'}", SERVER_PORT="2")
    assert (loaded.settings.server.port, loaded.settings.server.host) == (2, "::1")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "server:\n", "server: {port: null, host: ''}\n", "~"]
)
def test_nothing_said_is_the_defaults(text: str) -> None:
    assert load_text(text).settings == Settings()


def test_anchors_and_a_byte_order_mark_are_fine() -> None:
    loaded = load_text("\ufeffserver: {read_timeout: &t 7s, write_timeout: *t}")
    assert loaded.settings.server.write_timeout == 7.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("servr: {}", "gateway.yaml:1: 'servr' is not a setting; did you mean server?"),
        ("\nserver:\n  prot: 1", "gateway.yaml:3: server: 'prot' is not a setting; did you mean port?"),
        ("SERVER_PORT: 1", "gateway.yaml:1: 'SERVER_PORT' is not a setting; did you mean server.port?"),
        ("models: {q: 1}", "gateway.yaml:1: models: 'q' is not a setting; there are cache_ttl, timeout"),
        (
            "server: {port: 1,\n port: 2}",
            "gateway.yaml:2: server: 'port' stands here and in line 1; keep one",
        ),
        ("mock: {}\nmock: {}", "gateway.yaml:2: the file: 'mock' stands here and in line 1; keep one"),
        ("server: 8080", "gateway.yaml:1: server: not a section; give `name: value` lines"),
        ("- a", "gateway.yaml:1: the file: not a section; give `name: value` lines"),
        ("server: {port: [1]}", "gateway.yaml:1: server.port: a list; give one value"),
        ("server: {port: {a: 1}}", "gateway.yaml:1: server.port: not plain text, a number or true or false"),
        ("server: {port: !!python/name:os 1}", "gateway.yaml:1: server.port: not plain text, a number"),
        ("allowed_models: [[a]]", "gateway.yaml:1: allowed_models: not plain text, a number"),
        ("? [a]\n: 1", "gateway.yaml:1: the file: a key must be a name"),
        ("a: b: c", "gateway.yaml:1: not YAML: mapping values are not allowed here"),
        ("mock: {}\n---\nmock: {}", "gateway.yaml:2: not YAML: but found another document"),
        ("mock: *gone", "gateway.yaml:1: not YAML: found undefined alias '…'"),
        ("mock: {enabled: yes}", "gateway.yaml:1: mock.enabled: 'yes' is not true or false"),
        ("server: {read_timeout: 1:30}", "gateway.yaml:1: server.read_timeout: '1:30' is not a duration"),
        ("mcp: {enabeld: true}", "gateway.yaml:1: mcp: 'enabeld' is not a setting; did you mean enabled?"),
        ("auth: true", "gateway.yaml:1: auth: not a section; give `name: value` lines"),
        ("enable_images: true", "gateway.yaml:1: enable_images: the Images API is not part of this version"),
        ("client: {compat: official-sdks}", "gateway.yaml:1: client.compat: rewriting relayed answers"),
        ("\x07", "gateway.yaml:1: not YAML: it has a character or a number that YAML does not allow"),
        ('a: "\\U7fffffff"', "gateway.yaml:1: not YAML: it has a character or a number"),
        ("[" * 5000, "gateway.yaml:1: nested too deeply"),
    ],
)
def test_what_the_file_must_not_say_is_named_with_its_line(text: str, problem: str) -> None:
    (found,) = problems_of(text)
    assert found.startswith(problem)


@pytest.mark.parametrize("section", FEATURE_SECTIONS)
def test_a_missing_features_section_is_taken_while_off(section: str) -> None:
    assert load_text(f"{section}: {{enabled: false, anything: [1, {{a: b}}]}}").settings == Settings()
    (problem,) = problems_of(f"{section}: {{enabled: true}}")
    assert problem.endswith("leave it unset or set it to false")


def test_a_variable_can_switch_off_what_the_file_switches_on() -> None:
    assert load_text("a2a: {enabled: true}", A2A_ENABLE="false").settings == Settings()


def test_the_file_that_is_named_must_be_there_and_be_of_a_sane_size() -> None:
    with pytest.raises(SettingsError, match=r"^gone\.yaml: no such file$"):
        load(environ={"GATEWAY_CONFIG_PATH": "gone.yaml"}, dotenv=None)
    (problem,) = problems_of("#" * 1_048_577)
    assert problem == "gateway.yaml: larger than 1048576 bytes"


def test_the_command_lines_file_comes_before_the_variables() -> None:
    Path("other.yaml").write_text("server: {port: 5}")
    assert load_text("server: {port: 6}", GATEWAY_CONFIG_PATH="other.yaml").settings.server.port == 6


def test_aliases_cannot_make_a_small_file_large() -> None:
    headers = ", ".join(f"h{n}: v" for n in range(150))
    aliases = "\n".join(f"  p{n}: {{url: 'http://h', headers: *h}}" for n in range(150))
    (problem,) = problems_of(f"providers:\n  p: {{url: 'http://h', headers: &h {{{headers}}}}}\n{aliases}\n")
    assert "more than 10000 entries" in problem


def test_a_file_that_contains_itself_comes_to_an_end() -> None:
    assert problems_of("providers: &p\n  p: *p\n") != ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.text(alphabet="serv:port- \n'\"{}[]&*!|>%@#?,\\Ux01\t", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SettingsError):
        load_text(text)
