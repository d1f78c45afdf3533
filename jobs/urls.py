"""Routes of jobs."""

from django.urls import path

from jobs import agent_api

urlpatterns = [path("agent/inputs/<int:stage>", agent_api.inputs)]
