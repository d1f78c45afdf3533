"""The whole control plane in virtual time: leader, stand-by, agents, broker and clocks in one process, from one seed.

Nothing here reads a clock, opens a file or starts a thread; `__main__` alone prints.
"""
