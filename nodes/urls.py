"""Routes of the cluster."""

from django.urls import path

from nodes import agent_api

urlpatterns = [path("agent/register", agent_api.register)]
