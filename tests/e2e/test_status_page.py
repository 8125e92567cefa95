"""The status page in a real browser, with real traffic and faults."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from fakes.browser import AXE, Visit, needs_axe, needs_chromium, running_browser
from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.loops import PATIENCE
from fakes.mcp_servers import PythonServer, ScriptedServer
from fakes.process import running
from fakes.provider import DONE, Call, FakeProvider, chunk

pytestmark = [
    needs_chromium,
    pytest.mark.own_server(reason="an ASGI gateway does not count, and the page is the same"),
]

Start = Callable[..., FakeGateway]
KEY = "a-key-of-the-settings"
SECTIONS = ("overview", "try", "services", "errors", "settings")
BROKEN_OFF = "ERR_INCOMPLETE_CHUNKED_ENCODING"
MARKUP = "<img src=x onerror='window.broken=1'><script>window.broken=1</script>"

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests here."""
    with running_browser() as started:
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open tabs; each is closed when the test ends."""
    opened: list[Visit] = []

    def start(url: str, **options: Any) -> Visit:
        opened.append(Visit(browser, url, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture
def served(start_gateway: Start) -> Start:
    """Start gateways that know their port, and so which pages are their own."""
    return lambda **environ: start_gateway(**{"SERVER_PORT": free_port(), "MOCK_ENABLED": "true", **environ})


def row(page: Page, title: str) -> str:
    """How many requests ended so, as the table of outcomes says."""
    found = page.locator(".outcomes tr").filter(has=page.locator("b", has_text=title))
    return found.locator("td").first.inner_text()


def say(page: Page, text: str, model: str = "") -> None:
    """Send a message in the chat, and wait until the answer has ended."""
    if model:
        page.get_by_label("Model", exact=True).select_option(label="Another model…")
        page.get_by_label("Its name").fill(model)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_traffic_and_faults_are_told_as_they_were(served: Start, visit: Callable[..., Visit]) -> None:
    gateway = served(CLIENT_STREAM_IDLE_TIMEOUT="200ms")
    tab = visit(gateway.url)
    page = tab.counted()
    for _ in range(4):
        assert gateway.chat(body("mock/echo")).status == 200
    for faults in ("cut_after_events=3", "stall_after_events=3", "error_event=2"):
        assert not stream(gateway, body(f"mock/lab:tokens=9,{faults}", stream=True)).whole
    gateway.chat(body("mock/lab:status=503"))
    gateway.chat(body("nobody/knows"))
    tab.look()
    expect(page.locator(".tile", has_text="Cut or stalled").locator(".value")).to_have_text("▲ 2")
    expect(page.locator(".tile", has_text="Failed").locator(".fine")).to_have_text("4 of 9 requests")
    counts = {name: row(page, name) for name in ("Complete", "Provider error", "Cut", "Stalled", "Rejected")}
    assert counts == {"Complete": "4", "Provider error": "2", "Cut": "1", "Stalled": "1", "Rejected": "1"}
    assert page.locator(".plot canvas").count() == 6
    expect(page.get_by_role("img", name="Requests, now: all")).to_be_visible()
    page.get_by_text("Show as a table").first.click()
    expect(page.get_by_role("region", name="Requests, as a table").get_by_role("row")).not_to_have_count(0)
    page.get_by_role("link", name="Services").click()
    expect(page.get_by_role("listitem").filter(has_text="Mock")).to_contain_text("Failed last at")
    page.get_by_role("link", name="Errors").click()
    failures = page.get_by_role("region", name="Failed").locator("li")
    expect(failures).to_have_count(4)
    expect(failures.last).to_contain_text("the provider's answer broke off")
    expect(failures.last.locator("code")).to_contain_text("req_")
    expect(page.get_by_role("region", name="Refused").locator("li")).to_have_count(1)
    tab.check()


def ask(port: int) -> None:
    """Have a worker, any, answer one request."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    with urlopen(Request(url, body("mock/echo")), timeout=PATIENCE) as answer:
        assert answer.status == 200


