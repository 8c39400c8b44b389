"""Roll-ups for statistics."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0004_passed_over")]

    operations = []
