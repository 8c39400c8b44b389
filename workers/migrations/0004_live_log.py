"""Who watches a log, and how many lines each chunk of it holds."""

from django.db import migrations, models
from django.db.models.functions import Length, Replace, Right
from django.db.models.lookups import Exact


class Migration(migrations.Migration):
    dependencies = [("workers", "0003_statistics")]

    operations = [
        migrations.CreateModel(
            name="LogWatch",
            fields=[
                ("execution_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("until", models.DateTimeField()),
            ],
            options={
                "verbose_name": "log watch",
                "verbose_name_plural": "log watches",
                "db_table": "rota_log_watch",
            },
        ),
        # Renewed all the time, of no worth after a crash, and never many rows.
        migrations.RunSQL(
            "ALTER TABLE rota_log_watch SET UNLOGGED",
            "ALTER TABLE rota_log_watch SET LOGGED",
        ),
        migrations.AddField(
            model_name="logchunk",
            name="lines",
            field=models.GeneratedField(
                db_persist=True,
                expression=Length("body") - Length(Replace("body", models.Value("\n"), models.Value(""))),
                output_field=models.IntegerField(),
            ),
        ),
        migrations.AddField(
            model_name="logchunk",
            name="unended",
            field=models.GeneratedField(
                db_persist=True,
                expression=~Exact(Right("body", 1), models.Value("\n")),
                output_field=models.BooleanField(),
            ),
        ),
    ]
