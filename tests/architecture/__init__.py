"""Checks of the house's rules over the syntax trees of the source."""
