"""For how long a process leads: by a lease, judged by the database's clock, that it renews."""

#: Seconds that a lease lasts, and between renewals.
LASTS, RENEWED_EVERY = 10.0, 3.0
#: Seconds between looks at the lease while another process holds it.
STAND_BY = 1.0
