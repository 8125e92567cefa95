"""The house's rules, held; and each check fed a small offence, for one that cannot fail is worth nothing."""

import re

import pytest

from architecture.compiled import (
    bases_on_the_other_side,
    copies_in_compiled_modules,
    structs_in_compiled_modules,
)
from architecture.conduct import (
    BROAD_EXCEPTS,
    FILE_LINES,
    FUNCTION_LINES,
    LOOSE_TASKS,
    broad_excepts,
    environment_readers,
    ignores_without_code,
    long_files,
    long_functions,
    loose_tasks,
    many_positional_parameters,
    provider_names_in_code,
    skips_without_reason,
    unfinished_work,
)
from architecture.imports import (
    LATE_IMPORTS,
    import_cycles,
    imports_between_families,
    imports_between_strangers,
    late_imports,
    server_dependencies_in_the_sdk,
    unplaced_modules,
    upward_imports,
)
from architecture.sources import Check, Source, package_sources, read

PACKAGE_CHECKS: tuple[Check, ...] = (
    unplaced_modules,
    upward_imports,
    imports_between_families,
    imports_between_strangers,
    import_cycles,
    server_dependencies_in_the_sdk,
    late_imports,
    many_positional_parameters,
    broad_excepts,
    loose_tasks,
    environment_readers,
    provider_names_in_code,
    unfinished_work,
    structs_in_compiled_modules,
    copies_in_compiled_modules,
    bases_on_the_other_side,
)


