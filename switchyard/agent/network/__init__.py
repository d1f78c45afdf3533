"""What an agent says to the server over HTTP."""
