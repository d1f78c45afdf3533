"""Every request that the documentation of the other systems shows, copied as data: what is sent, and what is answered."""
