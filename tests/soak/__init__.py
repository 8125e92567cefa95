"""Random faults for a while, and then a count of what is left behind."""
