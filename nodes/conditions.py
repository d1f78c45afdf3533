"""The conditions of nodes that the server itself notes, by name."""

#: The agent is heard over HTTP alone.
BROKER_AWAY = "broker_away"
