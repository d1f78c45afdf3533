"""Scale's routes: decode, call one reader or command, encode."""
