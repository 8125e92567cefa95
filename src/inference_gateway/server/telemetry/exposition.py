"""Totals written as Prometheus reads them. No I/O.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Iterator

from inference_gateway.server.telemetry.instruments import FAMILIES, Family, is_known, series_of

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def render(series: Iterable[tuple[bytes, tuple[float, ...], bool]]) -> bytes:
    """Write the sums over all processes; of a dead one, what it counted and not what it had open.

    :param series: key, numbers, whether its process lives.
    """
    sums: dict[str, dict[bytes, list[float]]] = {name: {} for name in FAMILIES}
    for key, numbers, lives in series:
        name, _ = series_of(key)
        if name not in sums or (FAMILIES[name].kind == "gauge" and not (lives and is_known(numbers))):
            continue
        total = sums[name].get(key)
        if total is None:
            sums[name][key] = list(numbers)
        elif FAMILIES[name].is_least:
            total[0] = min(total[0], numbers[0])
        else:
            for place, number in enumerate(numbers):
                total[place] += number
    return "".join(_lines(sums)).encode()


def _lines(sums: dict[str, dict[bytes, list[float]]]) -> Iterator[str]:
    for name, found in sums.items():
        family = FAMILIES[name]
        yield f"# HELP {name} {family.meaning}\n# TYPE {name} {family.kind}\n"
        for key in sorted(found):
            _, labels = series_of(key)
            pairs = [f'{label}="{value.translate(_ESCAPES)}"' for label, value in labels.items()]
            if family.kind == "histogram":
                yield from _histogram(family, pairs, found[key])
            else:
                yield f"{name}{_braced(pairs)} {_number(found[key][0])}\n"


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
