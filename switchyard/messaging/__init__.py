"""What travels between the server and agents, and how: the rooms that both sides import."""
