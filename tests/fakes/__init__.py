"""Real servers and clients on loopback for tests to drive."""
