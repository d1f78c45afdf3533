"""The tables of artifacts and of what refers to them. Set-based statements write them (artifacts.references)."""

from django.db import models


class Artifact(models.Model):
    """An artifact that is stored, or about to be; `touched_at` is when it was last uploaded or referred to."""

    digest = models.CharField(max_length=64, primary_key=True)
    touched_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["touched_at"], name="artifacts_by_touch")]


class Reference(models.Model):
    """Something that an artifact is kept for, such as the job by its id."""

    # The first column of the constraint below is index enough.
    artifact = models.ForeignKey(Artifact, models.PROTECT, related_name="references", db_index=False)
    #: artifacts.kinds.Kind
    kind = models.CharField(max_length=20)
    referrer = models.CharField(max_length=100)

    class Meta:
        indexes = [models.Index(fields=["kind", "referrer"], name="references_by_referrer")]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "kind", "referrer"], name="one_reference_per_artifact_and_referrer")
        ]
