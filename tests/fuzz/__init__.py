"""Bytes found by a fuzzer that is guided by coverage, and replayed without it."""
