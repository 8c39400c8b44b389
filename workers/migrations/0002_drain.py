"""Nodes that are held from taking work, and what their workers have done."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0006_schedulers"), ("workers", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name='node',
            name='counts',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, verbose_name='has done'),
        ),
        migrations.AddField(
            model_name='node',
            name='held_at',
            field=models.DateTimeField(help_text='It takes no work until somebody resumes it.', null=True, verbose_name='held since'),
        ),
        migrations.AddField(
            model_name='node',
            name='held_by',
            field=models.CharField(db_default='', default='', max_length=255, verbose_name='held by'),
        ),
        migrations.AddField(
            model_name='node',
            name='held_reason',
            field=models.CharField(db_default='', default='', max_length=500, verbose_name='why it is held'),
        ),
    ]
