"""Totals written as Prometheus reads them. No I/O.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator

from inference_gateway.server.telemetry.instruments import FAMILIES, Family, is_known, series_of

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Page:
    """The sums over all processes: series are added one by one, and written piece by piece.

    Neither has to be done at a stretch, so that nobody need wait for a large page.
    """

    def __init__(self) -> None:
        self._sums: dict[str, dict[bytes, list[float]]] = {name: {} for name in FAMILIES}

    def add(self, key: bytes, numbers: tuple[float, ...], *, lives: bool) -> None:
        """Add what a process counts; of a dead one, what it counted and not what it had open."""
        family = FAMILIES.get(series_of(key)[0])
        if family is None or (family.kind == "gauge" and not (lives and is_known(numbers))):
            return
        total = self._sums[family.name].get(key)
        if total is None:
            self._sums[family.name][key] = list(numbers)
        elif family.is_least:
            total[0] = min(total[0], numbers[0])
        else:
            for place, number in enumerate(numbers):
                total[place] += number

    def pieces(self) -> Iterator[bytes]:
        """Write it."""
        for name, found in self._sums.items():
            family = FAMILIES[name]
            yield f"# HELP {name} {family.meaning}\n# TYPE {name} {family.kind}\n".encode()
            for key in sorted(found):
                yield _written(family, key, found[key]).encode()


def _written(family: Family, key: bytes, numbers: list[float]) -> str:
    _, labels = series_of(key)
    pairs = [f'{label}="{value.translate(_ESCAPES)}"' for label, value in labels.items()]
    if family.kind == "histogram":
        return "".join(_histogram(family, pairs, numbers))
    return f"{family.name}{_braced(pairs)} {_number(numbers[0])}\n"


def _histogram(family: Family, pairs: list[str], numbers: list[float]) -> Iterator[str]:
    # The count is made from the buckets, so that both agree whatever is counted meanwhile.
    count = 0.0
    *buckets, total = numbers
    for bound, held in zip((*map(_number, family.buckets), "+Inf"), buckets, strict=True):
        count += held
        within = _braced([*pairs, f'le="{bound}"'])
        yield f"{family.name}_bucket{within} {_number(count)}\n"
    yield f"{family.name}_sum{_braced(pairs)} {_number(total)}\n"
    yield f"{family.name}_count{_braced(pairs)} {_number(count)}\n"


def _braced(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _number(value: float) -> str:
    return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
