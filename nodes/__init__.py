"""The cluster: the scheduler's switch, pools, nodes, what they can hold, and what is wrong with them."""
