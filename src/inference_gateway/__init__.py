"""Inference Gateway: one OpenAI-compatible API in front of every LLM provider."""

from inference_gateway._version import __version__

__all__ = ["__version__"]
