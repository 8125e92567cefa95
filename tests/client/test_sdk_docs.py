"""The SDK's document and examples do what they say: every block and every program is run."""

import ast
import asyncio
import io
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = "http://localhost:8080"
DOCUMENTED_AGENT = "http://localhost:9100"
PAGE = (ROOT / "docs" / "sdk.md").read_text()
BLOCKS = [
    (PAGE[: found.start()].count("\n") + 2, found[1])
    for found in re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
EXAMPLES = sorted((ROOT / "examples").glob("sdk_*.py"))


async def openai(call: Call) -> None:
    await call.respond_json({"object": "list", "data": []})


@pytest.fixture
def gateway(
    start_gateway: Callable[..., FakeGateway],
    start_provider: Callable[..., FakeProvider],
    monkeypatch: pytest.MonkeyPatch,
) -> FakeGateway:
    """A gateway with the built-in provider, and something that stands for OpenAI's own API."""
    url = start_provider(openai).url
    gateway = start_gateway(
        MOCK_ENABLED="true", ENABLE_VISION="true", OPENAI_API_KEY="sk-test", OPENAI_API_URL=url
    )
    monkeypatch.setenv("INFERENCE_GATEWAY_URL", f"{gateway.url}/v1")
    return gateway


@pytest.mark.parametrize(("line", "text"), BLOCKS, ids=[f"sdk.md:{line}" for line, _ in BLOCKS])
def test_a_block_of_the_document_runs_as_it_stands(
    gateway: FakeGateway, agents: Agents, line: int, text: str
) -> None:
    here = text.replace(DOCUMENTED, gateway.url).replace(DOCUMENTED_AGENT, f"{agents.url}/new")
    placed = "\n" * (line - 1) + here
    code = compile(placed, "docs/sdk.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {}
    waiting = eval(code, names)
    if waiting is not None:
        asyncio.run(waiting)
    if "client" in names and hasattr(names["client"], "session"):
        names["client"].close()


def test_the_document_shows_every_method_of_a_client() -> None:
    from inference_gateway import InferenceGatewayClient

    methods = [name for name in vars(InferenceGatewayClient) if not name.startswith("_")]
    told_otherwise = {"close", "session", "client"}
    assert [name for name in methods if name not in PAGE and name not in told_otherwise] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(
    gateway: FakeGateway, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello there\n\n"))
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()