def test_totals_are_right_with_two_workers(tmp_path: Path, visit: Callable[..., Visit]) -> None:
    with running("--workers", "2", home=tmp_path) as process:
        port = process.port()
        assert process.logged("the status page is at").strip().endswith(f":{port}/ui")
        tab = visit(f"http://127.0.0.1:{port}")
        page = tab.counted()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, [port] * 40))
        tab.look()
        expect(page.locator(".tile", has_text="Failed").locator(".fine")).to_have_text("0 of 40 requests")
        assert row(page, "Complete") == "40"
        expect(page.get_by_text("2 worker processes")).to_be_visible()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus is called this."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(({labels, innerText, ariaLabel}) => labels?.[0]?.innerText || ariaLabel || innerText)"
            "(document.activeElement)"
        )
        if focused.strip() == name:
            return
    pytest.fail(f"Tab never came to {name!r}")


def test_somebody_without_a_mouse_can_chat(served: Start, visit: Callable[..., Visit]) -> None:
    tab = visit(served().url)
    page = tab.open()
    expect(page.get_by_role("heading", name="Overview")).to_be_attached()
    tab_to(page, "Try it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="mock/echo")).to_be_attached()
    tab_to(page, "Message")
    page.keyboard.type("one two three")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").last).to_have_text("The answer is complete.")
    expect(page.get_by_role("article", name="Answer").locator(".said")).to_have_text("one two three")
    tab_to(page, "curl")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Python openai")
    expect(page.get_by_role("tabpanel")).to_contain_text("from openai import OpenAI")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", selected=True)).to_have_text("TypeScript")
    tab.check()


def test_an_answer_that_is_not_whole_says_so(served: Start, visit: Callable[..., Visit]) -> None:
    tab = visit(served().url)
    page = tab.open("try")
    say(page, "hi", "mock/lab:tokens=9,cut_after_events=4")
    last = page.get_by_role("article", name="Answer").last
    expect(last.get_by_role("alert")).to_contain_text(
        "Cut. This answer is not whole: the provider's answer broke off"
    )
    say(page, "hi", "mock/lab:tokens=9,error_event=3")
    expect(last.get_by_role("alert")).to_contain_text("This answer is not whole")
    say(page, "hi", "mock/lab:status=503")
    expect(last.get_by_role("alert")).to_contain_text("Error 503.")
    expect(last).to_contain_text("req_")
    page.get_by_label("Its name").fill("mock/lab:tokens=500,tokens_per_second=50")
    page.get_by_label("Message", exact=True).fill("hi")
    page.keyboard.press("Enter")
    expect(last.locator(".said")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(last).to_contain_text("Stopped by you.")
    tab.check(BROKEN_OFF, "503")


def test_reasoning_is_shown_apart(
    served: Start, start_provider: Callable[..., FakeProvider], visit: Callable[..., Visit]
) -> None:
    async def thinks(call: Call) -> None:
        said = [{"role": "assistant"}, {"reasoning_content": "Let me see."}, {"content": "Four."}]
        await call.stream([*(chunk(delta) for delta in said), chunk({}, "stop"), DONE])

    gateway = served(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(thinks).url)
    page = visit(gateway.url).open("try")
    say(page, "2+2?", "openai/m")
    answer = page.get_by_role("article", name="Answer")
    answer.get_by_text("Reasoning").click()
    expect(answer.locator(".reasoning")).to_contain_text("Let me see.")
    expect(answer.locator("> .said")).to_have_text("Four.")


def test_a_call_that_is_not_numbered_from_0_is_one_call(
    served: Start, start_provider: Callable[..., FakeProvider], visit: Callable[..., Visit]
) -> None:
    async def calls(call: Call) -> None:
        pieces = [{"id": "c", "function": {"name": "look", "arguments": '{"a"'}}]
        pieces.append({"function": {"arguments": ": 1}"}})
        said = [{"tool_calls": [{"index": 1, **piece}]} for piece in pieces]
        await call.stream([*(chunk(delta) for delta in said), chunk({}, "tool_calls"), DONE])

    gateway = served(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(calls).url)
    page = visit(gateway.url).open("try")
    say(page, "go", "openai/m")
    expect(page.locator("section.call")).to_have_count(1)
    expect(page.get_by_label("Arguments")).to_have_text('{ "a": 1 }')


def test_tool_calls_are_shown_whoever_runs_them(served: Start, visit: Callable[..., Visit]) -> None:
    server = PythonServer()
    try:
        gateway = served(MCP_ENABLED="true", MCP_SERVERS=server.url, MCP_TOOL_MODE="direct")
        page = visit(gateway.url).open("services")
        page.get_by_text("6 tools or skills").click()
        expect(page.get_by_text("mcp_echo")).to_be_visible()
        page.get_by_role("link", name="Try it").click()
        say(page, '[[{"name": "mcp_echo", "arguments": {"text": "well"}}], "Done."]', "mock/tools")
        call = page.get_by_role("region", name="Call of the tool mcp_echo")
        expect(call).to_contain_text("run by the gateway")
        expect(call.get_by_label("Result")).to_contain_text("well")
        expect(page.get_by_role("article", name="Answer").locator("> .said")).to_have_text("Done.")
        say(page, '[[{"name": "mine", "arguments": {}}]]')
        expect(page.get_by_role("region", name="Call of the tool mine")).to_contain_text("for you to run")
        page.get_by_role("textbox", name="mine").fill("what I found")
        page.get_by_role("button", name="Send results").click()
        expect(page.get_by_role("article", name="Answer").last.locator("> .said")).to_have_text(
            "what I found"
        )
    finally:
        server.close()


def test_what_others_write_is_text_and_never_markup(
    served: Start, start_provider: Callable[..., FakeProvider], visit: Callable[..., Visit]
) -> None:
    async def script(call: Call) -> None:
        if call.method == "GET":
            await call.respond_json({"data": [{"id": MARKUP, "object": "model"}]})
        elif "refuse" in call.body.decode():
            await call.respond_json({"error": {"message": MARKUP}}, 400)
        else:
            calls = [{"index": 0, "id": MARKUP, "function": {"name": MARKUP, "arguments": MARKUP}}]
            said = [{"content": MARKUP, "reasoning_content": MARKUP}, {"tool_calls": calls}]
            await call.stream([*(chunk(delta) for delta in said), chunk({}, "stop"), DONE])

    tools = {"tools": [{"name": "act", "description": MARKUP, "inputSchema": {"type": "object"}}]}
    server = ScriptedServer({"tools/list": lambda _: tools})
    try:
        gateway = served(
            OPENAI_API_KEY="k",
            OPENAI_API_URL=start_provider(script).url,
            MCP_ENABLED="true",
            MCP_SERVERS=server.url,
            FORWARD_REQUEST_HEADERS="x-team",
        )
        gateway.chat(body(MARKUP))
        tab = visit(gateway.url)
        page = tab.open("try")
        expect(page.get_by_role("option", name=MARKUP)).to_be_attached()
        say(page, MARKUP, f"openai/{MARKUP}")
        assert page.get_by_text(MARKUP).count() >= 3
        say(page, "refuse")
        expect(page.get_by_role("alert").last).to_contain_text(MARKUP)
        page.get_by_role("link", name="Services").click()
        page.get_by_text("1 tool or skill", exact=True).click()
        expect(page.get_by_role("definition")).to_have_text(MARKUP)
        page.get_by_role("link", name="Errors").click()
        expect(page.get_by_role("region", name="Failed")).to_contain_text(MARKUP)
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("heading", name="Models asked")).to_be_visible()
        assert page.evaluate("window.broken") is None
        assert page.locator("img, main script, iframe").count() == 0
        tab.check("400")
    finally:
        server.close()


def test_a_token_is_typed_once_and_goes_nowhere_else(served: Start, visit: Callable[..., Visit]) -> None:
    gateway = served(AUTH_API_KEYS=KEY, TELEMETRY_ENABLED="true")
    tab = visit(gateway.url)
    page = tab.open()
    field = page.get_by_label("API key or token")
    expect(field).to_be_focused()
    field.fill("wrong-key-0123456789")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not good")
    field.fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Counting since")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Counting since")).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    say(page, "hi", "mock/echo")
    code = page.get_by_role("tabpanel").inner_text()
    assert KEY not in code
    assert "INFERENCE_GATEWAY_TOKEN" in code
    assert KEY not in page.content()
    assert not [url for url in tab.asked if KEY in url]
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="Forget token").click()
    expect(field).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    tab.check("401")


