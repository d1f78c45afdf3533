"""The application that the web server runs."""

from scheduler_project.bridging import threaded
from scheduler_project.wsgi import application as respond

application = threaded(respond)
