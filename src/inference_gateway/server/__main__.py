"""`inference-gateway`, or `python -m inference_gateway.server`."""

import sys

_NEEDED = frozenset({"click", "dotenv", "httptools", "msgspec", "uvloop", "yaml"})


def main() -> None:
    """Run the command line; say what to install where the server's part is missing."""
    try:
        from inference_gateway.server.cli import cli
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write(
            f"inference-gateway: the server needs {error.name!r}, which is not installed; "
            "install the extra [server], for example: pip install '.[server]'\n"
        )
        sys.exit(2)
    cli(prog_name="inference-gateway")


if __name__ == "__main__":
    main()
