"""What happens to an inference request between the door and the provider: one stage per file."""
