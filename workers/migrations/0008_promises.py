"""What the last look at the promises about the queue has found."""

import datetime

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("workers", "0007_node_of_execution")]

    operations = [
        migrations.CreateModel(
            name="PromiseCheck",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("begun_at", models.DateTimeField()),
                ("checked_at", models.DateTimeField(null=True)),
                ("lasted", models.DurationField(default=datetime.timedelta)),
                ("broken", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "check of the promises",
                "verbose_name_plural": "checks of the promises",
                "db_table": "rota_promise_check",
            },
        ),
    ]
