"""Who may do what: roles, tokens, one way to identify a request, closed by default, and the audit."""
