"""Ticks that an edit or a pause passed over become rows."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0003_limits")]

    operations = []
