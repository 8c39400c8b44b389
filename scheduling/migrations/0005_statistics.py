"""Roll-ups for statistics."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0004_passed_over")]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.CreateModel(
                name='StatDay',
                fields=[
                    ('task_id', models.IntegerField()),
                    ('namespace_id', models.BigIntegerField()),
                    ('outcome', models.CharField(max_length=20)),
                    ('bucket', models.SmallIntegerField()),
                    ('lasted', models.DurationField()),
                    ('waited', models.DurationField()),
                    ('pk', models.CompositePrimaryKey('task_id', 'day', 'namespace_id', 'outcome', 'bucket', blank=True, editable=False, primary_key=True, serialize=False)),
                    ('day', models.DateTimeField()),
                    ('count', models.BigIntegerField()),
                ],
                options={
                    'verbose_name': 'statistics of a day',
                    'verbose_name_plural': 'statistics by day',
                    'db_table': 'rota_stat_day',
                },
            ),
            migrations.CreateModel(
                name='StatDelta',
                fields=[
                    ('task_id', models.IntegerField()),
                    ('namespace_id', models.BigIntegerField()),
                    ('outcome', models.CharField(max_length=20)),
                    ('bucket', models.SmallIntegerField()),
                    ('lasted', models.DurationField()),
                    ('waited', models.DurationField()),
                    ('pk', models.CompositePrimaryKey('task_id', 'hour', 'namespace_id', 'outcome', 'bucket', blank=True, editable=False, primary_key=True, serialize=False)),
                    ('hour', models.DateTimeField()),
                    ('count', models.IntegerField()),
                ],
                options={
                    'verbose_name': 'unfolded statistics',
                    'verbose_name_plural': 'unfolded statistics',
                    'db_table': 'rota_stat_delta',
                },
            ),
            migrations.CreateModel(
                name='StatHour',
                fields=[
                    ('task_id', models.IntegerField()),
                    ('namespace_id', models.BigIntegerField()),
                    ('outcome', models.CharField(max_length=20)),
                    ('bucket', models.SmallIntegerField()),
                    ('lasted', models.DurationField()),
                    ('waited', models.DurationField()),
                    ('pk', models.CompositePrimaryKey('task_id', 'hour', 'namespace_id', 'outcome', 'bucket', blank=True, editable=False, primary_key=True, serialize=False)),
                    ('hour', models.DateTimeField()),
                    ('count', models.BigIntegerField()),
                ],
                options={
                    'verbose_name': 'statistics of an hour',
                    'verbose_name_plural': 'statistics by hour',
                    'db_table': 'rota_stat_hour',
                },
            ),
        ]),
        migrations.RunSQL((SQL / "statistics.sql").read_text()),
    ]