def test_a_key_for_some_models_can_still_chat(
    served: Start, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    command = [sys.executable, "-m", "inference_gateway.server", "keys", "create", "limited"]
    made = subprocess.run(
        [*command, "--file", path, "--models", "mock/echo"], check=True, capture_output=True, text=True
    )
    tab = visit(served(AUTH_API_KEYS_FILE=str(path)).url)
    tab.page.clock.install()
    page = tab.open()
    page.get_by_label("API key or token").fill(made.stdout.strip())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("good for some models only")
    expect(page.get_by_text("not told", exact=True)).to_be_visible()
    before = len(tab.asked)
    page.clock.run_for(50_000)
    assert len(tab.asked) == before
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_role("option", name="mock/echo")).to_be_attached()
    say(page, "hello")
    expect(page.get_by_role("article", name="Answer").locator(".said")).to_have_text("hello")


def test_it_says_when_the_gateway_is_gone_and_comes_back(served: Start, visit: Callable[..., Visit]) -> None:
    port = free_port()
    gateway = FakeGateway({"SERVER_PORT": port})
    try:
        tab = visit(gateway.url)
        page = tab.counted()
    finally:
        gateway.close()
    tab.look()
    expect(page.get_by_text("The gateway does not answer.")).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    served(SERVER_PORT=port)
    expect(page.get_by_text("The gateway was started anew")).to_be_visible()
    expect(page.get_by_text("The gateway does not answer.")).to_be_hidden()
    expect(page.get_by_role("option", name="mock/echo")).to_be_attached()
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("Counting since")).to_be_visible()
    tab.check("ERR_")


