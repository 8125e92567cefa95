"""Metrics scraped and taken apart, as Prometheus would."""

import re
import urllib.request

from fakes.loops import PATIENCE

_SAMPLE = re.compile(r'(?m)^(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    """One scrape of a metrics port."""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            self.content_type = answer.headers["content-type"]
            self.text = answer.read().decode()
        self.samples = [
            (name, dict(_LABEL.findall(labels)), float(value))
            for name, labels, value in _SAMPLE.findall(self.text)
        ]

    def total(self, name: str, **labels: str) -> float:
        """Sum of all series of a name that have these labels."""
        return sum(
            value for found, has, value in self.samples if found == name and labels.items() <= has.items()
        )

    def values(self, label: str) -> set[str]:
        """Every value of a label."""
        return {has[label] for _, has, _ in self.samples if label in has}
