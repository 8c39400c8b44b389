"""The schedulers that are alive."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0005_statistics")]

    operations = []
