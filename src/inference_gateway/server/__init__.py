"""The gateway. Its public face is HTTP, settings and the command line; nothing here is for import."""
