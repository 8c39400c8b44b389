"""Nodes that are held from taking work."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0006_schedulers"), ("workers", "0001_initial")]

    operations = []