@pytest.mark.parametrize("check", PACKAGE_CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_the_rule(check: Check) -> None:
    assert "\n".join(check(package_sources())) == ""


@pytest.mark.parametrize("check", [long_functions, ignores_without_code], ids=lambda check: check.__name__)
def test_the_package_and_its_benchmarks_keep_the_rule(check: Check) -> None:
    assert "\n".join(check(read("src", "benchmarks", "examples"))) == ""


@pytest.mark.parametrize("check", [long_files, skips_without_reason], ids=lambda check: check.__name__)
def test_all_python_here_keeps_the_rule(check: Check) -> None:
    assert "\n".join(check(read("src", "tests", "benchmarks", "examples"))) == ""


@pytest.mark.parametrize(
    ("check", "exceptions"),
    [(late_imports, LATE_IMPORTS), (broad_excepts, BROAD_EXCEPTS), (loose_tasks, LOOSE_TASKS)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_exception_to_a_rule_is_needed_and_has_a_reason(
    check: Check, exceptions: dict[str, str]
) -> None:
    texts = {source.path: source.text for source in package_sources()}
    for path, reason in exceptions.items():
        assert check([Source("elsewhere.py", texts[path])]), (
            f"{path} needs no exception from {check.__name__}"
        )
        assert reason


# ---- the checks, checked -------------------------------------------------------------------------------

A_LONG_FUNCTION = "def f():\n" + "    pass\n" * FUNCTION_LINES

OFFENCES: tuple[tuple[Check, str, str], ...] = (
    (unplaced_modules, "server/attic.py", ""),
    (unplaced_modules, "attic.py", ""),
    (upward_imports, "server/codec.py", "from inference_gateway.server.api import routes"),
    (upward_imports, "server/codec.py", "from ..server.transport.pool import Pool"),
    (upward_imports, "client/retry.py", "from inference_gateway import __version__"),
    (
        upward_imports,
        "server/pipeline/auth.py",
        "if TYPE_CHECKING:\n    from inference_gateway.server.app import App",
    ),
    (
        imports_between_families,
        "server/transport/pool.py",
        "from inference_gateway.server.providers import x",
    ),
    (imports_between_families, "server/mcp/host.py", "import inference_gateway.server.oidc.keys"),
    (
        imports_between_strangers,
        "client/sync.py",
        "def f():\n    from inference_gateway.server.errors import E",
    ),
    (imports_between_strangers, "server/errors.py", "import inference_gateway.client"),
    (imports_between_strangers, "types/chat.py", "from ..server import errors"),
    (server_dependencies_in_the_sdk, "types/chat.py", "import msgspec.json"),
    (late_imports, "client/sync.py", "def f():\n    import json"),
    (late_imports, "client/sync.py", "def f():\n    return importlib.import_module('json')"),
    (long_files, "sse.py", "\n" * (FILE_LINES + 1)),
    (long_functions, "sse.py", A_LONG_FUNCTION),
    (many_positional_parameters, "sse.py", "def f(a, b, c, d, e, f, g, h): ..."),
    (many_positional_parameters, "sse.py", "class C:\n    def f(self, a, b, /, c, d, e, f, g, h): ..."),
    (broad_excepts, "sse.py", "try:\n    f()\nexcept:\n    pass"),
    (broad_excepts, "sse.py", "try:\n    f()\nexcept (ValueError, Exception):\n    pass"),
    (broad_excepts, "sse.py", "try:\n    f()\nexcept Exception as error:\n    raise ValueError from error"),
    (broad_excepts, "sse.py", "with contextlib.suppress(BaseException):\n    f()"),
    (loose_tasks, "server/app.py", "asyncio.create_task(f())"),
    (loose_tasks, "server/app.py", "asyncio.get_running_loop().create_task(f())"),
    (loose_tasks, "server/app.py", "task = ensure_future(f())"),
    (environment_readers, "server/app.py", "os.environ['A']"),
    (environment_readers, "server/app.py", "from os import getenv"),
    (environment_readers, "client/base.py", "os.getenv('A')"),
    (provider_names_in_code, "server/app.py", "if provider.id == other: ..."),
    (provider_names_in_code, "server/app.py", "if self.provider.id != 'openai': ..."),
    (provider_names_in_code, "server/app.py", "if 'openai' == row.id: ..."),
    (provider_names_in_code, "server/app.py", "if provider_id in ('openai', 'groq'): ..."),
    (provider_names_in_code, "server/app.py", "match provider.id:\n    case 'openai': ..."),
    (ignores_without_code, "sse.py", "x = 1  # type: " + "ignore"),
    (ignores_without_code, "sse.py", "x = 1  # no" + "qa"),
    (unfinished_work, "sse.py", "# TO" + "DO: later"),
    (unfinished_work, "sse.py", "raise NotImplemented" + "Error"),
    (skips_without_reason, "test_a.py", "@pytest.mark.skip\ndef test_a(): ..."),
    (skips_without_reason, "test_a.py", "@pytest.mark.skipif(x)\ndef test_a(): ..."),
    (skips_without_reason, "test_a.py", "pytest.skip()"),
    (structs_in_compiled_modules, "server/codec.py", "class Shape(msgspec.Struct): ..."),
    (copies_in_compiled_modules, "server/codec.py", "from copy import copy"),
    (
        bases_on_the_other_side,
        "server/lab.py",
        "from inference_gateway.server.codec import Document\nclass Paper(Document): ...",
    ),
    (
        bases_on_the_other_side,
        "server/codec.py",
        "from inference_gateway.server.lab import Paper\nclass Document(Paper):\n    __slots__ = ()",
    ),
)

INNOCENT: tuple[tuple[Check, str, str], ...] = (
    (upward_imports, "server/api/routes.py", "from inference_gateway.server.pipeline import chain"),
    (
        upward_imports,
        "server/transport/pool.py",
        "from inference_gateway.server.transport.messages import Sink",
    ),
    (
        imports_between_families,
        "server/providers/mock.py",
        "from inference_gateway.server.transport import pool",
    ),
    (imports_between_families, "server/mcp/host.py", "from . import session\nimport inference_gateway.types"),
    (imports_between_strangers, "client/sync.py", "from inference_gateway import sse"),
    (server_dependencies_in_the_sdk, "server/codec.py", "import msgspec"),
    (server_dependencies_in_the_sdk, "types/chat.py", "import json\nfrom pydantic import BaseModel"),
    (long_functions, "sse.py", A_LONG_FUNCTION.replace("    pass\n", "", 1)),
    (many_positional_parameters, "sse.py", "def f(a, b, c, d, e, f, g, *, h, i, j): ..."),
    (broad_excepts, "sse.py", "try:\n    f()\nexcept ValueError:\n    pass"),
    (broad_excepts, "sse.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (loose_tasks, "server/app.py", "async with asyncio.TaskGroup() as group:\n    group.create_task(f())"),
    (environment_readers, "server/configuration/sources.py", "os.environ"),
    (environment_readers, "server/configuration.py", "os.environ"),
    (provider_names_in_code, "server/app.py", "if provider.id in configured and provider.accepts_x: ..."),
    (ignores_without_code, "sse.py", "x = 1  # type: ignore[assignment]"),
    (skips_without_reason, "test_a.py", "@pytest.mark.skipif(x, reason='no curl')\ndef test_a(): ..."),
    (skips_without_reason, "test_a.py", "pytest.skip('no curl')"),
)


@pytest.mark.parametrize(("check", "path", "text"), OFFENCES)
def test_an_offence_is_caught_where_it_stands(check: Check, path: str, text: str) -> None:
    (complaint,) = check([Source(path, text)])
    assert re.match(re.escape(path) + r":\d+: .", complaint)


@pytest.mark.parametrize(("check", "path", "text"), INNOCENT)
def test_what_the_rule_allows_passes(check: Check, path: str, text: str) -> None:
    assert check([Source(path, text)]) == []


def test_a_circle_is_caught_even_if_one_side_is_for_typing_only() -> None:
    one = Source("types/a.py", "from inference_gateway.types import b")
    other = Source("types/b.py", "if TYPE_CHECKING:\n    from .a import A")
    (complaint,) = import_cycles([one, other])
    assert "types.a <- types.b" in complaint or "types.b <- types.a" in complaint
    assert import_cycles([one, Source("types/b.py", "")]) == []
