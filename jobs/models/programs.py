"""Programs that users upload."""

from django.db import models


class Program(models.Model):
    """An archive that a user uploaded; another upload of the same name is another version."""

    id = models.UUIDField(primary_key=True)
    #: The later, the higher.
    number = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    size = models.BigIntegerField()
    #: Its `switchyard.yaml`, and the Main-Class of a jar (switchyard.programs).
    manifest = models.TextField(blank=True)
    main_class = models.TextField(blank=True)
    #: The classes of a jar, one a line.
    classes = models.TextField(blank=True)
    #: Why it cannot be run, if it is no archive at all, which Flink's clients may upload.
    fault = models.TextField(blank=True)
    uploaded_by = models.TextField()
    uploaded_at = models.DateTimeField()
