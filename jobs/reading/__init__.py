"""Jobs, stages, tasks and attempts as plain values, for APIs, wires and pages."""
