"""From our values to answers for Scale's clients. Pure."""
