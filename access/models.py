"""The tables of access: tokens, of which only the digest is stored, and the audit."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from access.roles import Role


class Token(models.Model):
    """What a program identifies itself with: as its owner, at most in `role`, or as an agent without owner."""

    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="tokens")
    role = models.CharField(max_length=10, choices=[(role.value, role.value) for role in Role])
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(role=Role.AGENT, owner__isnull=True) | (~Q(role=Role.AGENT) & Q(owner__isnull=False)),
                name="people_own_tokens_and_agents_do_not",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Failures(models.Model):
    """Wrong passwords in a row, by account or by peer (access.lockout)."""

    key = models.CharField(max_length=200, primary_key=True)
    count = models.IntegerField()
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "failures"

    def __str__(self) -> str:
        return self.key


class AuditEntry(models.Model):
    """One change that a person made, written in the transaction of the change (I13)."""

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="audit")
    user_name = models.CharField(max_length=150)
    via = models.CharField(max_length=10)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=200)
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["user", "-id"], name="audit_by_user")]

    def __str__(self) -> str:
        return f"{self.user_name}: {self.action} {self.target}"
