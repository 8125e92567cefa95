"""Watch a run of tools live: what the model thinks, says and calls, what tools answer, what it takes.

Redraws one block of the terminal as things happen; where the output is no terminal, it prints the last
state of it.
"""

import shutil
import sys
import textwrap
import time
from dataclasses import dataclass, field

from inference_gateway import InferenceGatewayClient, Message, RunCallbacks, StreamCallbacks, tool
from inference_gateway.models import ChatCompletionMessageToolCall, CompletionUsage

DIM, BOLD, GREEN, PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[32m", "\x1b[0m"


@tool
def get_weather(city: str) -> str:
    """Tell the weather.

    :param city: where.
    """
    time.sleep(0.2)
    return f"21 degrees and sunny in {city}"


@dataclass
class View:
    """The state of a run, and its picture."""

    thoughts: str = ""
    text: str = ""
    calls: list[str] = field(default_factory=list)
    tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    drawn_lines: int = 0

    def callbacks(self) -> RunCallbacks:
        """Tell a run whom to call."""
        stream = StreamCallbacks(on_reasoning=self.think, on_content=self.say, on_usage_metrics=self.count)
        return RunCallbacks(
            stream=stream,
            on_tool_start=self.call,
            on_tool_end=lambda call, result: self.result(call, result.content),
        )

    def think(self, text: str) -> None:
        """Take a piece of the model's thoughts."""
        self.thoughts += text
        self.draw()

    def say(self, text: str) -> None:
        """Take a piece of its text."""
        self.text += text
        self.draw()

    def count(self, usage: CompletionUsage) -> None:
        """Take the tokens of a round."""
        self.tokens += usage.total_tokens
        self.draw()

    def call(self, call: ChatCompletionMessageToolCall) -> None:
        """Take a call that begins."""
        self.calls.append(f"{call.function.name}({call.function.arguments}) …")
        self.draw()

    def result(self, call: ChatCompletionMessageToolCall, content: str) -> None:
        """Take a call that ended."""
        self.calls[-1] = f"{call.function.name}({call.function.arguments}) → {content}"
        self.draw()

    def lines(self) -> list[str]:
        """Draw what is known, line by line."""
        width = max(20, shutil.get_terminal_size().columns - 2)
        shown = [f"{DIM}{line}{PLAIN}" for line in textwrap.wrap(self.thoughts, width)]
        shown += [f"{GREEN}{line}{PLAIN}" for call in self.calls for line in textwrap.wrap(call, width)]
        shown += [f"{BOLD}{line}{PLAIN}" for line in textwrap.wrap(self.text, width)]
        return [*shown, f"{DIM}{self.tokens} tokens, {time.monotonic() - self.started:.1f} s{PLAIN}"]

    def draw(self) -> None:
        """Put the picture in the place of the one before."""
        if sys.stdout.isatty():
            back = f"\x1b[{self.drawn_lines}A\x1b[J" if self.drawn_lines else ""
            lines = self.lines()
            print(back + "\n".join(lines), flush=True)
            self.drawn_lines = len(lines)

    def finish(self) -> None:
        """Leave the last picture where there was no terminal."""
        if not sys.stdout.isatty():
            print("\n".join(self.lines()))


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "mock/echo"
    view = View()
    with InferenceGatewayClient.from_env(timeout=60) as client:
        runner = client.run_tools(
            model,
            [Message(role="user", content="What is the weather in Paris?")],
            [get_weather],
            callbacks=view.callbacks(),
            reasoning_format="parsed",
        )
        runner.until_done()
    view.finish()


if __name__ == "__main__":
    main()
