"""JSON as it is in a new process. Runs in workers, where a task may have put something else into the module json."""

import json

encode = json.JSONEncoder().encode
decode = json.JSONDecoder().decode
