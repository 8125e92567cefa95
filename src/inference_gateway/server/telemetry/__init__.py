"""Figures of what the gateway does: counted in shared memory, told to whoever scrapes them."""
