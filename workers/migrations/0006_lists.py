"""Attempts that did not succeed are found by an index, however long the history."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Case, F, When

SQL = Path(__file__).parent / "sql"

UNDO = """
DROP INDEX rota_execution_rare;
ALTER TABLE rota_execution DROP COLUMN rare_state;
"""


class Migration(migrations.Migration):

    dependencies = [("workers", "0005_node_history")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL((SQL / "lists.sql").read_text(), UNDO)],
            state_operations=[
                migrations.AddField(
                    model_name="execution",
                    name="rare_state",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=Case(When(~models.Q(state__in=["running", "succeeded"]), then=F("state"))),
                        output_field=models.CharField(max_length=20, null=True),
                    ),
                ),
            ],
        ),
    ]
