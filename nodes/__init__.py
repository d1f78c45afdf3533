"""The cluster: scheduler switches, pools, nodes, their resources and conditions."""
