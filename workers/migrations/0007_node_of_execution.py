"""The executions of a node that ran few of them are found without reading all."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):

    dependencies = [("workers", "0006_lists")]

    operations = [
        migrations.RunSQL(
            (SQL / "node_of_execution.sql").read_text(),
            "DROP INDEX rota_execution_rare_of_node; DROP INDEX rota_execution_node;",
        )
    ]