def test_nobody_asks_while_the_tab_is_hidden(served: Start, visit: Callable[..., Visit]) -> None:
    tab = visit(served().url)
    tab.page.clock.install()
    page = tab.open()
    expect(page.get_by_text("Up for")).to_be_visible()

    def hide(hidden: bool) -> None:
        page.evaluate(
            "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange')); }",
            hidden,
        )

    hide(True)
    page.clock.run_for(10_000)
    before = len(tab.asked)
    page.clock.run_for(60_000)
    assert len(tab.asked) == before
    with page.expect_request("**/ui/api/status"):
        hide(False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_fits_its_window(served: Start, visit: Callable[..., Visit], scheme: str) -> None:
    gateway = served(GROQ_API_KEY="k", GROQ_API_URL="http://127.0.0.1:1")
    for model in ("mock/lab:status=500,key=" + "x" * 60, "mock/echo", "w" * 200):
        gateway.chat(body(model))
    tab = visit(gateway.url, color_scheme=scheme)
    page = tab.counted()
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    gateway.chat(body("mock/lab:latency=0,key=" + "x" * 60))
    expect(page.locator(".plot canvas").first).to_be_visible()
    for section in SECTIONS:
        page.goto(f"{gateway.url}/ui#{section}")
        expect(page.locator(".card:visible").first).to_be_visible()
        for width in (360, 768, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            assert not tab.is_too_wide(), (section, width)
    page.get_by_role("button", name=f"{'Dark' if scheme == 'light' else 'Light'} theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") != scheme
    tab.check()


def test_a_page_that_stays_open_for_a_day_stays_small_and_quick(
    served: Start, visit: Callable[..., Visit]
) -> None:
    tab = visit(served().url)
    page = tab.open("settings")
    module = next(url for url in tab.asked if url.endswith("/main.js")).replace("main.js", "figures.js")
    told = page.evaluate(
        """async (module) => {
          const { History } = await import(module);
          const spread = () => ({ bounds: [1, 2], counts: [1, 2, 3] });
          const history = new History();
          let looks = 0;
          const status = (now) => {
            const models = Array.from({ length: 300 }, (_, number) => ({
              provider: "p", model: `m${number}`, requests: number ? 7 : now,
              input_tokens: 1, output_tokens: 1,
            }));
            const f = {
              outcomes: { complete: now }, refused: {}, tools: {}, providers: [], open: {},
              duration: spread(), first_token: spread(), overhead: spread(), models,
            };
            return { now, counted: { started: 1, figures: f } };
          };
          for (let now = 2; now < 86_400; now += now < 85_000 ? 60 : 2) history.add(status(now));
          history.add(status(86_400.1));
          history.add(status(86_400.11)); // asked twice at once
          const models = new Set(history.points.flatMap((point) => point.f.models));
          for (const point of history.points) {
            const kept = point.f.models;
            Object.defineProperty(point.f, "models", { get: () => { looks += 1; return kept; } });
          }
          const rate = (each) => each.outcomes.complete / each.seconds;
          const { values: [rates] } = history.series(900, [rate]);
          const asked = history.between(900).models.map((each) => each.model);
          const fastest = Math.max(...rates);
          return { points: history.points.length, models: models.size, asked, looks, fastest };
        }""",
        module,
    )
    points = told["points"]
    assert points < 500
    assert told["models"] <= points + 300
    assert told["asked"] == ["m0"]
    assert told["looks"] == 2
    assert told["fastest"] < 1.2


@needs_axe
def test_nothing_bars_who_sees_or_hears_it_differently(served: Start, visit: Callable[..., Visit]) -> None:
    gateway = served(GROQ_API_KEY="k", GROQ_API_URL="http://127.0.0.1:1", TELEMETRY_ENABLED="true")
    tab = visit(gateway.url)
    page = tab.counted()
    for model in ("mock/lab:status=500", "mock/echo", "nobody/knows"):
        gateway.chat(body(model))
    tab.look()
    expect(page.locator(".plot canvas").first).to_be_visible()
    page.evaluate(AXE.read_text())
    found = []
    for section in SECTIONS:
        page.goto(f"{gateway.url}/ui#{section}")
        expect(page.locator(".card:visible").first).to_be_visible()
        if section == "settings":
            # All rows are alike, and looking at each takes seconds.
            page.get_by_label("Only what is not the default").check()
        if section == "try":
            say(page, "hi", "mock/lab:tokens=9,cut_after_events=4")
            say(page, '[[{"name": "mine", "arguments": {}}]]', "mock/tools")
        for scheme, rules in (("light", "{}"), ("dark", "{ runOnly: ['color-contrast'] }")):
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate(f"axe.run({rules})")
            found += [(section, each["id"], each["nodes"][0]["html"]) for each in result["violations"]]
    assert found == []


def test_the_code_that_is_shown_does_what_was_done(
    served: Start, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    page = visit(served(AUTH_API_KEYS=KEY).url).open("try")
    page.get_by_label("API key or token").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="mock/echo")).to_be_attached()
    page.get_by_label("System prompt").fill('It\'s "quoted" \\ and\nbroken $HOME `x`')
    page.get_by_text("More options").click()
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("Keep reasoning apart").check()
    say(page, 'it\'s   "so" \\ $HOME `ls` é\u2028!', "mock/echo")
    answer = (
        page.get_by_role("article", name="Answer").locator("> .said").evaluate("(node) => node.textContent")
    )
    codes = {}
    for tab in page.get_by_role("tab").all():
        tab.click()
        codes[tab.inner_text()] = page.get_by_role("tabpanel").evaluate("(node) => node.textContent")
    environ = {**os.environ, "INFERENCE_GATEWAY_TOKEN": KEY}

    def run(*command: str) -> str:
        ran = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environ, timeout=PATIENCE
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert run(sys.executable, "-c", codes["Python openai"]).rstrip("\n") == answer
    assert run(sys.executable, "-c", codes["Python SDK"]).rstrip("\n") == answer
    events = run("bash", "-c", codes["curl"])
    assert "".join(re.findall(r'"content":"((?:[^"\\]|\\.)*)"', events)).startswith("it's")
    if shutil.which("node"):
        module = tmp_path / "chat.mjs"
        module.write_text(codes["TypeScript"].replace(" as OpenAI.ChatCompletionCreateParamsStreaming", ""))
        run("node", "--check", str(module))
