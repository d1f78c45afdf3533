"""Ballista's routes, in the order of its documentation, without a slash at the end."""

from django.urls import path

from wires.ballista import views

urlpatterns = [
    path("api/state", views.StateView.as_view()),
    path("api/version", views.VersionView.as_view()),
    path("api/executors", views.ExecutorsView.as_view()),
    path("api/executor/<str:executor>", views.ExecutorView.as_view()),
    path("api/jobs", views.JobsView.as_view()),
    path("api/job/<str:job>", views.JobView.as_view()),
    path("api/job/<str:job>/stages", views.StagesView.as_view()),
    path("api/job/<str:job>/config", views.ConfigView.as_view()),
    path("api/job/<str:job>/dot", views.DotView.as_view()),
    path("api/job/<str:job>/dot_svg", views.SvgView.as_view()),
    path("api/job/<str:job>/stage/<str:stage>/dot", views.StageDotView.as_view()),
    path("api/metrics", views.MetricsView.as_view()),
]
