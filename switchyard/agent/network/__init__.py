"""HTTP requests of an agent to the server."""
