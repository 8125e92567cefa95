"""Command line of the benchmarks: `make bench`, or `python -m benchmarks --help`."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import chart
from benchmarks.measure import ROOT, Result, at_rest, one_round, peers
from benchmarks.processes import DidNotStart
from benchmarks.report import as_json, summary, table

# A program that is called, and the Debian package that brings it.
TOOLS = {"nginx": "nginx-light", "wrk": "wrk"}

RESULTS = ROOT / "benchmarks" / "results"
CHART = ROOT / "docs" / "benchmarks.svg"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0, 1 where something failed under load, 2 where it cannot be measured."""
    options = _parser().parse_args(arguments)
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing or not sys.platform.startswith("linux"):
        print(f"benchmarks: need Linux and {' and '.join(TOOLS)}; on Debian: "
              f"apt-get install {' '.join(missing or TOOLS.values())}", file=sys.stderr)  # fmt: skip
        return 2
    # A plain kill too ends what was started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        results = _measure(options)
    except DidNotStart as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    rows = summary(results, options.streams)
    print(table(rows))
    counts = {"rounds": options.rounds, "seconds": options.seconds, "streams": options.streams}
    if options.json:
        options.json.write_bytes(as_json(rows, results, counts))
    if options.save:
        today = datetime.now(UTC).date().isoformat()
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{today}.json").write_bytes(as_json(rows, results, counts))
        CHART.write_text(chart(rows, today), encoding="utf-8")
    return int(any(row.failures for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=3, help="turns of every peer (%(default)s)")
    parser.add_argument("--seconds", type=_positive, default=4, help="length of one load (%(default)s)")
    parser.add_argument("--streams", type=_positive, default=200, help="streams at once (%(default)s)")
    parser.add_argument("--save", action="store_true", help="keep the figures, draw the chart")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file too")
    parser.add_argument(
        "--also", type=_named, action="append", default=[], metavar="NAME=COMMAND",
        help="measure another gateway too: a shell command that serves on $PORT and asks $OPENAI_API_URL",
    )  # fmt: skip
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def _named(text: str) -> tuple[str, str]:
    name, _, command = text.partition("=")
    if not name or not command:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COMMAND")
    return name, command


def _measure(options: argparse.Namespace) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        with peers(folder, dict(options.also)) as measured:
            results = [at_rest(peer, options.streams) for peer in measured]
            for number in range(options.rounds):
                for peer, result in zip(measured, results, strict=True):
                    print(f"round {number + 1} of {options.rounds}: {peer.name}", file=sys.stderr)
                    turn = one_round(peer, folder, seconds=options.seconds, streams=options.streams)
                    result.rounds.append(turn)
            return results


if __name__ == "__main__":
    sys.exit(main())
