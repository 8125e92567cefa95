"""The agents of the YAML file: entries made into settings. Knows nothing of the protocol."""

import msgspec

from inference_gateway.server.configuration.document import Document, Entry
from inference_gateway.server.configuration.entries import EntryReader
from inference_gateway.server.configuration.report import Report
from inference_gateway.server.configuration.variables import Variables
from inference_gateway.server.settings import A2AAgentSettings


class AgentReader:
    """Makes each entry's settings; `sources` says where each of them is from."""

    def __init__(self, variables: tuple[Variables, ...], document: Document, report: Report) -> None:
        self._reader = EntryReader("a2a.agents", variables, document, report)
        self._report = report
        self.sources = self._reader.sources

    def read(self) -> tuple[A2AAgentSettings, ...]:
        """Return the agents in the order of the file; one without a URL is reported and left out."""
        agents = tuple(agent for entry in self._reader.entries if (agent := self._agent(entry)) is not None)
        self._check_names(agents)
        return agents

    def _agent(self, entry: Entry) -> A2AAgentSettings | None:
        values = self._reader.values(entry)
        if "url" not in entry.values:
            self._report.problem(entry.where, f"{entry.place}: give a url")
        # One that was refused has been reported.
        return msgspec.convert(values, A2AAgentSettings) if "url" in values else None

    def _check_names(self, agents: tuple[A2AAgentSettings, ...]) -> None:
        named = [entry.values["name"] for entry in self._reader.entries if "name" in entry.values]
        seen: set[str] = set()
        for one in named:
            name = str(one.text).lower()
            if name in seen:
                self._report.refuse(one, "another agent has this name; give each its own")
            seen.add(name)
