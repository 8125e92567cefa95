"""Agents, by the Agent2Agent protocol."""
