"""The whole control plane in one process, in virtual time."""
