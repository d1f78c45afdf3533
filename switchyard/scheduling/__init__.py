"""The pure core: decides what runs where and never does it.

Plain functions over frozen values; time, randomness and ids are passed in. Nothing here knows Django, Celery,
Redis or PostgreSQL.
"""
