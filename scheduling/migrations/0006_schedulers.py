"""The schedulers that are alive."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0005_statistics")]

    operations = [
        migrations.CreateModel(
            name='Scheduler',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('name', models.CharField(default='', max_length=255, verbose_name='name')),
                ('host', models.CharField(default='', max_length=255, verbose_name='host')),
                ('pid', models.IntegerField(default=0, verbose_name='process id')),
                ('version', models.CharField(default='', max_length=50, verbose_name='version')),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='started at')),
                ('last_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='last heartbeat')),
                ('stopped_at', models.DateTimeField(null=True, verbose_name='stopped at')),
                ('lag_seconds', models.FloatField(db_default=0, default=0, help_text='How late its latest firings were, at the worst, in seconds.', verbose_name='lag')),
                ('counts', models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, verbose_name='has done')),
            ],
            options={
                'verbose_name': 'scheduler',
                'verbose_name_plural': 'schedulers',
                'db_table': 'rota_scheduler',
                'ordering': ['-id'],
            },
        ),
        # last_seen_at is in no index, so that a heartbeat is a heap-only update.
        migrations.RunSQL(
            "ALTER TABLE rota_scheduler SET (fillfactor = 50)", "ALTER TABLE rota_scheduler RESET (fillfactor)"
        ),
    ]
