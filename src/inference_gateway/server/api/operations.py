"""The inference APIs, one row each."""

from inference_gateway.server.inference import Operation

CHAT = Operation(name="chat", endpoint="chat_path")
RAW = Operation(name="proxy", endpoint="")
"""A provider's own API, whatever is asked of it."""
