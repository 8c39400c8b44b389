"""Sums by task over the ranges that tables of tasks show."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0008_lists")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    (SQL / "task_sums.sql").read_text(), "DROP TABLE rota_stat_sum; DROP TABLE rota_stat_window;"
                )
            ],
            state_operations=[
                migrations.CreateModel(
                    name="StatWindow",
                    fields=[
                        ("since", models.DateTimeField(primary_key=True, serialize=False)),
                        ("until", models.DateTimeField()),
                    ],
                    options={
                        "verbose_name": "range of sums",
                        "verbose_name_plural": "ranges of sums",
                        "db_table": "rota_stat_window",
                    },
                ),
                migrations.CreateModel(
                    name="StatSum",
                    fields=[
                        ("pk", models.CompositePrimaryKey("since", "task_id", "namespace_id", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("since", models.DateTimeField()),
                        ("task_id", models.IntegerField()),
                        ("namespace_id", models.BigIntegerField()),
                        ("ended", models.BigIntegerField()),
                        ("failed", models.BigIntegerField()),
                        ("ran", models.BigIntegerField()),
                        ("lasted_us", models.BigIntegerField()),
                    ],
                    options={
                        "verbose_name": "sums of a task",
                        "verbose_name_plural": "sums by task",
                        "db_table": "rota_stat_sum",
                    },
                ),
            ],
        )
    ]
