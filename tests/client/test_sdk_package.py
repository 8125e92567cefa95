"""The package as it is imported: names, laziness, types."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import inference_gateway
from inference_gateway import client, models
from inference_gateway.client import errors

HERE = Path(__file__).parent

PAGE_NAMES = {
    "InferenceGatewayClient", "AsyncInferenceGatewayClient", "Message", "TextContentPart", "ImageContentPart",
    "ImageURL", "InferenceGatewayError", "InferenceGatewayValidationError", "InferenceGatewayAPIError",
    "SSEvent",
    "CreateChatCompletionRequest", "CreateChatCompletionResponse",
    "Provider", "ToolCallExtraContent", "Google",
    "ListModelsResponse", "Model", "MessageContent", "MessageRole", "CompletionUsage", "ContentPart",
    "FinishReason", "ChatCompletionMessageToolCall", "ChatCompletionMessageToolCallChunk", "ContextWindow",
    "ChatCompletionToolChoiceOption", "ChatCompletionNamedToolChoice", "ResponseFormatText", "Pricing",
    "ResponseFormatJsonObject", "ResponseFormatJsonSchema", "Modality", "ModelModalities", "__version__",
}  # fmt: skip


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_public_name_is_there_and_listed() -> None:
    names = inference_gateway.__all__
    assert len(names) == len(set(names))
    assert set(names) >= PAGE_NAMES | set(models.__all__)
    assert all(getattr(inference_gateway, name) is not None for name in names)
    assert set(names) <= set(dir(inference_gateway))


def test_errors_are_importable_from_the_client_too() -> None:
    public = {name for name in dir(errors) if name.endswith("Error") and name != "ValidationError"}
    public -= {"Error"}
    assert public <= set(client.__all__) & set(inference_gateway.__all__)
    assert all(getattr(client, name) is getattr(inference_gateway, name) for name in client.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = inference_gateway.nonsense  # type: ignore[attr-defined]


def test_a_library_is_imported_when_it_is_used() -> None:
    libraries = "[name for name in ('pydantic', 'requests', 'httpx2') if name in sys.modules]"
    printed = run(
        "import sys, inference_gateway as g\n"
        f"print({libraries})\n"
        f"g.Message(role='user', content='x'); print({libraries})\n"
        f"c = g.InferenceGatewayClient('http://x/v1'); c.close(); print({libraries})\n"
        f"c = g.InferenceGatewayClient('http://x/v1', use_httpx=True); print({libraries})\n"
        "c.close(); print([name for name in sys.modules if name.startswith('inference_gateway.server')])\n"
    )
    assert printed.splitlines() == [
        "[]",
        "['pydantic']",
        "['pydantic', 'requests']",
        "['pydantic', 'requests', 'httpx2']",
        "[]",
    ]


def test_users_code_is_typed_and_their_mistakes_are_seen() -> None:
    # `--strict` reports ignores that are not needed: each line marked wrong has to be wrong.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(HERE / "typed_usage.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent.parent)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.skipif(shutil.which("pyright") is None, reason="needs pyright: npm install --global pyright")
def test_users_code_is_clean_for_pyright() -> None:
    command = ["pyright", "--pythonpath", sys.executable, str(HERE / "typed_usage.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent.parent)
    assert ran.returncode == 0, ran.stdout
