"""Processes of an agent: workers, the zygotes that fork them, their guardians, and process trees."""
