"""Access control: roles, tokens, identification of requests, the audit. Routes are closed by default."""
