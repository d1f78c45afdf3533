"""Create the first admin, a token for programs and a token for agents in a new installation."""

import json
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from access import tokens
from access.models import Token
from access.roles import Role, grant

ADMIN = "admin"
#: The names of the tokens that this command makes and renews.
FOR_PROGRAMS = "bootstrap"
FOR_AGENTS = "bootstrap agents"


class Command(BaseCommand):
    help = "Make the admin and the first tokens; what exists is left alone and shown as null."
    #: The others look at routes and pages, which only web processes load.
    requires_system_checks = ("access",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="first make the tables, or bring them up to date")
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--renew", action="store_true", help="replace both tokens by new ones")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["migrate"]:
            call_command("migrate", interactive=False, verbosity=0)
        with transaction.atomic():
            made = _make(renew=options["renew"])
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        for name, value in made.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {value or 'exists'}")


def _make(*, renew: bool) -> dict[str, str | None]:
    if renew:
        Token.objects.filter(name__in=(FOR_PROGRAMS, FOR_AGENTS)).delete()
    user, password = _admin()
    return {
        "admin_password": password,
        "token": _token(FOR_PROGRAMS, Role.ADMIN, user),
        "node_token": _token(FOR_AGENTS, Role.AGENT, None),
    }


def _admin() -> tuple[User, str | None]:
    user = User.objects.filter(username=ADMIN).first()
    if user:
        return user, None
    password = secrets.token_urlsafe(12)
    user = User.objects.create_superuser(ADMIN, password=password)
    grant(user, Role.ADMIN)
    return user, password


def _token(name: str, role: Role, owner: User | None) -> str | None:
    if Token.objects.filter(name=name, role=role).exists():
        return None
    return tokens.create(name, role=role, owner=owner)[1]
