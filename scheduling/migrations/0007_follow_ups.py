"""The instances that repeat another one are found by an index; few instances do, so it is small."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("scheduling", "0006_schedulers")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX rota_instance_rerun_of ON rota_instance (rerun_of) WHERE rerun_of IS NOT NULL",
            "DROP INDEX rota_instance_rerun_of",
        )
    ]
