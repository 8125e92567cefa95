"""HTTP/1.1 by the letter: what our server takes, what it refuses, and an independent parser as the judge."""
