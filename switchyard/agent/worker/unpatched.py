"""JSON functions of a new process: a task may have patched the module json. Runs in workers."""

import json

encode = json.JSONEncoder().encode
decode = json.JSONDecoder().decode
