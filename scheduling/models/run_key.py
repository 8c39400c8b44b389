"""RunKey: the caller's idempotency key of a run, and the instance that it made."""

from django.db import models
from django.db.models.functions import Now

from scheduling.models.task import Task


class RunKey(models.Model):
    """Remembers which instance a key made, so that the same request made twice runs once."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="run_keys")
    key = models.CharField(max_length=200)
    instance_id = models.BigIntegerField()
    scheduled_for = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "rota_run_key"
        constraints = [models.UniqueConstraint("task", "key", name="run_key_is_unique_for_a_task")]

    def __str__(self) -> str:
        return self.key
