"""How long code may be, and what it must not do."""

import ast
import io
import re
import tokenize

from architecture.sources import Source, dotted

# Files that may do what others may not, each with its reason.
BROAD_EXCEPTS = {
    "server/mcp/links.py": "the edge of a server that is not ours: whatever it does, it is tried again",
    "server/tracing/export.py": "the edge of a background task: it goes on whatever a batch of spans holds",
    "server/app.py": "the edge of a request: its client gets an answer, whatever went wrong",
    "server/transport/server.py": "the edge of a connection: one that breaks must not take the others along",
    "client/tools.py": "a tool is the user's code: whatever it raises is told to the model, or raised again",
}
LOOSE_TASKS = {
    "server/tasks.py": "the owner of work that outlives its request",
    "server/transport/server.py": "one task per request, kept and cancelled by its connection",
}
ENVIRONMENT = re.compile(r"server/(settings|configuration(/\w+|_\w+)?)\.py|client/environment\.py")

FILE_LINES = 600
FUNCTION_LINES = 60
POSITIONAL = 7


def long_files(sources: list[Source]) -> list[str]:
    return [
        source.complaint(FILE_LINES + 1, f"is {lines} lines long, more than {FILE_LINES}")
        for source in sources
        if (lines := len(source.text.splitlines())) > FILE_LINES
    ]


def long_functions(sources: list[Source]) -> list[str]:
    return [
        source.complaint(node, f"{node.name} is {lines} lines long, more than {FUNCTION_LINES}")
        for source in sources
        for node in source.functions()
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]


def many_positional_parameters(sources: list[Source]) -> list[str]:
    found = []
    for source in sources:
        for node in source.functions():
            names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > POSITIONAL:
                found.append(source.complaint(node, f"{node.name} takes {count} positional parameters"))
    return found


def broad_excepts(sources: list[Source]) -> list[str]:
    """A handler that ends in a bare `raise` tidies up and catches nothing."""
    return [
        source.complaint(node, "catches everything; only the edges may")
        for source in sources
        if source.path not in BROAD_EXCEPTS
        for node in ast.walk(source.tree)
        if _catches_everything(node)
    ]


def _catches_everything(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
        caught: list[ast.expr] = node.args
    elif isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        if isinstance(last, ast.Raise) and last.exc is None:
            return False
        if node.type is None:
            return True
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    else:
        return False
    return any(dotted(each).rpartition(".")[2] in {"Exception", "BaseException"} for each in caught)


def loose_tasks(sources: list[Source]) -> list[str]:
    """A task belongs to a TaskGroup, whose name here ends in `group`."""
    found = []
    for source in sources:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call) or source.path in LOOSE_TASKS:
                continue
            owner, _, name = dotted(node.func).rpartition(".")
            if name in {"create_task", "ensure_future"} and not owner.lower().endswith("group"):
                found.append(source.complaint(node, f"a bare {name}: who waits for it, who cancels it?"))
    return found


def environment_readers(sources: list[Source]) -> list[str]:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    found = []
    for source in sources:
        for node in ast.walk(source.tree):
            touched = isinstance(node, ast.Attribute) and dotted(node.value) == "os" and node.attr in names
            if isinstance(node, ast.ImportFrom) and node.module == "os":
                touched = any(alias.name in names for alias in node.names)
            if touched and not ENVIRONMENT.fullmatch(source.path):
                found.append(source.complaint(node, "the environment is read in the settings only"))
    return found


def provider_names_in_code(sources: list[Source]) -> list[str]:
    """What is special about a provider is a field of its row, not a comparison somewhere else."""
    return [
        source.complaint(node, "asks which provider it is; make it a field of the row")
        for source in sources
        for node in ast.walk(source.tree)
        if _asks_for_a_provider(node)
    ]


def _asks_for_a_provider(node: ast.AST) -> bool:
    if isinstance(node, ast.Match):
        return _is_provider_id(node.subject)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    if isinstance(node.ops[0], ast.Eq | ast.NotEq) and any(
        dotted(side).endswith("provider.id") for side in sides
    ):
        return True
    return any(map(_is_provider_id, sides)) and any(map(_is_text, sides))


def _is_provider_id(node: ast.AST) -> bool:
    name = dotted(node).rpartition(".")[2]
    return (
        name in {"id", "provider_id", "provider"}
        if isinstance(node, ast.Attribute)
        else name == "provider_id"
    )


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_is_text, node.elts))
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != ""


def ignores_without_code(sources: list[Source]) -> list[str]:
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)")
    return [
        source.complaint(token.start[0], "an ignore names the code it ignores")
        for source in sources
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT and bare.search(token.string)
    ]


def unfinished_work(sources: list[Source]) -> list[str]:
    word = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    return [
        source.complaint(number, f"unfinished: {match[0]}")
        for source in sources
        for number, line in enumerate(source.text.splitlines(), 1)
        if (match := word.search(line))
    ]


def skips_without_reason(sources: list[Source]) -> list[str]:
    return [
        source.complaint(node, "skips without saying why")
        for source in sources
        for node in ast.walk(source.tree)
        if _skips_silently(node)
    ]


def _skips_silently(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return any(_skip(each) for each in node.decorator_list if not isinstance(each, ast.Call))
    if not isinstance(node, ast.Call) or not _skip(node.func):
        return False
    said = any(keyword.arg == "reason" for keyword in node.keywords)
    return not said and not (node.args and _skip(node.func) == "skip")


def _skip(node: ast.expr) -> str:
    """`skip`, `skipif` or `xfail` where that is what pytest is asked for, else ""."""
    name = dotted(node)
    last = name.rpartition(".")[2]
    return last if name.startswith("pytest.") and last in {"skip", "skipif", "xfail"} else ""
