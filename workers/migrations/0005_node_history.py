"""What nodes were, and when, and how their machines do."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent / "sql"

UNDO = """
DROP TRIGGER rota_node_changed ON rota_node;
DROP TRIGGER rota_node_came ON rota_node;
DROP FUNCTION rota_node_changed();
"""


class Migration(migrations.Migration):

    dependencies = [("workers", "0004_live_log")]

    operations = [
        migrations.AddField(
            model_name="node",
            name="machine",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()), default=dict, verbose_name="machine"
            ),
        ),
        migrations.CreateModel(
            name="NodeChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("before", models.CharField(default="", max_length=20, verbose_name="before")),
                ("after", models.CharField(max_length=20, verbose_name="after")),
                ("last_seen_at", models.DateTimeField(null=True)),
                (
                    "node",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="workers.node",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of a node",
                "verbose_name_plural": "changes of nodes",
                "db_table": "rota_node_change",
                "indexes": [models.Index(fields=["node", "at"], name="rota_node_change_at")],
            },
        ),
        migrations.RunSQL((SQL / "node_changes.sql").read_text(), UNDO),
    ]
