"""Routes of viewsets."""

from rest_framework.routers import SimpleRouter


class BothFormsRouter(SimpleRouter):
    """Takes each path with a slash at its end and without."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"
