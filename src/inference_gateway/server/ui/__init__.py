"""The status page: its files, and what the gateway tells it."""
