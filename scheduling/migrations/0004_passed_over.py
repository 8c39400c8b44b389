"""Ticks that an edit or a pause passed over become rows; intervals may be shorter than a second."""

from pathlib import Path

from django.db import migrations, models

import scheduling.models.seconds

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0003_limits")]

    operations = [
        migrations.AlterField(
            model_name="task",
            name="every_seconds",
            field=scheduling.models.seconds.SecondsField(
                blank=True,
                help_text="The interval, or the delay after an instance has ended; 0.1 or more, to the millisecond.",
                null=True,
                verbose_name="every (seconds)",
            ),
        ),
        migrations.AddField(
            model_name="scheduleperiod",
            name="to_record",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="scheduleperiod",
            index=models.Index(
                models.F("id"),
                condition=models.Q(("to_record", True)),
                name="rota_schedule_period_to_record",
            ),
        ),
        migrations.RunSQL(
            (SQL / "passed_over.sql").read_text(),
            state_operations=[
                migrations.AddField(
                    model_name="scheduleperiod",
                    name="took_over_at",
                    field=models.DateTimeField(default=None, verbose_name="took over at"),
                    preserve_default=False,
                ),
            ],
        ),
    ]
