"""Launch: find the services or install them, start the processes, monitor them, stop them.

Knows commands, folders, ports and process ids; nothing of jobs or nodes, and no Django.
"""
