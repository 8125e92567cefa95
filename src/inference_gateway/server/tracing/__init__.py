"""Traces: which requests are traced, and their spans sent to a collector by OTLP."""
