"""Launch: find or bring the services, start the processes, watch them, stop them.

Knows commands, folders, ports and process ids; nothing of jobs or nodes, and no Django.
"""
