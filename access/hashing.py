"""Password hashes."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id with the least memory that OWASP recommends: by Django's 100 MiB a try, 32 tries at once take 3 GiB."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
