"""A real OpenID Connect issuer: the npm package oidc-provider, in a process of its own."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from fakes.loops import PATIENCE

HERE = Path(__file__).resolve().parents[1] / "node" / "oidc"
AUDIENCE = "gateway"

needs_node_issuer = pytest.mark.skipif(
    not shutil.which("node") or not (HERE / "node_modules" / "oidc-provider").is_dir(),
    reason="needs Node and its packages: npm ci --prefix tests/node/oidc",
)


class NodeIssuer:
    """Keeps its port and its keys when it is stopped and started again."""

    def __init__(self, home: Path) -> None:
        self._keys = home / "keys.json"
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Answer."""
        command = ["node", str(HERE / "issuer.mjs"), str(self._port), str(self._keys)]
        self._process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        assert said[:1] == ["ready"], said
        self._port = int(said[1])

    def order(self, word: str) -> None:
        """`rotate` its keys, or sign by new ones beside the old (`both`)."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said == "done\n", said

    def stop(self) -> None:
        """End."""
        if self._process is not None:
            with self._process as process:
                process.kill()
                process.wait(PATIENCE)
            self._process = None

    def token(
        self,
        *,
        audience: str = AUDIENCE,
        scope: str = "llm",
        algorithm: str = "RS256",
        seconds: int = 300,
    ) -> str:
        """Get an access token, as a program does that has credentials of its own."""
        form = {
            "grant_type": "client_credentials",
            "client_id": f"client-{algorithm}",
            "client_secret": "test-secret",
            "resource": f"urn:{audience}",
            "scope": scope,
        }
        request = urllib.request.Request(
            f"{self.url}/token",
            urllib.parse.urlencode(form).encode(),
            {"X-Test-TTL": str(seconds)},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return str(json.load(answer)["access_token"])
