"""Django's admin, with the site that asks for our roles."""

from django.contrib.admin.apps import AdminConfig


class RoleAdminConfig(AdminConfig):
    default_site = "access.site.Site"
