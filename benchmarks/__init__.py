"""What the gateway costs per request and per event, beside nginx and the least a Python relay can do."""
