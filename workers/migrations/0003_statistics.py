"""Reserved for statistics and retention of what workers wrote."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("workers", "0002_drain")]

    operations = []
