"""Pools as JSON. Shapes only: whether a pool is sound, the services say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import NamespaceField
from accounts.api.serializers import StrictModelSerializer
from scheduling.models import Pool
from scheduling.pool_use import ENOUGH, PoolUse, pool_use


class PoolListSerializer(serializers.ListSerializer[Pool]):
    """Asks once how full all pools of a page are."""

    use: Mapping[int, PoolUse] = MappingProxyType({})

    def to_representation(self, data: Any) -> list[Any]:
        """Return the pools with their use."""
        pools = list(data)
        self.use = pool_use(pools)
        return super().to_representation(pools)


class PoolSerializer(StrictModelSerializer[Pool]):
    """A limit that several tasks share, and how full it is."""

    namespace = NamespaceField(
        required=False, help_text=_("Its name. Left out: “default” for a new pool, unchanged for a stored one.")
    )
    used = serializers.IntegerField(read_only=True, help_text=_("How many slots its admitted instances take."))
    free = serializers.IntegerField(read_only=True)
    waiting = serializers.IntegerField(
        read_only=True,
        help_text=_("How many instances wait for it; counted up to %(n)d.") % {"n": ENOUGH + 1},
    )
    tasks = serializers.SerializerMethodField(help_text=_("The names of the tasks that use it."))

    class Meta:
        model = Pool
        list_serializer_class = PoolListSerializer
        fields = ["id", "namespace", "name", "slots", "description", "used", "free", "waiting", "tasks", "created_at"]
        read_only_fields = ["created_at"]
        # Whether a name is free is the service's question, with everything else that is wrong.
        validators: list[Any] = []

    def to_representation(self, instance: Pool) -> Any:
        """Return the pool; how full it is, is asked once."""
        use = self._use(instance)
        instance.__dict__.update(used=use.used, free=use.free, waiting=use.waiting)
        return super().to_representation(instance)

    def get_tasks(self, pool: Pool) -> list[str]:
        """Return the names of the tasks that use it."""
        return sorted(task.name for task in pool.tasks.all())

    def _use(self, pool: Pool) -> PoolUse:
        if isinstance(self.parent, PoolListSerializer) and pool.pk in self.parent.use:
            return self.parent.use[pool.pk]
        return pool_use([pool])[pool.pk]
