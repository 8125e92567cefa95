"""Search for bytes that our server and h11 read differently, guided by coverage.

Runs for a minute, or as the options of libFuzzer say: https://llvm.org/docs/LibFuzzer.html#options. What was
found interesting stays in build/fuzz/corpus for the next run; what fails is written to build/fuzz, and
belongs into tests/fuzz/regressions once it is mended.
"""

import hashlib
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("the fuzzer needs atheris, which has packages for Linux on x86-64 and CPython 3.11 to 3.13")

with atheris.instrument_imports(include=["inference_gateway.server.transport", "conformance", "h11"]):
    from fuzz.entry import one_input, seeds

BUILD = Path(__file__).resolve().parents[2] / "build" / "fuzz"
DEFAULTS = ("-max_total_time=60", "-max_len=4096", "-timeout=10", f"-artifact_prefix={BUILD}/")


def main() -> None:
    """Fuzz with the given options, and the defaults for those not given."""
    corpus = BUILD / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    given = {option.partition("=")[0] for option in sys.argv[1:]}
    options = [option for option in DEFAULTS if option.partition("=")[0] not in given]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
