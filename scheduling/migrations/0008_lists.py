"""What lists of people ask for is found by an index, however long the history and however many the tasks."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Case, F, When

SQL = Path(__file__).parent / "sql"

UNDO = """
DROP INDEX rota_task_other_schedule;
DROP INDEX rota_task_plain_interval;
DROP INDEX rota_task_plain_cron;
DROP INDEX rota_task_name;
DROP INDEX rota_stat_hour_all;
DROP INDEX rota_stat_day_failed;
DROP INDEX rota_task_queue;
DROP INDEX rota_task_revision_pool;
DROP INDEX rota_task_revision_queue;
DROP INDEX rota_task_revision_handler;
DROP INDEX rota_instance_origin;
DROP INDEX rota_instance_rare;
ALTER TABLE rota_instance DROP COLUMN rare_outcome;
"""


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0007_follow_ups")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL((SQL / "lists.sql").read_text(), UNDO)],
            state_operations=[
                migrations.AddField(
                    model_name="taskinstance",
                    name="rare_outcome",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=Case(When(~models.Q(outcome="succeeded"), then=F("outcome"))),
                        output_field=models.CharField(max_length=20, null=True),
                    ),
                ),
            ],
        ),
    ]
