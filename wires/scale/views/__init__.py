"""Scale's routes: parse, ask one selector or service, encode."""
