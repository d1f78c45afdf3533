"""Print the JSON Schema of a job description: `python -m switchyard.scheduling.spec > docs/job.schema.json`."""

import json
import sys

from switchyard.scheduling.spec import json_schema

json.dump(json_schema(), sys.stdout, indent=2, ensure_ascii=False)
sys.stdout.write("\n")
