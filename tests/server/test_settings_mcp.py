"""Where MCP servers are named, and what is refused."""

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
    mcp = load(
        environ={"MCP_SERVERS": " http://a/mcp, ,http://b:1/x/,http://a/mcp"}, dotenv=None
    ).settings.mcp
    assert [server.url for server in mcp.servers] == ["http://a/mcp", "http://b:1/x/"]
    assert mcp.tool_mode == "selector"


WHOLE = """
mcp:
  servers:
    - http://plain/mcp
    - name: search
      url: https://search/mcp
      token_env: SEARCH_TOKEN
      headers: {X-Team: secret-team}
      query: {project_ref: secret-project}
      timeout: 2m
      include: [Web_Search]
    - command: mcp-files
      args: [--root, /srv, ""]
      env: {KEY: secret-key}
      exclude: write,move
"""


def test_an_entry_of_the_file_says_more() -> None:
    loaded = load_text(WHOLE, SEARCH_TOKEN="secret-token")
    plain, search, files = loaded.settings.mcp.servers
    assert plain.url == "http://plain/mcp"
    assert (search.name, search.timeout, search.include) == ("search", 120.0, ("web_search",))
    assert search.token == Secret("secret-token")
    assert search.headers == {"x-team": Secret("secret-team")}
    assert search.query == {"project_ref": Secret("secret-project")}
    assert (files.command, files.args) == ("mcp-files", ("--root", "/srv"))
    assert files.env == {"KEY": Secret("secret-key")}
    assert files.exclude == ("write", "move")


def test_what_is_in_effect_shows_no_secret() -> None:
    loaded = load_text(WHOLE, SEARCH_TOKEN="secret-token")
    rows = {row.name: row for row in effective(loaded)}
    assert "secret" not in "".join(row.value for row in rows.values())
    assert "secret" not in repr(loaded.settings)
    assert rows["MCP_SERVERS"].value == "http://plain/mcp,https://search/mcp,mcp-files"
    assert rows["mcp.servers.2.token"].value == "********"
    assert rows["mcp.servers.2.token"].source == "environment"
    assert rows["mcp.servers.3.env.KEY"].source == "gateway.yaml:14"


def test_the_variable_comes_before_the_file() -> None:
    loaded = load_text(WHOLE, MCP_SERVERS="http://other/mcp", SEARCH_TOKEN="x")
    assert [server.url for server in loaded.settings.mcp.servers] == ["http://other/mcp"]


def test_old_names_work() -> None:
    mcp = load(environ={"MCP_ENABLE": "true", "EXPOSE_MCP": "1", "MCP_POLLING_ENABLE": "0"}, dotenv=None)
    settings = mcp.settings.mcp
    assert (settings.enabled, settings.expose, settings.polling_enabled) == (True, True, False)
    assert len(mcp.warnings) == 3


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: x}", "give a url or a command, and not both"),
        ("{url: 'http://a', command: b}", "give a url or a command, and not both"),
        ("{command: b, token: x}", "a program takes no headers, no query and no token"),
        ("{command: b, query: {a: b}}", "a program takes no headers, no query and no token"),
        ("{url: 'http://a', query: {a: [b]}}", "not a parameter: give `name: value`"),
        ("{url: 'http://a/?b=c'}", "give `query` in an entry of the file"),
        ("{url: 'http://u:p@a'}", "use the `token` of an entry of the file"),
        ("{url: 'http://a', args: [b]}", "args and env go with a command"),
        ("{url: 'http://a', token: x, token_env: Y}", "stands beside token; keep one"),
        ("{url: 'http://a', token_env: NOT_SET}", "NOT_SET is not set"),
        ("{url: 'http://a', name: My_Server}", "is not a name of up to 24 of a-z, 0-9 and -"),
        ("{url: 'http://a', tools: [b]}", "'tools' is not a setting"),
        ("{url: 'http://a', headers: {Host: b}}", "this header belongs to the connection"),
        ("{url: 'ftp://a'}", "the URL does not begin with http:// or https://"),
        ("stdio:mcp-files", "the URL does not begin with http:// or https://"),
    ],
)
def test_what_an_entry_must_not_say_is_named_with_its_line(entry: str, problem: str) -> None:
    found = problem_of(f"mcp:\n  servers:\n    - {entry}\n")
    assert found.startswith("gateway.yaml:3: mcp.servers.1")
    assert problem in found


def test_two_servers_of_one_name_are_refused() -> None:
    entries = "[{url: 'http://a', name: x}, {url: 'http://b', name: x}]"
    assert "another server has this name" in problem_of(f"mcp:\n  servers: {entries}\n")


def test_programs_are_never_started_from_the_variable() -> None:
    with pytest.raises(SettingsError, match="does not begin with http"):
        load(environ={"MCP_SERVERS": "mcp-server-time"}, dotenv=None)
