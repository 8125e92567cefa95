"""Where agents are named, and what is refused."""

from pathlib import Path

import pytest

from inference_gateway.server.configuration import Loaded, SettingsError, load
from inference_gateway.server.configuration.loading import effective
from inference_gateway.server.settings import Secret


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load_text(text: str, **environ: str) -> Loaded:
    Path("gateway.yaml").write_text(text)
    return load(environ=environ, config="gateway.yaml", dotenv=None)


def problem_of(text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_text(text, **environ)
    [problem] = caught.value.problems
    return problem


def test_a_variable_lists_urls() -> None:
    a2a = load(environ={"A2A_AGENTS": " http://a/, ,http://b:1/x,http://a"}, dotenv=None).settings.a2a
    assert [agent.url for agent in a2a.agents] == ["http://a", "http://b:1/x"]
    assert not a2a.enabled


def test_names_of_old_still_work() -> None:
    loaded = load(environ={"A2A_ENABLE": "true", "A2A_POLLING_ENABLE": "false"}, dotenv=None)
    assert loaded.settings.a2a.enabled
    assert not loaded.settings.a2a.polling_enabled
    assert len(loaded.warnings) == 2


WHOLE = """
a2a:
  agents:
    - http://plain/agent
    - name: Weather
      url: https://weather/a2a
      token_env: WEATHER_TOKEN
      headers: {X-Team: secret-team}
      timeout: 2m
      allow_other_origin: true
"""


def test_an_entry_of_the_file_says_more() -> None:
    loaded = load_text(WHOLE, WEATHER_TOKEN="secret-token")
    plain, weather = loaded.settings.a2a.agents
    assert plain.url == "http://plain/agent"
    assert not plain.allow_other_origin
    assert (weather.name, weather.timeout, weather.allow_other_origin) == ("Weather", 120.0, True)
    assert weather.token == Secret("secret-token")
    assert weather.headers == {"x-team": Secret("secret-team")}


def test_what_is_in_effect_shows_no_secret() -> None:
    loaded = load_text(WHOLE, WEATHER_TOKEN="secret-token")
    rows = {row.name: row for row in effective(loaded)}
    assert "secret" not in "".join(row.value for row in rows.values())
    assert "secret" not in repr(loaded.settings)
    assert rows["A2A_AGENTS"].value == "http://plain/agent,https://weather/a2a"
    assert rows["a2a.agents.2.token"].source == "environment"
    assert rows["a2a.agents.2.headers.x-team"].value == "********"


def test_the_variable_comes_before_the_file() -> None:
    loaded = load_text(WHOLE, A2A_AGENTS="http://other", WEATHER_TOKEN="x")
    assert [agent.url for agent in loaded.settings.a2a.agents] == ["http://other"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: x}", "a2a.agents.1: give a url"),
        ("{url: 'ftp://x'}", "a2a.agents.1.url: the URL does not begin with http:// or https://"),
        ("{url: 'http://x', command: y}", "a2a.agents.1: 'command' is not a setting"),
        ("{url: 'http://x', env: {A: b}}", "a2a.agents.1: 'env' is not a setting"),
        ("{url: 'http://x', name: Agents}", "a2a.agents.1.name: 'agents' is the path of the list of agents"),
        ("{url: 'http://x', name: '天気'}", "is not a name with a letter of a-z or a digit"),
        (
            "{url: 'http://x', token: a, token_env: B}",
            "a2a.agents.1.token_env: stands beside token; keep one",
        ),
        ("{url: 'http://x', token_env: NOT_THERE}", "a2a.agents.1.token_env: NOT_THERE is not set"),
        (
            "{url: 'http://x', name: Weather}, {url: 'http://y', name: weather}",
            "a2a.agents.2.name: another agent has this name",
        ),
    ],
)
def test_an_entry_that_cannot_be_is_refused_by_its_place(entry: str, problem: str) -> None:
    assert problem in problem_of(f"a2a: {{agents: [{entry}]}}")


def test_agents_are_not_looked_for_in_a_cluster() -> None:
    assert "A2A_SERVICE_DISCOVERY_ENABLED" in problem_of("", A2A_SERVICE_DISCOVERY_ENABLED="true")
