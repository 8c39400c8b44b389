"""What `manage.py benchmark` measures: real processes and real tasks in a scratch database."""
