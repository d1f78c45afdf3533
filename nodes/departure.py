"""Departure of an agent: it reports that its processes have ended, so that its tasks run elsewhere at once.

It says so also after its session was ended, when its token may not be valid any more: a proof that it was given with the
session shows whose word it is. Only an agent that has ended all its processes says it (switchyard.agent.session); of one
that does not, the time decides by which its own fence has ended them (jobs.leader.lost_nodes, switchyard.agent.core.fencing).
"""

from django.utils.crypto import constant_time_compare, salted_hmac

from database import rows


def proof_of(node: int, session: str) -> str:
    """Return what shows that somebody is the agent of a session; it was told to that agent alone."""
    return salted_hmac("nodes.departure", f"{node} {session}", algorithm="sha256").hexdigest()


def leave(node: int, session: str, proof: str) -> bool:
    """Note that nothing of a session is left; say whether the proof is right. One that is over by now changes nothing."""
    if not constant_time_compare(proof, proof_of(node, session)):
        return False
    rows.execute(
        """UPDATE nodes_node SET figures = '{"leaving": true, "left": true}' WHERE id = %s AND session = %s""",
        [node, session],
    )
    return True
